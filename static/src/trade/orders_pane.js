/** The customer's open orders and trades: live, cancelled with one click, news of each as a toast. */
import * as api from "../lib/api.js";
import * as decimal from "../lib/decimal.js";
import { $, clock, eachFrame, make, setText } from "../lib/dom.js";
import { toast } from "../lib/toast.js";
import { tellEnded } from "./order_news.js";
import { tabs } from "./tabs.js";

const FILLS_KEPT = 100;
const LIVE = new Set(["open", "pending"]);
const cell = (text, css = "") => make("td", css, text);
const sideCell = (each) => cell(each.side === "buy" ? "Buy" : "Sell", each.side === "buy" ? "up" : "down");
const fillKey = (fill) => `${fill.id}:${fill.order_id}`;

export class OrdersPane {
  constructor(root, facts, onMine) {
    this.pane = $(".panel-orders", root);
    this.facts = facts;
    this.onMine = onMine;
    this.open = new Map();
    this.fills = [];
    this.everywhere = $("[data-all-markets]", this.pane);
    this.cancelAll = $("[data-cancel-all]", this.pane);
    this.draw = eachFrame(() => this.#draw());
    tabs(this.pane);
    $("[data-all-tool]", this.pane).hidden = false;
    this.everywhere.addEventListener("change", this.draw);
    this.cancelAll.addEventListener("click", () => this.#cancelAll());
  }

  receiveOrders(type, data) {
    if (type === "gap") return;
    if (type === "snapshot") {
      this.open = new Map(data.orders.map((order) => [order.id, order]));
      this.draw();
    } else this.#settle(data.orders);
  }

  receiveFills(type, data) {
    if (type === "gap") return;
    const newest = [...data.fills].reverse();
    const kept = type === "snapshot" ? [] : this.fills;
    const known = new Set(kept.map(fillKey));
    this.fills = [...newest.filter((fill) => !known.has(fillKey(fill))), ...kept].slice(0, FILLS_KEPT);
    this.draw();
  }

  /** Takes orders as they are now; those that ended leave the list, and say so once. */
  #settle(orders) {
    for (const order of orders) {
      const before = this.open.get(order.id);
      if (LIVE.has(order.state)) this.open.set(order.id, order);
      else {
        this.open.delete(order.id);
        if (before) tellEnded(order);
      }
    }
    this.draw();
  }

  #shown() {
    const here = (each) => this.everywhere.checked || each.market === this.facts.symbol;
    const orders = [...this.open.values()].filter(here).sort((a, b) => b.id - a.id);
    return { orders, fills: this.fills.filter(here) };
  }

  #draw() {
    const { orders, fills } = this.#shown();
    this.#table("open", orders.map((order) => this.#orderRow(order)));
    this.#table("fills", fills.map((fill) => this.#fillRow(fill)));
    setText($("[data-open-count]", this.pane), String(orders.length));
    this.cancelAll.hidden = orders.length < 2;
    const mine = [...this.open.values()].filter((order) => order.market === this.facts.symbol && order.state === "open");
    this.onMine(
      mine.map((order) => ({ side: order.side === "buy" ? "bids" : "asks", tick: decimal.parse(order.price, this.facts.priceDecimals) })),
    );
  }

  #table(name, rows) {
    $(`[data-${name}]`, this.pane).replaceChildren(...rows);
    $(`[data-${name}-table]`, this.pane).hidden = rows.length === 0;
    $(`[data-${name}-empty]`, this.pane).hidden = rows.length > 0;
  }

  #price(each) {
    const here = each.market === this.facts.symbol;
    const shown = (price) => (here ? decimal.column(price, this.facts.priceDecimals) : decimal.grouped(price));
    const price = each.price ? shown(each.price) : "Market";
    return each.state === "pending" ? `${shown(each.stop_price)} → ${price}` : price;
  }

  #orderRow(order) {
    const row = make("tr");
    const button = make("button", "button button-small", "Cancel");
    button.type = "button";
    button.setAttribute("aria-label", `Cancel order ${order.id}`);
    button.addEventListener("click", () => this.#cancel(order, button));
    const last = make("td");
    last.append(button);
    row.append(
      cell(order.market),
      sideCell(order),
      cell(this.#price(order), "right num"),
      cell(decimal.grouped(order.quantity ?? order.quote_amount), "right num"),
      cell(decimal.grouped(order.filled_quantity), "right num"),
      cell(clock(order.created_at), "mid-only faint"),
      last,
    );
    return row;
  }

  #fillRow(fill) {
    const row = make("tr");
    row.append(
      cell(fill.market),
      sideCell(fill),
      cell(this.#price(fill), "right num"),
      cell(decimal.grouped(fill.quantity), "right num"),
      cell(`${decimal.grouped(fill.fee)} ${fill.fee_asset}`, "right num"),
      cell(clock(fill.time), "mid-only faint"),
    );
    return row;
  }

  async #cancel(order, button) {
    if (button) button.disabled = true;
    try {
      this.#settle([await api.remove(`/orders/${order.id}`)]);
    } catch (error) {
      if (button) button.disabled = false;
      toast("Not cancelled", { detail: error.message, look: "bad" });
    }
  }

  async #cancelAll() {
    const { orders } = this.#shown();
    if (!confirm(`Cancel ${orders.length} open orders?`)) return;
    this.cancelAll.disabled = true;
    try {
      await api.remove(this.everywhere.checked ? "/orders" : `/orders?market=${this.facts.symbol}`);
    } catch (error) {
      toast("Not cancelled", { detail: error.message, look: "bad" });
    } finally {
      this.cancelAll.disabled = false;
    }
  }
}
