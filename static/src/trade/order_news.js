/** What happened to an order, in a sentence. */
import * as decimal from "../lib/decimal.js";
import { toast } from "../lib/toast.js";

const REASONS = {
  self_trade: "The rest would have met an order of your own.",
  no_liquidity: "The rest found no counterpart.",
  slippage: "The rest would have cost more than its limit.",
};

function title(order) {
  return `${order.side === "buy" ? "Buy" : "Sell"} ${order.market.split("-")[0]}`;
}

function filled(order, places) {
  const base = order.market.split("-")[0];
  const at = order.average_price ? ` at ${places === undefined ? decimal.grouped(order.average_price) : decimal.column(order.average_price, places)}` : "";
  return `${decimal.grouped(order.filled_quantity)} ${base}${at}`;
}

/** An order that was just sent. */
export function tellPlaced(order, facts) {
  const what = title(order);
  const some = order.filled_quantity !== "0";
  if (order.state === "filled") toast(`${what}: filled`, { detail: filled(order, facts.priceDecimals), look: "ok" });
  else if (order.state === "open") {
    const detail = some ? `${filled(order, facts.priceDecimals)} so far` : `at ${decimal.column(order.price, facts.priceDecimals)}`;
    toast(`${what}: on the book`, { detail, look: "ok" });
  } else if (order.state === "pending") {
    toast(`${what}: waits`, { detail: `for ${decimal.column(order.stop_price, facts.priceDecimals)}`, look: "ok" });
  } else if (some) toast(`${what}: partly filled`, { detail: `${filled(order, facts.priceDecimals)}. ${REASONS[order.reason] ?? ""}`, look: "ok" });
  else toast(`${what}: not filled`, { detail: order.reason === "self_trade" ? "It would have met an order of your own." : "Nobody is on the other side.", look: "bad" });
}

/** An open order that left the book. */
export function tellEnded(order) {
  if (order.state === "filled") toast(`${title(order)}: filled`, { detail: filled(order), look: "ok" });
  else if (order.filled_quantity === "0") toast(`${title(order)}: ${order.state}`, { detail: "What it held is available again." });
  else toast(`${title(order)}: ${order.state}`, { detail: `${filled(order)} had been filled.` });
}
