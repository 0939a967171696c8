import assert from "node:assert/strict";
import { test } from "node:test";
import { Book } from "../../../static/src/lib/book.js";
import { OrderMath } from "../../../static/src/trade/order_math.js";

const FACTS = {
  priceDecimals: 2, quantityDecimals: 4, baseDecimals: 8, quoteDecimals: 6,
  tickSize: "0.01", lotSize: "0.0001", makerFee: "0.001", takerFee: "0.002",
};

function math(changes = {}) {
  const book = new Book(FACTS);
  book.snapshot({ u: 1, bids: [["60000", "0.04"], ["59990", "1"]], asks: [["60010", "0.5"], ["60020", "2"]] });
  return new OrderMath({ ...FACTS, ...changes }, book);
}

const order = (changes) => ({ side: "buy", type: "limit", price: "", quantity: "", total: "", ...changes });

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

test("a rebate is added to what is received, rounded towards zero", () => {
  const rests = math({ makerFee: "-0.0001" }).outcome(order({ side: "sell", price: "60010.01", quantity: "0.0001" }));
  assert.deepEqual([rests.rate, rests.fee, rests.net], [-100n, -600n, 6_001_601n]); // 600.1001 cut
});

test("a stop-limit order is reckoned as one that takes, at its price", () => {
  const waits = math().outcome(order({ type: "stop_limit", price: "50000", stop: "51000", quantity: "0.1" }));
  assert.deepEqual([waits.rate, waits.fee, waits.average], [2000n, 20_000n, null]);
});

test("a market order is estimated by walking the book", () => {
  const sells = math().outcome(order({ side: "sell", type: "market", quantity: "0.05" }));
  assert.equal(sells.average, 5_999_800n); // 0.04 at 60,000 and 0.01 at 59,990
  assert.equal(sells.net, 2_999_900_000n - 5_999_800n);
  const buys = math().outcome(order({ type: "market", total: "6001" }));
  assert.equal(buys.net, 9_980_000n); // a tenth of a bitcoin less the taker's fee
  assert.equal(math().outcome(order({ type: "market", total: "" })).fee, null);
});

test("a part of what is available fills the field that the order is given by", () => {
  assert.deepEqual(math().share(order({ price: "60000" }), "50", 1_200_000_000n), { field: "quantity", text: "0.01" });
  assert.deepEqual(math().share(order({ side: "sell" }), "25", 99_999_999n), { field: "quantity", text: "0.2499" });
  assert.deepEqual(math().share(order({ type: "market" }), "100", 1_234_567n), { field: "total", text: "1.234567" });
  assert.equal(math().share(order({ price: "" }), "50", 1_200_000_000n), null);
});
