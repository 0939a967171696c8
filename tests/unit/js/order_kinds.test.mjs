import assert from "node:assert/strict";
import { test } from "node:test";
import { byTotal, command, CONDITIONAL, fault, KINDS, shows } from "../../../static/src/trade/order_kinds.js";
import { faultWords, hint } from "../../../static/src/trade/form_words.js";

const FACTS = {
  symbol: "BTC-USDT", base: "BTC", quote: "USDT", priceDecimals: 2, quantityDecimals: 4, quoteDecimals: 6,
  tickSize: "0.01", lotSize: "0.0001", minNotional: "5",
};
const FULL = {
  side: "sell", given: "quantity", price: "61000", stop_price: "59000", stop_limit_price: "", trail: "1", trail_unit: "percent",
  quantity: "0.1", total: "6100", time: "GTC", expires_at: "", post_only: false, display_quantity: "", slippage: "", self_trade: "cancel_newest",
};
const order = (kind, changes) => ({ kind, ...FULL, time: KINDS[kind].times[0], ...changes });
const sent = (kind, changes) => command(order(kind, changes), FACTS, "mine");
const BARE = { op: "place", market: "BTC-USDT", side: "sell", client_order_id: "mine" };

test("each kind sends its own fields and no other's", () => {
  assert.deepEqual(sent("limit"), { ...BARE, type: "limit", price: "61000", quantity: "0.1" });
  assert.deepEqual(sent("market"), { ...BARE, type: "market", quantity: "0.1" });
  assert.deepEqual(sent("stop"), { ...BARE, type: "stop", stop_price: "59000", quantity: "0.1" });
  assert.deepEqual(sent("stop_limit"), { ...BARE, type: "stop_limit", stop_price: "59000", price: "61000", quantity: "0.1" });
  assert.deepEqual(sent("take_profit"), { ...BARE, type: "take_profit", stop_price: "59000", quantity: "0.1" });
  assert.deepEqual(sent("take_profit_limit").price, "61000");
  assert.deepEqual(sent("trailing_stop"), { ...BARE, type: "trailing_stop", trail_percent: "1", quantity: "0.1" });
  assert.deepEqual(sent("trailing_stop", { trail_unit: "quote" }).trail, "1");
  assert.deepEqual(sent("oco"), { ...BARE, op: "oco", price: "61000", stop_price: "59000", quantity: "0.1" });
  assert.deepEqual(sent("oco", { stop_limit_price: "58900", slippage: "1" }).stop_limit_price, "58900");
  assert.equal("slippage" in sent("oco", { stop_limit_price: "58900", slippage: "1" }), false);
});

test("options go along where they mean something, and only then", () => {
  const options = { post_only: true, display_quantity: "0.01", slippage: "1", self_trade: "cancel_both" };
  assert.deepEqual(sent("limit", options), { ...BARE, type: "limit", price: "61000", quantity: "0.1", post_only: true, display_quantity: "0.01", self_trade: "cancel_both" });
  assert.deepEqual(sent("market", options), { ...BARE, type: "market", quantity: "0.1", slippage: "1", self_trade: "cancel_both" });
  assert.equal("post_only" in sent("limit", { ...options, time: "IOC" }), false, "what fills at once cannot rest");
  assert.equal(sent("limit", { time: "FOK" }).time_in_force, "FOK");
  assert.equal("time_in_force" in sent("limit"), false);
  assert.equal(sent("limit", { time: "GTD", expires_at: "2026-11-21T10:00:00Z" }).expires_at, "2026-11-21T10:00:00.000Z");
});

test("a quote amount stands for the quantity where the engine takes it", () => {
  assert.equal(byTotal(order("market", { given: "total" })), true);
  assert.equal(byTotal(order("stop", { given: "total", side: "buy" })), true);
  assert.equal(byTotal(order("stop", { given: "total" })), false);
  assert.equal(byTotal(order("limit", { given: "total" })), false);
  const { quote_amount: amount, quantity } = sent("market", { given: "total", side: "buy" });
  assert.deepEqual([amount, quantity], ["6100", undefined]);
});

test("the form shows what a kind needs", () => {
  assert.equal(shows(order("limit"), "stop_price"), false);
  assert.equal(shows(order("stop_limit"), "stop_price"), true);
  assert.equal(shows(order("limit"), "expires_at"), false);
  assert.equal(shows(order("limit", { time: "GTD" }), "expires_at"), true);
  assert.equal(shows(order("limit", { time: "IOC" }), "post_only"), false);
});

test("what is wrong is found before it is sent, and there is a sentence for it", () => {
  const found = (kind, changes, known) => {
    const wrong = fault(order(kind, changes), FACTS, known);
    if (wrong) assert.ok(faultWords(wrong), wrong.code);
    return wrong && [wrong.field, wrong.code];
  };
  assert.equal(found("limit"), null);
  assert.deepEqual(found("limit", { price: "" }), ["price", "missing"]);
  assert.deepEqual(found("limit", { price: "61000.001" }), ["price", "step"]);
  assert.deepEqual(found("limit", { price: "sixty" }), ["price", "number"]);
  assert.deepEqual(found("limit", { price: "0" }), ["price", "number"]);
  assert.deepEqual(found("limit", { quantity: "0.00001" }), ["quantity", "step"]);
  assert.deepEqual(found("limit", { total: "4.99" }), ["quantity", "small"]);
  assert.deepEqual(found("limit", { display_quantity: "0.2" }), ["display_quantity", "shows_all"]);
  assert.deepEqual(found("limit", { time: "GTD", expires_at: "" }), ["expires_at", "missing"]);
  assert.deepEqual(found("limit", { time: "GTD", expires_at: "2020-01-01T10:00" }), ["expires_at", "past"]);
  assert.deepEqual(found("market", { given: "total", total: "" }), ["total", "missing"]);
  assert.deepEqual(found("trailing_stop", { trail: "0" }), ["trail", "number"]);
  assert.deepEqual(found("oco", { stop_limit_price: "1.001" }), ["stop_limit_price", "step"]);
  const last = { last: 6_000_000n };
  assert.equal(found("stop", {}, last), null);
  assert.deepEqual(found("stop", { stop_price: "60000" }, last), ["stop_price", "stop_not_below"]);
  assert.deepEqual(found("stop", { side: "buy" }, last), ["stop_price", "stop_not_above"]);
  assert.deepEqual(found("take_profit", {}, last), ["stop_price", "stop_not_above"]);
  assert.equal(found("take_profit", { side: "buy" }, last), null);
  assert.deepEqual(found("oco", { stop_price: "60500" }, last), ["stop_price", "stop_not_below"]);
});

test("every conditional kind says what it does, on either side", () => {
  for (const kind of CONDITIONAL) for (const side of ["buy", "sell"]) assert.ok(hint({ kind, side }), `${kind} ${side}`);
});
