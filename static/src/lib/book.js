/**
 * An order book kept from a snapshot and numbered updates. Pure: no page, no clock.
 *
 * An update that starts after the next number means something was lost: the book then refuses to guess and says "gap".
 */
import * as decimal from "./decimal.js";

class Side {
  constructor(descending) {
    this.descending = descending;
    this.levels = [];
  }

  /** Index of `tick`, or of where it would stand. */
  find(tick) {
    let low = 0;
    let high = this.levels.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const before = this.descending ? this.levels[middle].tick > tick : this.levels[middle].tick < tick;
      if (before) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  set(tick, quantity) {
    const index = this.find(tick);
    const stands = index < this.levels.length && this.levels[index].tick === tick;
    if (quantity === 0n) {
      if (stands) this.levels.splice(index, 1);
    } else if (stands) {
      this.levels[index].quantity = quantity;
    } else {
      this.levels.splice(index, 0, { tick, quantity });
    }
  }
}

export class Book {
  constructor({ priceDecimals, quantityDecimals }) {
    this.priceDecimals = priceDecimals;
    this.quantityDecimals = quantityDecimals;
    this.sequence = null;
    this.bids = new Side(true);
    this.asks = new Side(false);
  }

  snapshot({ u, bids, asks }) {
    this.bids = new Side(true);
    this.asks = new Side(false);
    this.#apply(this.bids, bids);
    this.#apply(this.asks, asks);
    this.sequence = u;
  }

  /** "applied", "old" (we have it already) or "gap" (something is missing: ask for a snapshot). */
  update({ U, u, bids, asks }) {
    if (this.sequence === null || U > this.sequence + 1) return "gap";
    if (u <= this.sequence) return "old";
    this.#apply(this.bids, bids);
    this.#apply(this.asks, asks);
    this.sequence = u;
    return "applied";
  }

  #apply(side, levels) {
    for (const [price, quantity] of levels) {
      const tick = decimal.parse(price, this.priceDecimals);
      const units = decimal.parse(quantity, this.quantityDecimals);
      if (tick !== null && units !== null) side.set(tick, units);
    }
  }

  /** The best `count` levels, merged into steps of `step` ticks: [{tick, quantity, total}], total running from the best. */
  levels(name, count, step = 1n) {
    const merged = [];
    let total = 0n;
    for (const { tick, quantity } of this[name].levels) {
      const at = name === "bids" ? (tick / step) * step : ((tick + step - 1n) / step) * step;
      total += quantity;
      const last = merged.at(-1);
      if (last && last.tick === at) {
        last.quantity += quantity;
        last.total = total;
      } else {
        if (merged.length === count) break;
        merged.push({ tick: at, quantity, total });
      }
    }
    return merged;
  }

  best(name) {
    return this[name].levels[0]?.tick ?? null;
  }

  /**
   * What taking from a side would do: `{quantity, cost, worst}` with cost in price × quantity units, for a wanted base quantity or
   * a budget (in the same units as cost); null where the side is empty.
   */
  take(name, { quantity = null, budget = null }) {
    let taken = 0n;
    let cost = 0n;
    let worst = null;
    for (const level of this[name].levels) {
      let part = level.quantity;
      if (quantity !== null && part > quantity - taken) part = quantity - taken;
      if (budget !== null && part * level.tick > budget - cost) part = (budget - cost) / level.tick;
      if (part <= 0n) break;
      taken += part;
      cost += part * level.tick;
      worst = level.tick;
    }
    return worst === null ? null : { quantity: taken, cost, worst };
  }
}
