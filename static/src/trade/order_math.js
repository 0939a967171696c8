/**
 * What an order would do, added up in BigInt: price ticks × quantity units, so that what is shown before an order is sent is what the
 * engine will do. Pure: facts of the market, a book, and the texts of the form go in; texts and BigInts come out.
 */
import * as decimal from "../lib/decimal.js";
import { byTotal } from "./order_kinds.js";

const PPM = 1_000_000n;
const PERCENT_PLACES = 4; // a millionth is a ten-thousandth of a percent

/** Millionths of a fraction such as "0.001"; below zero it is a rebate. */
function rate(text) {
  return text.startsWith("-") ? -decimal.parse(text.slice(1), 6) : decimal.parse(text, 6);
}

export class OrderMath {
  constructor(facts, book) {
    this.facts = facts;
    this.book = book;
    this.costDecimals = facts.priceDecimals + facts.quantityDecimals;
    this.lot = decimal.parse(facts.lotSize, facts.quantityDecimals);
    this.tick = decimal.parse(facts.tickSize, facts.priceDecimals);
    this.last = null;
    this.setFees(facts.makerFee, facts.takerFee);
  }

  setFees(maker, taker) {
    this.fees = { maker: rate(maker), taker: rate(taker) };
  }

  ticks(text) {
    return decimal.parse(text, this.facts.priceDecimals);
  }

  units(order) {
    return decimal.parse(order.quantity, this.facts.quantityDecimals);
  }

  /** The price that the order's total is reckoned at: its own, its trigger, or null where the book says it (at market). */
  reference(order) {
    if (order.kind === "market") return null;
    if (order.kind === "stop" || order.kind === "take_profit") return this.ticks(order.stop_price);
    if (order.kind === "trailing_stop") return this.#trailed(order);
    return this.ticks(order.price);
  }

  /** Price times quantity as text of the quote asset; at market what the book would ask for it. "" while it is not known. */
  total(order) {
    const units = this.units(order);
    const ticks = this.reference(order);
    if (!units) return "";
    const cost = order.kind === "market" ? this.taking({ ...order, given: "quantity" })?.cost : ticks && ticks * units;
    return cost ? decimal.format(decimal.rescale(cost, this.costDecimals, this.facts.quoteDecimals, true), this.facts.quoteDecimals) : "";
  }

  /** The most whole lots that the total buys, as text, "" where it is none. */
  quantity(order) {
    if (order.kind === "market") return this.#lots(this.taking({ ...order, given: "total" })?.quantity ?? 0n);
    const [ticks, total] = [this.reference(order), decimal.parse(order.total, this.facts.quoteDecimals)];
    return ticks && total ? this.#lots(decimal.rescale(total, this.facts.quoteDecimals, this.costDecimals) / ticks) : "";
  }

