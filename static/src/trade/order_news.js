/** What happened to an order, as {title, detail, look}: each piece of news is told once, whichever way it came first. Pure. */
import * as decimal from "../lib/decimal.js";
import { t } from "../lib/words.js";
import { base, filledText, reasonWord, title } from "./order_words.js";

const isSome = (order) => order.filled_quantity !== "0";
const at = (order, places) => t("at {price}", { price: decimal.column(order.price, places) });

/** An order that was just sent. */
export function placed(order, places) {
  const what = title(order);
  if (order.state === "filled") return { title: t("{order}: filled", { order: what }), detail: filledText(order, places), look: "ok" };
  if (order.state === "open") {
    const detail = isSome(order) ? t("{filled} so far", { filled: filledText(order, places) }) : at(order, places);
    return { title: t("{order}: on the book", { order: what }), detail, look: "ok" };
  }
  if (order.state === "pending") {
    const detail = order.stop_price ? t("for {price}", { price: decimal.column(order.stop_price, places) }) : "";
    return { title: t("{order}: waits", { order: what }), detail, look: "ok" };
  }
  if (isSome(order)) return { title: t("{order}: partly filled", { order: what }), detail: `${filledText(order, places)}. ${reasonWord(order.reason)}`, look: "ok" };
  return { title: t("{order}: not filled", { order: what }), detail: reasonWord(order.reason), look: "bad" };
}

/** A pair that was just sent. */
export function placedPair({ limit, stop }, places) {
  const prices = { limit: decimal.column(limit.price, places), stop: decimal.column(stop.stop_price, places) };
  return { title: t("{order}: a pair waits", { order: title(limit) }), detail: t("for {limit}, or for {stop}", prices), look: "ok" };
}

export function amended(order, places) {
  if (order.state !== "open" && order.state !== "pending") return placed(order, places);
  const detail = order.price ? at(order, places) : t("for {price}", { price: decimal.column(order.stop_price, places) });
  return { title: t("{order}: changed", { order: title(order) }), detail, look: "ok" };
}

/** What is new in an order that was known as `before`; null where it is nothing to tell. */
export function changed(before, order, places) {
  const what = title(order);
  if (order.state === "filled") return { title: t("{order}: filled", { order: what }), detail: filledText(order, places), look: "ok" };
  if (order.state === "cancelled" || order.state === "expired") {
    const ended = order.state === "expired" ? t("{order}: expired", { order: what }) : t("{order}: cancelled", { order: what });
    const rest = isSome(order) ? t("{filled} had been filled.", { filled: filledText(order, places) }) : t("What it held is available again.");
    const why = order.reason === "user" || order.reason === "expired" ? "" : reasonWord(order.reason);
    return { title: ended, detail: why ? `${why} ${rest}` : rest, look: "" };
  }
  if (order.filled_quantity !== before.filled_quantity) {
    const amounts = { filled: decimal.grouped(order.filled_quantity), quantity: decimal.grouped(order.quantity ?? ""), asset: base(order) };
    const detail = order.quantity ? t("{filled} of {quantity} {asset}", amounts) : filledText(order, places);
    return { title: t("{order}: partly filled", { order: what }), detail, look: "ok" };
  }
  if (before.state === "pending" && order.state === "open") return { title: t("{order}: set off, on the book", { order: what }), detail: at(order, places), look: "ok" };
  return null;
}
