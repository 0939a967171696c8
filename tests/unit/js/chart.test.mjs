import assert from "node:assert/strict";
import { test } from "node:test";
import { Book } from "../../../static/src/lib/book.js";
import { CandleStore } from "../../../static/src/trade/candle_store.js";
import { depth, path, under } from "../../../static/src/trade/depth.js";
import { groups, nearest } from "../../../static/src/trade/grouping.js";
import { average, exponential, length, strength } from "../../../static/src/trade/indicators.js";

const near = (value, wanted) => assert.ok(Math.abs(value - wanted) < 1e-9, `${value} is not ${wanted}`);

test("a moving average is the mean of the last closes", () => {
  assert.deepEqual(average([1, 2, 3, 4, 8], 3), [null, null, 2, 3, 5]);
  assert.deepEqual(average([1], 3), [null]);
});

test("an exponential average starts from the mean and leans to what is new", () => {
  const found = exponential([1, 2, 3, 7], 3);
  assert.deepEqual(found.slice(0, 3), [null, null, 2]);
  near(found[3], 7 * 0.5 + 2 * 0.5);
});

test("relative strength is Wilder's", () => {
  // The closes that the method is usually shown with, cut to cents.
  const closes = [44.34, 44.09, 44.15, 43.61, 44.33, 44.83, 45.1, 45.42, 45.84, 46.08, 45.89, 46.03, 45.61, 46.28, 46.28, 46.0];
  const found = strength(closes, 14);
  assert.equal(found[13], null);
  assert.equal(found[14].toFixed(2), "70.46");
  assert.equal(found[15].toFixed(2), "66.25");
  assert.equal(strength([5, 5, 5], 2)[2], 50);
  assert.equal(strength([1, 2, 3], 2)[2], 100);
});

test("a length that makes no sense is the usual one", () => {
  assert.equal(length("12", "ma"), 12);
  assert.equal(length("1", "ma"), 20);
  assert.equal(length("9999", "rsi"), 14);
  assert.equal(length("", "ema"), 50);
});

const candle = (minute, close) => ({ time: `2026-11-20T06:0${minute}:00.000000Z`, open: "1", high: "2", low: "1", close, volume: "1" });

test("candles are kept in order, each once, whichever way they came", () => {
  const store = new CandleStore();
  assert.equal(store.merge([candle(3, "1"), candle(4, "2")]), "tail");
  assert.equal(store.merge([candle(4, "3")]), "tail");
  assert.equal(store.merge([candle(5, "4")]), "tail");
  assert.equal(store.merge([candle(1, "9"), candle(2, "8")]), "all");
  assert.equal(store.merge([candle(2, "7")]), "all");
  assert.equal(store.merge([]), "none");
  assert.deepEqual(store.rows.map((row) => row.close), ["9", "7", "1", "3", "4"]);
  assert.equal(store.at(store.rows[1].at).close, "7");
  assert.equal(store.at(1), null);
  assert.equal(store.oldest.close, "9");
});

function book() {
  const made = new Book({ priceDecimals: 2, quantityDecimals: 4 });
  made.snapshot({ u: 1, bids: [["99", "1"], ["98", "2"], ["50", "5"]], asks: [["101", "1"], ["103", "4"]] });
  return made;
}

test("depth adds up from the best price outwards, as far on one side as on the other", () => {
  const shape = depth(book(), 5);
  assert.deepEqual([shape.low, shape.middle, shape.high], [9500n, 10_000n, 10_500n]);
  assert.deepEqual(shape.bids.map((each) => each.total), [10_000n, 30_000n]);
  assert.deepEqual(shape.asks.map((each) => each.total), [10_000n, 50_000n]);
  assert.equal(shape.most, 50_000n);
  near(shape.bids[0].x, 0.4);
  near(shape.asks[1].y, 1);
  assert.equal(depth(new Book({ priceDecimals: 2, quantityDecimals: 4 }), 5), null);
});

test("by itself the plot shows most of the book, and one far order does not make it flat", () => {
  const shape = depth(book(), 0);
  assert.equal(shape.high - shape.middle, 375n); // five quarters of the way to the ask at 103
  const far = book();
  far.update({ U: 2, u: 2, bids: [["93", "0.1"]], asks: [] });
  assert.equal(depth(far, 0).low, shape.low);
});

test("a place on the plot says what lies before it", () => {
  const shape = depth(book(), 5);
  assert.deepEqual([under(shape, 0.1).side, under(shape, 0.1).total], ["bids", 30_000n]);
  assert.deepEqual([under(shape, 0.65).side, under(shape, 0.65).total], ["asks", 10_000n]);
  assert.equal(under(shape, 0.5), null, "between the best prices there is nothing");
});

test("a staircase is one path, closed below where it is filled", () => {
  const { line, area } = path([{ x: 0.6, y: 0.5 }, { x: 0.8, y: 1 }], 100, 100, 1);
  assert.equal(line, "M60 100H60V54H80V8H100");
  assert.equal(area, `${line}V100Z`);
  assert.deepEqual(path([], 100, 100, 0), { line: "", area: "" });
});

test("a book is grouped by tens, never into one line, and never better than it is", () => {
  assert.deepEqual(groups(1n, 6_700_000n), [1n, 10n, 100n, 1000n, 10_000n]);
  assert.deepEqual(groups(1n, 8_400n), [1n, 10n]);
  assert.deepEqual(groups(1n, null).length, 4);
  assert.equal(nearest("bids", 1234n, 100n), 1200n);
  assert.equal(nearest("asks", 1234n, 100n), 1300n);
});
