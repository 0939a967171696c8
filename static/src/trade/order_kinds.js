/**
 * Every kind of order that the engine has, and which fields of the form each one needs. Pure: the form draws itself by this table,
 * and what is sent is put together here, so that no field of another kind ever goes along.
 */
import * as decimal from "../lib/decimal.js";

const LASTING = ["GTC", "GTD"];

/** `fields` are shown and needed; `may` can be given; `total`: for which sides the quote amount can stand for the quantity. */
export const KINDS = {
  limit: { fields: ["price", "quantity"], may: ["post_only", "display_quantity", "self_trade"], times: ["GTC", "GTD", "IOC", "FOK"], total: [] },
  market: { fields: ["quantity"], may: ["slippage", "self_trade"], times: ["IOC", "FOK"], total: ["buy", "sell"] },
  stop: { fields: ["stop_price", "quantity"], may: ["slippage", "self_trade"], times: LASTING, total: ["buy"] },
  stop_limit: { fields: ["stop_price", "price", "quantity"], may: ["self_trade"], times: LASTING, total: [] },
  take_profit: { fields: ["stop_price", "quantity"], may: ["slippage", "self_trade"], times: LASTING, total: ["buy"] },
  take_profit_limit: { fields: ["stop_price", "price", "quantity"], may: ["self_trade"], times: LASTING, total: [] },
  trailing_stop: { fields: ["trail", "quantity"], may: ["slippage", "self_trade"], times: LASTING, total: [] },
  oco: { fields: ["price", "stop_price", "quantity"], may: ["stop_limit_price", "slippage", "self_trade"], times: LASTING, total: [] },
};

export const CONDITIONAL = Object.keys(KINDS).filter((name) => name !== "limit" && name !== "market");

/** Whether a field of the form belongs to what is being written. */
export function shows(order, field) {
  const kind = KINDS[order.kind];
  if (field === "total") return order.kind !== "trailing_stop";
  if (field === "expires_at") return order.time === "GTD";
  if (field === "slippage" && order.kind === "oco") return !order.stop_limit_price;
  if (field === "post_only" || field === "display_quantity") return kind.may.includes(field) && LASTING.includes(order.time);
  return kind.fields.includes(field) || kind.may.includes(field);
}

/** Whether the quote amount is what is sent, and the quantity only an estimate. */
export const byTotal = (order) => order.given === "total" && KINDS[order.kind].total.includes(order.side);

/** A pair sells with the limit above and the stop below; it is one command of its own. */
export const operation = (order) => (order.kind === "oco" ? "oco" : "place");

/** What is sent: {op, …}. `order` holds the form's texts; a text that is empty where it may be is left out. */
export function command(order, facts, clientOrderId) {
  const said = { op: operation(order), market: facts.symbol, side: order.side, client_order_id: clientOrderId };
  if (order.kind !== "oco") said.type = order.kind;
  const { times, fields, may } = KINDS[order.kind];
  if (order.time !== times[0]) said.time_in_force = order.time;
  if (order.time === "GTD") said.expires_at = new Date(order.expires_at).toISOString();
  for (const name of fields) if (name !== "quantity" && name !== "trail") said[name] = order[name];
  if (order.kind === "trailing_stop") said[order.trail_unit === "percent" ? "trail_percent" : "trail"] = order.trail;
  if (byTotal(order)) said.quote_amount = order.total;
  else said.quantity = order.quantity;
  for (const name of may) {
    if (!shows(order, name)) continue;
    if (name === "post_only") {
      if (order.post_only) said.post_only = true;
    } else if (name === "self_trade") {
      if (order.self_trade && order.self_trade !== "cancel_newest") said.self_trade = order.self_trade;
    } else if (order[name]) said[name] = order[name];
  }
  return said;
}

/**
 * The first thing that is wrong with the order, {field, code, …} with what its sentence needs; null where nothing is. What only the
 * engine can know (funds of this moment, the price band) is left to it: its refusal is shown at the same place.
 */
export function fault(order, facts, { last = null, now = Date.now() } = {}) {
  const wanted = KINDS[order.kind].fields.map((name) => (name === "quantity" && byTotal(order) ? "total" : name));
  if (order.kind === "oco" && order.stop_limit_price) wanted.push("stop_limit_price");
  for (const name of wanted) if (!order[name]) return { field: name, code: "missing" };
  for (const name of wanted) {
    const found = unfit(name, order, facts);
    if (found) return found;
  }
  if (order.time === "GTD") {
    const until = Date.parse(order.expires_at);
    if (Number.isNaN(until)) return { field: "expires_at", code: "missing" };
    if (until <= now) return { field: "expires_at", code: "past" };
  }
  const shown = shows(order, "display_quantity") && order.display_quantity ? decimal.parse(order.display_quantity, facts.quantityDecimals) : null;
  if (shown !== null && shown > (decimal.parse(order.quantity, facts.quantityDecimals) ?? 0n)) return { field: "display_quantity", code: "shows_all" };
  return small(order, facts) ?? reached(order, facts, last);
}

const GRID = { price: "tick", stop_price: "tick", stop_limit_price: "tick", quantity: "lot", total: "quote" };

function unfit(name, order, facts) {
  if (name === "trail") {
    const places = order.trail_unit === "percent" ? 4 : facts.priceDecimals;
    return decimal.parse(order.trail, places) ? null : { field: name, code: "number" };
  }
  const places = { tick: facts.priceDecimals, lot: facts.quantityDecimals, quote: facts.quoteDecimals }[GRID[name]];
  const units = decimal.parse(order[name], places);
  if (units === null && decimal.parse(order[name], 30) === null) return { field: name, code: "number" };
  const step = { tick: facts.tickSize, lot: facts.lotSize, quote: null }[GRID[name]];
  if (units === null || (step && units % decimal.parse(step, places))) return { field: name, code: "step", step: step ?? decimal.format(1n, places) };
  return units ? null : { field: name, code: "number" };
}

/** Below the market's smallest order, where its worth is known. */
function small(order, facts) {
  const least = decimal.parse(facts.minNotional, facts.quoteDecimals);
  const total = decimal.parse(order.total, facts.quoteDecimals);
  if (!least || !total || total >= least || order.kind === "trailing_stop") return null;
  return { field: byTotal(order) ? "total" : "quantity", code: "small", least: facts.minNotional, quote: facts.quote };
}

/** A trigger that the last price has reached already; the engine would refuse it. A stop buys above and sells below. */
function reached(order, facts, last) {
  if (!order.stop_price || last === null || !shows(order, "stop_price")) return null;
  const stop = decimal.parse(order.stop_price, facts.priceDecimals);
  const above = (order.side === "buy") !== order.kind.startsWith("take_profit");
  if (above ? stop > last : stop < last) return null;
  return { field: "stop_price", code: above ? "stop_not_above" : "stop_not_below" };
}
