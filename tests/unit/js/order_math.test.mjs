import assert from "node:assert/strict";
import { test } from "node:test";
import { Book } from "../../../static/src/lib/book.js";
import { OrderMath } from "../../../static/src/trade/order_math.js";

const FACTS = {
  base: "BTC", quote: "USDT", priceDecimals: 2, quantityDecimals: 4, baseDecimals: 8, quoteDecimals: 6,
  tickSize: "0.01", lotSize: "0.0001", makerFee: "0.001", takerFee: "0.002", slippage: "5",
};

function math(changes = {}, last = null) {
  const book = new Book(FACTS);
  book.snapshot({ u: 1, bids: [["60000", "0.04"], ["59990", "1"]], asks: [["60010", "0.5"], ["60020", "2"]] });
  const made = new OrderMath({ ...FACTS, ...changes }, book);
  made.last = last;
  return made;
}

const EMPTY = { price: "", stop_price: "", stop_limit_price: "", trail: "", trail_unit: "percent", quantity: "", total: "", slippage: "" };
const order = (changes) => ({ side: "buy", kind: "limit", given: "quantity", ...EMPTY, ...changes });

test("a total is price times quantity, exactly", () => {
  assert.equal(math().total(order({ price: "67012.34", quantity: "0.1234" })), "8269.322756");
  assert.equal(math().total(order({ price: "", quantity: "1" })), "");
  assert.equal(math().total(order({ price: "60000", quantity: "0.00001" })), "", "finer than a lot is no quantity");
});

test("a total buys whole lots, never more than it pays for", () => {
  assert.equal(math().quantity(order({ price: "60000", total: "100" })), "0.0016");
  assert.equal(math().quantity(order({ price: "60000", total: "5.99" })), "");
});

test("a resting order pays the maker's fee, one that meets the book the taker's, in what is received, rounded up", () => {
  const rests = math().outcome(order({ price: "60000", quantity: "0.1" }));
  assert.deepEqual([rests.rate, rests.fee, rests.net], [1000n, 10_000n, 9_990_000n]);
  const meets = math().outcome(order({ price: "60010", quantity: "0.1" }));
  assert.deepEqual([meets.rate, meets.fee, meets.net], [2000n, 20_000n, 9_980_000n]);
  const sells = math().outcome(order({ side: "sell", price: "60000", quantity: "0.04" }));
  assert.deepEqual([sells.rate, sells.fee, sells.net], [2000n, 4_800_000n, 2_395_200_000n]);
  const small = math().outcome(order({ side: "sell", price: "60010.01", quantity: "0.0001" }));
  assert.deepEqual([small.fee, small.net], [6002n, 5_994_999n]); // 6001.001 rounded up
});

test("a post-only order never pays the taker's fee: it is refused instead", () => {
  assert.equal(math().outcome(order({ price: "60010", quantity: "0.1", post_only: true })).rate, 1000n);
});

test("a rebate is added to what is received, rounded towards zero", () => {
  const rests = math({ makerFee: "-0.0001" }).outcome(order({ side: "sell", price: "60010.01", quantity: "0.0001" }));
  assert.deepEqual([rests.rate, rests.fee, rests.net], [-100n, -600n, 6_001_601n]); // 600.1001 cut
});

test("a stop-limit order is reckoned as one that takes, at its price", () => {
  const waits = math().outcome(order({ kind: "stop_limit", price: "50000", stop_price: "51000", quantity: "0.1" }));
  assert.deepEqual([waits.rate, waits.fee, waits.average], [2000n, 20_000n, null]);
});

test("a market order is estimated by walking the book", () => {
  const sells = math().outcome(order({ side: "sell", kind: "market", quantity: "0.05" }));
  assert.equal(sells.average, 5_999_800n); // 0.04 at 60,000 and 0.01 at 59,990
  assert.equal(sells.net, 2_999_900_000n - 5_999_800n);
  assert.equal(sells.short, false);
  const buys = math().outcome(order({ kind: "market", given: "total", total: "6001" }));
  assert.equal(buys.net, 9_980_000n); // a tenth of a bitcoin less the taker's fee
  assert.equal(math().outcome(order({ kind: "market", given: "total", total: "" })).fee, null);
});

test("a market order larger than the book says so, and its other side is filled in from the book", () => {
  assert.equal(math().outcome(order({ side: "sell", kind: "market", quantity: "5" })).short, true);
  assert.equal(math().total(order({ kind: "market", quantity: "0.5" })), "30005");
  assert.equal(math().quantity(order({ kind: "market", given: "total", total: "30005" })), "0.5");
});

test("a stop is reckoned at its trigger, and holds its cap", () => {
  const stop = order({ kind: "stop", stop_price: "61000", quantity: "0.1" });
  assert.equal(math().total(stop), "6100");
  assert.deepEqual(math().hold(stop), { units: 6_405_000_000n, decimals: 6, code: "USDT" }); // 61,000 and 5% of slippage
  assert.equal(math().hold({ ...stop, slippage: "1" }).units, 6_161_000_000n);
  assert.deepEqual(math().hold({ ...stop, side: "sell" }), { units: 10_000_000n, decimals: 8, code: "BTC" });
  assert.equal(math().hold({ ...stop, given: "total", total: "100" }).units, 100_000_000n);
});

test("a trailing stop is reckoned from the last price, in percent or in quote, on the market's grid", () => {
  const trailing = order({ kind: "trailing_stop", trail: "1", quantity: "0.1" });
  assert.equal(math({}, 6_000_050n).reference(trailing), 6_000_050n + 60_000n);
  assert.equal(math({}, 6_000_000n).reference({ ...trailing, side: "sell", trail: "250", trail_unit: "quote" }), 5_975_000n);
  assert.equal(math().reference(trailing), null, "no price to follow yet");
});

test("a pair holds the dearer of its two orders", () => {
  const pair = order({ kind: "oco", price: "59000", stop_price: "61000", quantity: "0.1" });
  assert.equal(math().hold(pair).units, 6_405_000_000n);
  assert.equal(math().hold({ ...pair, stop_limit_price: "61100" }).units, 6_110_000_000n);
  assert.equal(math().outcome(pair).rate, 1000n, "its limit order rests");
});

test("a part of what is available fills the field that the order is given by, and never asks for more than there is", () => {
  assert.deepEqual(math().share(order({ price: "60000" }), "50", 1_200_000_000n), { field: "quantity", text: "0.01" });
  assert.deepEqual(math().share(order({ side: "sell" }), "25", 99_999_999n), { field: "quantity", text: "0.2499" });
  assert.deepEqual(math().share(order({ kind: "market" }), "100", 1_234_567n), { field: "total", text: "1.234567" });
  assert.equal(math().share(order({ price: "" }), "50", 1_200_000_000n), null);
  const stop = order({ kind: "stop", stop_price: "61000" });
  const { text } = math().share(stop, "100", 6_405_000_000n);
  assert.equal(text, "0.1");
  assert.ok(math().hold({ ...stop, quantity: text }).units <= 6_405_000_000n);
});

test("arrow keys walk by steps and stop above nothing", () => {
  const walk = { places: 2, step: 1n };
  assert.equal(math().stepped("60000", { up: true, ...walk }), "60000.01");
  assert.equal(math().stepped("60000", { up: false, times: 10n, ...walk }), "59999.9");
  assert.equal(math().stepped("0.01", { up: false, ...walk }), "0.01");
  assert.equal(math().stepped("", { up: true, from: 6_000_000n, ...walk }), "60000");
  assert.equal(math().stepped("nonsense", { up: true, ...walk }), "nonsense");
});
