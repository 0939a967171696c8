/** Steps that an order book can be grouped by. Pure. */

const GROUPS_MOST = 6;
/** The coarsest step is at most this part of the price: beyond it a book is one line. */
const COARSEST = 500n;

/** From one tick by tens, as coarse as the price allows. */
export function groups(tick, price) {
  const found = [tick];
  while (found.length < GROUPS_MOST && (price === null ? found.length < 4 : found.at(-1) * 10n * COARSEST <= price)) found.push(found.at(-1) * 10n);
  return found;
}

/** The level that a price falls into: bids round down, asks up, so a group never looks better than what is in it. */
export function nearest(side, tick, step) {
  return side === "bids" ? (tick / step) * step : ((tick + step - 1n) / step) * step;
}
