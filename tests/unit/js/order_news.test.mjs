import assert from "node:assert/strict";
import { test } from "node:test";
import * as news from "../../../static/src/trade/order_news.js";
import { priceText, terms } from "../../../static/src/trade/order_words.js";

const ORDER = {
  id: 1024, market: "BTC-USDT", side: "buy", type: "limit", time_in_force: "GTC", price: "60000", quantity: "0.1", quote_amount: null,
  filled_quantity: "0", average_price: null, stop_price: null, trail: null, trail_percent: null, display_quantity: null, post_only: false,
  expires_at: null, oco_order_id: null, state: "open", reason: "",
};
const order = (changes) => ({ ...ORDER, ...changes });

test("what was sent is answered by what became of it", () => {
  assert.deepEqual(news.placed(order(), 2), { title: "Buy BTC: on the book", detail: "at 60,000.00", look: "ok" });
  const filled = order({ state: "filled", filled_quantity: "0.1", average_price: "59999.123456789" });
  assert.deepEqual(news.placed(filled, 2), { title: "Buy BTC: filled", detail: "0.1 BTC at 59,999.12", look: "ok" });
  assert.equal(news.placed(order({ state: "pending", stop_price: "61000" }), 2).detail, "for 61,000.00");
  assert.equal(news.placed(order({ state: "cancelled", reason: "no_liquidity" }), 2).look, "bad");
  assert.match(news.placed(order({ state: "cancelled", reason: "slippage", filled_quantity: "0.04" }), 2).detail, /0\.04 BTC.*more than its limit/);
});

test("a change is told once, and only where something changed", () => {
  assert.equal(news.changed(order(), order(), 2), null);
  assert.equal(news.changed(order(), order({ filled_quantity: "0.04" }), 2).detail, "0.04 of 0.1 BTC");
  assert.equal(news.changed(order(), order({ state: "cancelled", reason: "user" }), 2).detail, "What it held is available again.");
  assert.match(news.changed(order(), order({ state: "cancelled", reason: "oco" }), 2).detail, /pair/);
  assert.equal(news.changed(order(), order({ state: "expired", reason: "expired" }), 2).title, "Buy BTC: expired");
  assert.equal(news.changed(order({ state: "pending" }), order(), 2).title, "Buy BTC: set off, on the book");
});

test("a pair and a change have their own words", () => {
  const pair = { limit: order({ price: "59000" }), stop: order({ stop_price: "61000", state: "pending" }) };
  assert.equal(news.placedPair(pair, 2).detail, "for 59,000.00, or for 61,000.00");
  assert.equal(news.amended(order({ price: "60001" }), 2).title, "Buy BTC: changed");
  assert.equal(news.amended(order({ state: "filled", filled_quantity: "0.1" }), 2).title, "Buy BTC: filled");
});

test("an order says where it trades and what is special about it", () => {
  assert.equal(priceText(order({ state: "pending", stop_price: "61000" }), 2), "61,000.00 → 60,000.00");
  assert.equal(priceText(order({ state: "pending", stop_price: "61000", price: null })), "61,000 → Market");
  assert.deepEqual(terms(order({ display_quantity: "0.01", post_only: true, trail_percent: "1" })), ["Trails by 1%", "Shows 0.01", "Post only"]);
  assert.deepEqual(terms(order()), []);
});
