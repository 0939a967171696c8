import assert from "node:assert/strict";
import { test } from "node:test";
import { Book } from "../../../static/src/lib/book.js";

const FACTS = { priceDecimals: 2, quantityDecimals: 4 };

function book() {
  const made = new Book(FACTS);
  made.snapshot({
    u: 10,
    bids: [["100.00", "1"], ["99.99", "2"]],
    asks: [["100.05", "1.5"], ["100.10", "3"]],
  });
  return made;
}

const shown = (levels) => levels.map(({ tick, quantity, total }) => [Number(tick), Number(quantity), Number(total)]);

test("levels run from the best, with their running total", () => {
  assert.deepEqual(shown(book().levels("bids", 5)), [[10000, 10000, 10000], [9999, 20000, 30000]]);
  assert.deepEqual(shown(book().levels("asks", 1)), [[10005, 15000, 15000]]);
});

test("an update in order changes, adds and removes levels", () => {
  const made = book();
  assert.equal(made.update({ U: 11, u: 12, bids: [["100.00", "0"], ["100.01", "0.5"]], asks: [["100.05", "9"]] }), "applied");
  assert.deepEqual(shown(made.levels("bids", 5)), [[10001, 5000, 5000], [9999, 20000, 25000]]);
  assert.deepEqual(shown(made.levels("asks", 1)), [[10005, 90000, 90000]]);
  assert.equal(made.sequence, 12);
});

test("an update that was missed is a gap, and nothing of the next one is applied", () => {
  const made = book();
  const before = shown(made.levels("bids", 5));
  assert.equal(made.update({ U: 12, u: 12, bids: [["100.00", "0"]], asks: [] }), "gap");
  assert.deepEqual(shown(made.levels("bids", 5)), before);
  assert.equal(made.sequence, 10);
});

test("a repeated update changes nothing", () => {
  const made = book();
  assert.equal(made.update({ U: 9, u: 10, bids: [["100.00", "0"]], asks: [] }), "old");
  assert.equal(shown(made.levels("bids", 1))[0][0], 10000);
});

test("an update before any snapshot is a gap", () => {
  assert.equal(new Book(FACTS).update({ U: 1, u: 1, bids: [], asks: [] }), "gap");
});

test("merged updates that begin before our number and end after it are applied", () => {
  assert.equal(book().update({ U: 8, u: 11, bids: [], asks: [] }), "applied");
});

test("grouping puts bids down and asks up, so that no level looks better than it is", () => {
  const made = book();
  assert.deepEqual(shown(made.levels("bids", 5, 10n)), [[10000, 10000, 10000], [9990, 20000, 30000]]);
  assert.deepEqual(shown(made.levels("asks", 5, 10n)), [[10010, 45000, 45000]]);
});

test("taking walks the levels: by quantity, by budget, and no further than there is", () => {
  const made = book();
  assert.deepEqual(made.take("asks", { quantity: 20_000n }), { quantity: 20_000n, cost: 15_000n * 10_005n + 5_000n * 10_010n, worst: 10_010n });
  assert.deepEqual(made.take("asks", { budget: 10_005n * 100n }), { quantity: 100n, cost: 1_000_500n, worst: 10_005n });
  assert.equal(made.take("asks", { quantity: 1_000_000n }).quantity, 45_000n);
  assert.equal(new Book(FACTS).take("bids", { quantity: 1n }), null);
});

test("a thousand random updates leave the same book as a plain map", () => {
  const made = new Book(FACTS);
  made.snapshot({ u: 0, bids: [], asks: [] });
  const plain = new Map();
  let seed = 7;
  const next = (limit) => (seed = (seed * 1103515245 + 12345) % 2147483648) % limit;
  for (let u = 1; u <= 1000; u += 1) {
    const price = (9000 + next(200)) / 100;
    const quantity = next(3) === 0 ? 0 : 1 + next(50);
    if (quantity) plain.set(price, quantity);
    else plain.delete(price);
    made.update({ U: u, u, bids: [[price.toFixed(2), String(quantity)]], asks: [] });
  }
  const expected = [...plain].sort((a, b) => b[0] - a[0]).map(([price, quantity]) => [Math.round(price * 100), quantity * 10_000]);
  assert.deepEqual(shown(made.levels("bids", 1000)).map((row) => row.slice(0, 2)), expected);
});