  /** A part of what is available: `{field, text}` to fill in, or null while a price is missing. */
  share(order, percent, available) {
    const { facts } = this;
    const part = (available * BigInt(percent)) / 100n;
    if (order.side === "sell") return { field: "quantity", text: this.#lots(decimal.rescale(part, facts.baseDecimals, facts.quantityDecimals)) };
    if (order.kind === "market") return { field: "total", text: decimal.format(part, facts.quoteDecimals) };
    const worst = this.worst(order);
    if (!worst) return null;
    return { field: "quantity", text: this.#lots(decimal.rescale(part, facts.quoteDecimals, this.costDecimals) / worst) };
  }

  /** The highest price a purchase may come to, which is what it holds money for: a pair holds the dearer of its two. */
  worst(order) {
    const limit = this.ticks(order.price);
    if (order.kind === "oco") {
      const stop = order.stop_limit_price ? this.ticks(order.stop_limit_price) : this.#capped(this.ticks(order.stop_price), order);
      return limit && stop ? (limit > stop ? limit : stop) : null;
    }
    if (order.kind === "limit" || order.kind.endsWith("_limit")) return limit;
    return this.#capped(this.reference(order), order);
  }

  /** What is set aside until it fills or ends: {units, decimals, code}; null at market and while something is missing. */
  hold(order) {
    const { facts } = this;
    const units = this.units(order);
    if (order.kind === "market") return null;
    if (order.side === "sell") return units && { units: decimal.rescale(units, facts.quantityDecimals, facts.baseDecimals), decimals: facts.baseDecimals, code: facts.base };
    if (byTotal(order)) return this.#inQuote(decimal.parse(order.total, facts.quoteDecimals));
    const worst = this.worst(order);
    return units && worst ? this.#inQuote(decimal.rescale(units * worst, this.costDecimals, facts.quoteDecimals, true)) : null;
  }

  /** Whether the order meets the book at once and pays the taker's fee. One that waits for a price is taken to; a pair's limit rests. */
  crosses(order) {
    if (order.kind === "oco") return false;
    if (order.kind !== "limit") return true;
    if (order.post_only) return false;
    const [best, ticks] = [this.book.best(order.side === "buy" ? "asks" : "bids"), this.ticks(order.price)];
    if (best === null || ticks === null) return false;
    return order.side === "buy" ? ticks >= best : ticks <= best;
  }

  /** What a market order would find on the book as it stands: {quantity, cost, worst} or null. */
  taking(order) {
    if (order.kind !== "market") return null;
    const side = order.side === "buy" ? "asks" : "bids";
    if (order.given !== "total") return this.#found(side, { quantity: this.units(order) });
    const budget = decimal.parse(order.total, this.facts.quoteDecimals);
    return this.#found(side, { budget: budget && decimal.rescale(budget, this.facts.quoteDecimals, this.costDecimals) });
  }

  /**
   * {rate, fee, net, average, short}: the fee in millionths, the fee and what is left in the asset received (null while unknown), the
   * average price of a market order, and whether the book holds too little for it. A fee rounds up, a rebate towards zero.
   */
  outcome(order) {
    const rate = this.crosses(order) ? this.fees.taker : this.fees.maker;
    const taking = this.taking(order);
    const gross = this.#gross(order, taking);
    const fee = gross === null ? null : (gross * rate + (rate > 0n ? PPM - 1n : 0n)) / PPM;
    const units = order.given === "total" ? null : this.units(order);
    return {
      rate,
      fee,
      net: fee === null ? null : gross - fee,
      average: taking && taking.cost / taking.quantity,
      short: Boolean(taking && units && taking.quantity < units),
    };
  }

  /** A text one step further up or down, by the arrow keys; an empty field starts from `from`. */
  stepped(text, { up, times = 1n, places, step, from = null }) {
    const units = decimal.parse(text, places);
    if (units === null && from === null) return text;
    const next = (units ?? from) + (up ? step : -step) * (units === null ? 0n : times);
    return next > 0n ? decimal.format(next, places) : text;
  }

  #gross(order, taking) {
    const { facts } = this;
    const market = order.kind === "market";
    let units = market ? taking?.quantity : this.units(order);
    const ticks = this.reference(order) ?? 0n;
    if (byTotal(order) && !market) units = decimal.parse(this.quantity(order), facts.quantityDecimals);
    const cost = market ? taking?.cost : ticks * (units ?? 0n);
    if (!units || !cost) return null;
    return order.side === "buy"
      ? decimal.rescale(units, facts.quantityDecimals, facts.baseDecimals)
      : decimal.rescale(cost, this.costDecimals, facts.quoteDecimals);
  }

  /** Where a trailing stop would stand now. */
  #trailed(order) {
    if (this.last === null) return null;
    const percent = order.trail_unit === "percent";
    const given = decimal.parse(order.trail, percent ? PERCENT_PLACES : this.facts.priceDecimals);
    if (!given) return null;
    const offset = percent ? this.#onGrid((this.last * given) / PPM) : given;
    const at = order.side === "buy" ? this.last + offset : this.last - offset;
    return at > 0n ? at : null;
  }

  #onGrid(ticks) {
    const whole = ticks - (ticks % this.tick);
    return whole > this.tick ? whole : this.tick;
  }

  /** How far a purchase at market may go from where it starts. */
  #capped(ticks, order) {
    const slippage = decimal.parse(order.slippage || this.facts.slippage, PERCENT_PLACES) ?? 0n;
    return ticks && (ticks * (PPM + slippage)) / PPM;
  }

  #inQuote(units) {
    return units && { units, decimals: this.facts.quoteDecimals, code: this.facts.quote };
  }

  #found(side, wanted) {
    return Object.values(wanted).every(Boolean) ? this.book.take(side, wanted) : null;
  }

  #lots(units) {
    const whole = units - (units % this.lot);
    return whole ? decimal.format(whole, this.facts.quantityDecimals) : "";
  }
}
