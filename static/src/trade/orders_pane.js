/** The customer's orders: open, done and filled; live, changed and cancelled in place, news of each as one toast. */
import * as api from "../lib/api.js";
import * as decimal from "../lib/decimal.js";
import { $, eachFrame, setText } from "../lib/dom.js";
import { toast } from "../lib/toast.js";
import { said, t, tn } from "../lib/words.js";
import { AmendDialog } from "./amend.js";
import * as news from "./order_news.js";
import { fillRow, openRow, pastRow } from "./order_rows.js";
import { tabs } from "./tabs.js";

const KEPT = 200;
const PAGE = 30;
/** How many orders that ended are remembered, for an answer that comes after the news of its end. */
const ENDED_KEPT = 50;
const LIVE = new Set(["open", "pending"]);
const fillKey = (fill) => `${fill.id}:${fill.order_id}`;

export class OrdersPane {
  /** `onMine` is told the open orders of this market. */
  constructor(root, facts, sender, onMine) {
    Object.assign(this, { facts, sender, onMine });
    this.pane = $(".panel-orders", root);
    this.open = new Map();
    this.ended = new Map();
    this.past = { rows: [], cursor: null, asked: null };
    this.fills = [];
    this.everywhere = $("[data-all-markets]", this.pane);
    this.cancelAll = $("[data-cancel-all]", this.pane);
    this.older = $("[data-past-older]", this.pane);
    this.amending = new AmendDialog(sender, facts, (order) => this.#tell(order, news.amended(order, this.#places(order)?.price)));
    this.draw = eachFrame(() => this.#draw());
    tabs(this.pane, (name) => name === "past" && this.#loadPast());
    $("[data-all-tool]", this.pane).hidden = false;
    this.everywhere.addEventListener("change", () => {
      if (this.past.asked !== null) void this.#loadPast();
      this.draw();
    });
    this.cancelAll.addEventListener("click", () => this.#cancelAll());
    this.older.addEventListener("click", () => this.#loadPast(this.past.cursor));
  }

  receiveOrders(type, data) {
    if (type === "gap") return;
    if (type === "snapshot") this.#renew(data.orders);
    else this.#settle(data.orders);
    this.draw();
  }

  receiveFills(type, data) {
    if (type === "gap") return;
    const newest = [...data.fills].reverse();
    const kept = type === "snapshot" ? [] : this.fills;
    const known = new Set(kept.map(fillKey));
    this.fills = [...newest.filter((fill) => !known.has(fillKey(fill))), ...kept].slice(0, KEPT);
    this.draw();
  }

  /** The answer to an order that was just sent, or to a pair. The feed may have told its end before. */
  tellPlaced(answer) {
    if (answer.limit) {
      this.#tell(answer.limit, news.placedPair(answer, this.#places(answer.limit)?.price));
      this.#settle([answer.limit, answer.stop], true);
    } else {
      const order = this.ended.get(answer.id) ?? answer;
      this.#tell(order, news.placed(order, this.#places(order)?.price));
      this.#settle([order], true);
    }
    this.draw();
  }

  /** After a lost connection: what ended meanwhile is told once, by asking how. */
  #renew(orders) {
    const now = new Map(orders.map((order) => [order.id, order]));
    const gone = [...this.open.values()].filter((order) => !now.has(order.id));
    for (const [id, order] of now) this.#news(this.open.get(id), order);
    this.open = now;
    for (const order of gone.slice(0, 5)) {
      api.get(`/orders/${order.id}`).then((found) => this.#settleOne(found, order)).catch(() => null);
    }
  }

  /** Takes orders as they are now; `quiet` where their news has been told already. */
  #settle(orders, quiet = false) {
    for (const order of orders) this.#settleOne(order, quiet ? null : this.open.get(order.id));
  }

  #settleOne(order, before) {
    const known = this.open.get(order.id);
    if (known && known.updated_at > order.updated_at) return;
    if (LIVE.has(order.state)) {
      if (!this.ended.has(order.id)) this.open.set(order.id, order);
    } else {
      this.open.delete(order.id);
      this.#remember(order);
    }
    this.#news(before, order);
    this.draw();
  }

  #remember(order) {
    const known = this.ended.has(order.id);
    this.ended.set(order.id, order);
    if (this.ended.size > ENDED_KEPT) this.ended.delete(this.ended.keys().next().value);
    if (!known && this.past.asked !== null) this.past.rows.unshift(order);
  }

  #news(before, order) {
    if (before) this.#tell(order, news.changed(before, order, this.#places(order)?.price));
  }

  #tell(order, told) {
    if (told) toast(told.title, { ...told, key: `order-${order.id}` });
  }

