/**
 * What an order would do, added up in BigInt: price ticks × quantity units, so that what is shown before an order is sent is what the
 * engine will do. Pure: facts of the market, a book, and the texts of the form go in; texts and BigInts come out.
 */
import * as decimal from "../lib/decimal.js";

const PPM = 1_000_000n;

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
    this.fees = { maker: rate(facts.makerFee), taker: rate(facts.takerFee) };
  }

  ticks(order) {
    return decimal.parse(order.price, this.facts.priceDecimals);
  }

  units(order) {
    return decimal.parse(order.quantity, this.facts.quantityDecimals);
  }

  /** A market purchase is given by what it spends; everything else by its quantity. */
  static byTotal(order) {
    return order.type === "market" && order.side === "buy";
  }

  /** Price times quantity as text of the quote asset, "" while either is missing. */
  total(order) {
    const [ticks, units] = [this.ticks(order), this.units(order)];
    if (!ticks || !units) return "";
    return decimal.format(decimal.rescale(ticks * units, this.costDecimals, this.facts.quoteDecimals, true), this.facts.quoteDecimals);
  }

  /** The most whole lots that the total buys at the price, as text, "" where it is none. */
  quantity(order) {
    const [ticks, total] = [this.ticks(order), decimal.parse(order.total, this.facts.quoteDecimals)];
    return ticks && total ? this.#lots(decimal.rescale(total, this.facts.quoteDecimals, this.costDecimals) / ticks) : "";
  }

  /** A part of what is available: `{field, text}` to fill in, or null while the price is missing. */
  share(order, percent, available) {
    const { facts } = this;
    const part = (available * BigInt(percent)) / 100n;
    if (OrderMath.byTotal(order)) return { field: "total", text: decimal.format(part, facts.quoteDecimals) };
    if (order.side === "sell") return { field: "quantity", text: this.#lots(decimal.rescale(part, facts.baseDecimals, facts.quantityDecimals)) };
    const ticks = this.ticks(order);
    if (!ticks) return null;
    return { field: "quantity", text: this.#lots(decimal.rescale(part, facts.quoteDecimals, this.costDecimals) / ticks) };
  }

  /** Whether the order meets the book at once and pays the taker's fee. One that waits for a price is taken to. */
  crosses(order) {
    if (order.type !== "limit") return true;
    const [best, ticks] = [this.book.best(order.side === "buy" ? "asks" : "bids"), this.ticks(order)];
    if (best === null || ticks === null) return false;
    return order.side === "buy" ? ticks >= best : ticks <= best;
  }

  /** What a market order would find on the book as it stands: {quantity, cost, worst} or null. */
  taking(order) {
    if (order.type !== "market") return null;
    if (order.side === "sell") return this.#found("bids", { quantity: this.units(order) });
    const budget = decimal.parse(order.total, this.facts.quoteDecimals);
    return this.#found("asks", { budget: budget && decimal.rescale(budget, this.facts.quoteDecimals, this.costDecimals) });
  }

  /** {rate, fee, net, average}: the fee in millionths, the fee and what is left in the asset received; null while unknown.
   * A fee rounds up, a rebate (below zero) towards zero. */
  outcome(order) {
    const rate = this.crosses(order) ? this.fees.taker : this.fees.maker;
    const taking = this.taking(order);
    const gross = this.#gross(order, taking);
    const fee = gross === null ? null : (gross * rate + (rate > 0n ? PPM - 1n : 0n)) / PPM;
    return { rate, fee, net: fee === null ? null : gross - fee, average: taking && taking.cost / taking.quantity };
  }

  #gross(order, taking) {
    const { facts } = this;
    const market = order.type === "market";
    const units = market ? taking?.quantity : this.units(order);
    const cost = market ? taking?.cost : (this.ticks(order) ?? 0n) * (units ?? 0n);
    if (!units || !cost) return null;
    return order.side === "buy"
      ? decimal.rescale(units, facts.quantityDecimals, facts.baseDecimals)
      : decimal.rescale(cost, this.costDecimals, facts.quoteDecimals);
  }

  #found(side, wanted) {
    return Object.values(wanted).every(Boolean) ? this.book.take(side, wanted) : null;
  }

  #lots(units) {
    const whole = units - (units % this.lot);
    return whole ? decimal.format(whole, this.facts.quantityDecimals) : "";
  }
}
