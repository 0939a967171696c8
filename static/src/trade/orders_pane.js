/** The customer's open orders and trades: live, cancelled with one click, news of each as a toast. */
import * as api from "../lib/api.js";
import * as decimal from "../lib/decimal.js";
import { $, $$, clock, eachFrame, make, setText } from "../lib/dom.js";
import { toast } from "../lib/toast.js";

const FILLS_KEPT = 100;

function tabs(root) {
  const buttons = $$("[role=tab]", root);
  const choose = (wanted) => {
    for (const button of buttons) {
      const chosen = button === wanted;
      button.setAttribute("aria-selected", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
      document.getElementById(button.getAttribute("aria-controls")).hidden = !chosen;
    }
  };
  buttons.forEach((button, index) => {
    button.addEventListener("click", () => choose(button));
    button.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = buttons[(index + step + buttons.length) % buttons.length];
      choose(next);
      next.focus();
    });
  });
}

function cell(text, css = "") {
  return make("td", css, text);
}

export function ordersPane(root, facts, onMine) {
  const pane = $(".panel-orders", root);
  const everywhere = $("[data-all-markets]", pane);
  const cancelAll = $("[data-cancel-all]", pane);
  let open = new Map();
  let fills = [];

  tabs(pane);
  $("[data-all-tool]", pane).hidden = false;
  everywhere.addEventListener("change", () => draw());

  const priced = (each, price) => (each.market === facts.symbol ? decimal.column(price, facts.priceDecimals) : decimal.grouped(price));
  const here = (each) => everywhere.checked || each.market === facts.symbol;

  function orderRow(order) {
    const row = make("tr");
    const button = make("button", "button button-small", "Cancel");
    button.type = "button";
    button.setAttribute("aria-label", `Cancel order ${order.id}`);
    button.addEventListener("click", () => cancel(order, button));
    const last = make("td");
    last.append(button);
    const amount = order.quantity ?? order.quote_amount;
    row.append(
      cell(order.market),
      cell(order.side === "buy" ? "Buy" : "Sell", order.side === "buy" ? "up" : "down"),
      cell(order.price ? priced(order, order.price) : "Market", "right num"),
      cell(decimal.grouped(amount), "right num"),
      cell(decimal.grouped(order.filled_quantity), "right num"),
      cell(clock(order.created_at), "mid-only faint"),
      last,
    );
    return row;
  }

  function fillRow(fill) {
    const row = make("tr");
    row.append(
      cell(fill.market),
      cell(fill.side === "buy" ? "Buy" : "Sell", fill.side === "buy" ? "up" : "down"),
      cell(priced(fill, fill.price), "right num"),
      cell(decimal.grouped(fill.quantity), "right num"),
      cell(`${decimal.grouped(fill.fee)} ${fill.fee_asset}`, "right num"),
      cell(clock(fill.time), "mid-only faint"),
    );
    return row;
  }

  const draw = eachFrame(() => {
    const shown = [...open.values()].filter(here).sort((a, b) => b.id - a.id);
    $("[data-open]", pane).replaceChildren(...shown.map(orderRow));
    $("[data-open-table]", pane).hidden = shown.length === 0;
    $("[data-open-empty]", pane).hidden = shown.length > 0;
    setText($("[data-open-count]", pane), String(shown.length));
    cancelAll.hidden = shown.length < 2;
    const traded = fills.filter(here);
    $("[data-fills]", pane).replaceChildren(...traded.map(fillRow));
    $("[data-fills-table]", pane).hidden = traded.length === 0;
    $("[data-fills-empty]", pane).hidden = traded.length > 0;
    onMine(
      [...open.values()]
        .filter((order) => order.market === facts.symbol && order.price)
        .map((order) => ({ side: order.side === "buy" ? "bids" : "asks", tick: decimal.parse(order.price, facts.priceDecimals) })),
    );
  });

  async function cancel(order, button) {
    if (button) button.disabled = true;
    try {
      const answer = await api.remove(`/orders/${order.id}`);
      settle([answer]);
      return true;
    } catch (error) {
      if (button) button.disabled = false;
      toast("Not cancelled", { detail: error.message, look: "bad" });
      return false;
    }
  }

  cancelAll.addEventListener("click", async () => {
    const list = [...open.values()].filter(here);
    if (!confirm(`Cancel ${list.length} open orders?`)) return;
    cancelAll.disabled = true;
    for (const order of list) await cancel(order);
    cancelAll.disabled = false;
  });

  /** Takes orders as they are now; those that ended leave the list, and say so once. */
  function settle(orders) {
    for (const order of orders) {
      const before = open.get(order.id);
      if (order.state === "open") open.set(order.id, order);
      else {
        open.delete(order.id);
        if (before) farewell(order);
      }
    }
    draw();
  }

  function farewell(order) {
    const base = order.market.split("-")[0];
    const what = `${order.side === "buy" ? "Buy" : "Sell"} ${base}`;
    if (order.state === "filled") toast(`${what}: filled`, { detail: `${decimal.grouped(order.filled_quantity)} ${base} at ${decimal.grouped(order.average_price)}`, look: "ok" });
    else toast(`${what}: cancelled`, { detail: order.filled_quantity === "0" ? "What it held is available again." : `${decimal.grouped(order.filled_quantity)} ${base} had been filled.` });
  }

  return {
    receiveOrders(type, data) {
      if (type === "gap") return;
      if (type === "snapshot") {
        open = new Map(data.orders.map((order) => [order.id, order]));
        draw();
      } else settle(data.orders);
    },
    receiveFills(type, data) {
      if (type === "gap") return;
      const newest = [...data.fills].reverse();
      const key = (fill) => `${fill.id}:${fill.order_id}`;
      const known = new Set(type === "snapshot" ? [] : fills.map(key));
      fills = [...newest.filter((fill) => !known.has(key(fill))), ...(type === "snapshot" ? [] : fills)].slice(0, FILLS_KEPT);
      draw();
    },
  };
}