  #places(each) {
    return each.market === this.facts.symbol ? { price: this.facts.priceDecimals, quantity: this.facts.quantityDecimals } : undefined;
  }

  #shown() {
    const here = (each) => this.everywhere.checked || each.market === this.facts.symbol;
    const orders = [...this.open.values()].filter(here).sort((a, b) => b.id - a.id);
    return { orders, fills: this.fills.filter(here), past: this.past.rows.filter(here) };
  }

  #draw() {
    const { orders, fills, past } = this.#shown();
    const focused = document.activeElement?.closest?.("tr")?.dataset.order;
    const label = document.activeElement?.getAttribute?.("aria-label");
    const acts = { onAmend: (order) => this.amending.show(order), onCancel: (order, button) => this.#cancel(order, button) };
    this.#table("open", orders.map((order) => openRow(order, this.#places(order), acts)));
    this.#table("fills", fills.map((fill) => fillRow(fill, this.#places(fill))));
    if (this.past.asked !== null) this.#table("past", past.map((order) => pastRow(order, this.#places(order))));
    if (focused) $(`[data-order="${focused}"] [aria-label="${CSS.escape(label ?? "")}"]`, this.pane)?.focus();
    setText($("[data-open-count]", this.pane), String(orders.length));
    this.cancelAll.hidden = orders.length < 2;
    this.older.hidden = !this.past.cursor;
    this.onMine([...this.open.values()].filter((order) => order.market === this.facts.symbol));
  }

  #table(name, rows) {
    $(`[data-${name}]`, this.pane).replaceChildren(...rows);
    $(`[data-${name}-table]`, this.pane).hidden = rows.length === 0;
    $(`[data-${name}-empty]`, this.pane).hidden = rows.length > 0;
  }

  async #loadPast(cursor = null) {
    const scope = this.everywhere.checked ? "" : this.facts.symbol;
    if (cursor === null && this.past.asked === scope) return;
    this.past.asked = scope;
    const query = new URLSearchParams({ limit: String(PAGE), ...(scope && { market: scope }), ...(cursor && { cursor }) });
    try {
      const { data, next_cursor: next } = await api.get(`/orders/history?${query}`);
      if (this.past.asked !== scope) return;
      const done = data.filter((order) => !LIVE.has(order.state));
      this.past = { rows: cursor ? [...this.past.rows, ...done] : done, cursor: next, asked: scope };
    } catch (error) {
      this.past.asked = null;
      toast(t("Your orders could not be read"), { detail: said(error), look: "bad" });
    }
    this.draw();
  }

  async #cancel(order, button) {
    button.disabled = true;
    try {
      this.#settle([await this.sender.cancel(order.id)]);
    } catch (error) {
      button.disabled = false;
      toast(t("Not cancelled"), { detail: said(error), look: "bad" });
    }
  }

  async #cancelAll() {
    const { orders } = this.#shown();
    if (!confirm(tn("Cancel {count} open order?", "Cancel {count} open orders?", orders.length))) return;
    this.cancelAll.disabled = true;
    try {
      const count = await this.sender.cancelAll(this.everywhere.checked ? null : this.facts.symbol);
      if (!count) toast(t("Nothing was open any more"));
    } catch (error) {
      toast(t("Not cancelled"), { detail: said(error), look: "bad" });
    } finally {
      this.cancelAll.disabled = false;
    }
  }
}

/** Where the customer's own orders stand in the book: [{side, tick}]. */
export function levels(orders, priceDecimals) {
  return orders
    .filter((order) => order.state === "open" && order.price)
    .map((order) => ({ side: order.side === "buy" ? "bids" : "asks", tick: decimal.parse(order.price, priceDecimals) }));
}
