/** One line of a table for an order or a fill; the same on every tab. */
import * as decimal from "../lib/decimal.js";
import { make } from "../lib/dom.js";
import { regional, t } from "../lib/words.js";
import { kindWord, priceText, reasonWord, sideWord, stateWord, terms } from "./order_words.js";

const cell = (text, css = "") => make("td", css, text);

function moment(iso) {
  const at = new Date(iso);
  const today = at.toDateString() === new Date().toDateString();
  const time = make("time", "", today ? at.toLocaleTimeString(regional, { hour12: false }) : at.toLocaleDateString(regional, { dateStyle: "short" }));
  time.dateTime = iso;
  time.title = at.toLocaleString(regional);
  const found = make("td", "mid-only faint nowrap");
  found.append(time);
  return found;
}

const tone = (each) => (each.side === "buy" ? "up" : "down");
const side = (each) => cell(sideWord(each.side), `mid-only ${tone(each)}`);

/** Market above, what is special about the order below it; on a phone its side too, which has no column there. */
function name(order) {
  const box = make("td");
  const words = [kindWord(order.type), ...terms(order)].join(" · ");
  box.append(make("span", "block", order.market), make("span", `phone-only small ${tone(order)}`, sideWord(order.side)), make("span", "block tiny faint", words));
  return box;
}

/** A price, and on a phone the amount below it. */
function price(text, amounts) {
  const box = make("td", "right num");
  box.append(make("span", "block", text), make("span", "phone-only tiny faint", amounts));
  return box;
}

const size = (order, places) =>
  order.quantity ? amount(order.quantity, places) : t("{amount} in all", { amount: decimal.grouped(order.quote_amount) });
const amount = (text, places) => (places === undefined ? decimal.grouped(text) : decimal.column(text, places));

/** "0.04 / 0.1": filled, and of how much. */
const progress = (order, places) => (order.filled_quantity === "0" ? size(order, places) : `${amount(order.filled_quantity, places)} / ${size(order, places)}`);

/** The part that is filled, as a bar under the figure too. */
function filled(order, places) {
  const box = make("td", "right num mid-only");
  box.append(make("span", "block", amount(order.filled_quantity, places)));
  if (order.quantity && order.filled_quantity !== "0") {
    const bar = make("progress", "filled");
    bar.max = 1;
    bar.value = Number(order.filled_quantity) / Number(order.quantity);
    bar.setAttribute("aria-label", t("Filled"));
    box.append(bar);
  }
  return box;
}

function button(words, label, act) {
  const made = make("button", "button button-small", words);
  made.type = "button";
  made.setAttribute("aria-label", label);
  made.addEventListener("click", () => act(made));
  return made;
}

/** `places` are the decimals of the page's own market, for orders of it. */
export function openRow(order, places, { onAmend, onCancel }) {
  const row = make("tr");
  const tools = make("td", "row-tools");
  if (!order.oco_order_id) tools.append(button(t("Change"), t("Change order {id}", { id: order.id }), () => onAmend(order)));
  tools.append(button(t("Cancel"), t("Cancel order {id}", { id: order.id }), (pressed) => onCancel(order, pressed)));
  row.append(
    name(order),
    side(order),
    price(priceText(order, places?.price), progress(order, places?.quantity)),
    cell(size(order, places?.quantity), "right num mid-only"),
    filled(order, places?.quantity),
    moment(order.created_at),
    tools,
  );
  row.dataset.order = order.id;
  return row;
}

export function pastRow(order, places) {
  const row = make("tr");
  const state = make("td", "right");
  const badge = make("span", order.state === "filled" ? "badge badge-ok" : "badge", stateWord(order.state));
  badge.title = reasonWord(order.reason);
  state.append(badge);
  const average = order.average_price && (places ? decimal.cut(order.average_price, places.price) : decimal.grouped(order.average_price));
  row.append(
    name(order),
    side(order),
    price(average || priceText(order, places?.price), progress(order, places?.quantity)),
    cell(size(order, places?.quantity), "right num mid-only"),
    filled(order, places?.quantity),
    moment(order.updated_at),
    state,
  );
  return row;
}

function fillName(fill) {
  const box = make("td");
  box.append(make("span", "block", fill.market), make("span", `phone-only small ${tone(fill)}`, sideWord(fill.side)));
  return box;
}

export function fillRow(fill, places) {
  const row = make("tr");
  row.append(
    fillName(fill),
    side(fill),
    cell(places ? decimal.column(fill.price, places.price) : decimal.grouped(fill.price), "right num"),
    cell(amount(fill.quantity, places?.quantity), "right num"),
    cell(`${decimal.grouped(fill.fee)} ${fill.fee_asset}`, "right num"),
    moment(fill.time),
  );
  return row;
}
