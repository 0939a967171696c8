/** The depth of a book as two staircases. Pure: levels of BigInt in, points from 0 to 1 out; pixels are not money. */

const STEPS_MOST = 400;
/** By itself the plot shows this part of what stands within so many percent: one far order must not make it flat. */
const [MOST_OF_IT, WITHIN_PERCENT] = [80n, 10];

/** Running totals from the best price outwards, as far as `reach` ticks from the middle. */
function stairs(levels, within) {
  const found = [];
  let total = 0n;
  for (const { tick, quantity } of levels) {
    if (!within(tick)) break;
    total += quantity;
    found.push({ tick, total });
  }
  return found;
}

/** Thins a staircase to what a plot can show, keeping its end. */
function thinned(steps) {
  const every = Math.ceil(steps.length / STEPS_MOST);
  return every < 2 ? steps : steps.filter((_, index) => index % every === 0 || index === steps.length - 1);
}

const away = (middle, percent) => BigInt(Math.max(1, Math.round((Number(middle) * percent) / 100)));

/** How far from the middle most of a side stands. */
function bulk(levels, middle) {
  const widest = away(middle, WITHIN_PERCENT);
  const near = levels.filter(({ tick }) => (tick > middle ? tick - middle : middle - tick) <= widest);
  const all = near.reduce((sum, { quantity }) => sum + quantity, 0n);
  let total = 0n;
  for (const { tick, quantity } of near) {
    total += quantity;
    if (total * 100n >= all * MOST_OF_IT) return tick > middle ? tick - middle : middle - tick;
  }
  return 0n;
}

/**
 * {middle, low, high, most, bids, asks} or null while a side is empty. `low`…`high` are as far from the middle on both sides: `percent`
 * of it (0: so that most of the book is seen), or less where the book ends sooner. Each side: [{tick, total, x, y}], best first, y = 1 at the deepest.
 */
export function depth(book, percent) {
  const [bid, ask] = [book.best("bids"), book.best("asks")];
  if (bid === null || ask === null) return null;
  const middle = (bid + ask) / 2n;
  const far = [middle - book.bids.levels.at(-1).tick, book.asks.levels.at(-1).tick - middle];
  const bulks = [bulk(book.bids.levels, middle), bulk(book.asks.levels, middle)];
  const asked = percent ? away(middle, percent) : ((bulks[0] > bulks[1] ? bulks[0] : bulks[1]) * 5n) / 4n;
  const widest = ((far[0] > far[1] ? far[0] : far[1]) * 5n) / 4n; // with room beyond the last level, so that its step is seen
  const reach = (asked < widest ? asked : widest) || 1n;
  const [low, high] = [middle - reach, middle + reach];
  const bids = thinned(stairs(book.bids.levels, (tick) => tick >= low));
  const asks = thinned(stairs(book.asks.levels, (tick) => tick <= high));
  const most = [...bids.slice(-1), ...asks.slice(-1)].reduce((top, { total }) => (total > top ? total : top), 1n);
  const point = ({ tick, total }) => ({ tick, total, x: Number(tick - low) / Number(high - low), y: Number((total * 10_000n) / most) / 10_000 });
  return { middle, low, high, most, bids: bids.map(point), asks: asks.map(point) };
}

/** The staircase as the path of a filled shape in a box of `width` × `height`; `edge` is the x where the side ends. */
export function path(points, width, height, edge) {
  if (!points.length) return { line: "", area: "" };
  const at = (value) => Math.round(value * 10) / 10;
  const parts = [`M${at(points[0].x * width)} ${height}`];
  for (const { x, y } of points) parts.push(`H${at(x * width)}`, `V${at(height - y * height * 0.92)}`);
  parts.push(`H${at(edge * width)}`);
  const line = parts.join("");
  return { line, area: `${line}V${height}Z` };
}

/** The level under a place from 0 to 1 across the plot: what one would have to go through to get there. */
export function under(shape, x) {
  const side = x < Number(shape.middle - shape.low) / Number(shape.high - shape.low) ? "bids" : "asks";
  const reached = shape[side].filter((point) => (side === "bids" ? point.x >= x : point.x <= x));
  const found = reached.at(-1);
  return found ? { side, ...found } : null;
}
