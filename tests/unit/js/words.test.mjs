import assert from "node:assert/strict";
import { test } from "node:test";

// As a German page: its catalogue stands there before any module is read.
globalThis.document = { documentElement: { lang: "de" } };
globalThis.bourseWords = {
  words: {
    "Cancel order {id}": "Order {id} stornieren",
    "{count} open order": ["{count} offene Order", "{count} offene Orders"],
    "order state\u0004Open": "Offen",
  },
  said: {
    "There is no such market.": "Diesen Markt gibt es nicht.",
    "This order is {state} already.": "Diese Order ist bereits {state}.",
    "The least you can send is {text} {asset_code}.": "Sie können mindestens {text} {asset_code} senden.",
    filled: "ausgeführt",
  },
  plural: (n) => Number(n !== 1),
};
const { locale, said, t, tn, tp } = await import("../../../static/src/lib/words.js");
const decimal = await import("../../../static/src/lib/decimal.js");

test("a sentence is said in the page's language, and in English where it has no other", () => {
  assert.equal(locale, "de");
  assert.equal(t("Cancel order {id}", { id: 7 }), "Order 7 stornieren");
  assert.equal(t("Nobody translated {this}", { this: "this" }), "Nobody translated this");
  assert.equal(tp("order state", "Open"), "Offen");
  assert.equal(tp("shop", "Open"), "Open");
});

test("one and many have words of their own", () => {
  assert.equal(tn("{count} open order", "{count} open orders", 1), "1 offene Order");
  assert.equal(tn("{count} open order", "{count} open orders", 3), "3 offene Orders");
  assert.equal(tn("{count} cat", "{count} cats", 2), "2 cats");
});

test("what the API said keeps what was put into it", () => {
  assert.equal(said({ message: "There is no such market." }), "Diesen Markt gibt es nicht.");
  assert.equal(said("This order is filled already."), "Diese Order ist bereits ausgeführt.");
  assert.equal(said("The least you can send is 0.001 BTC."), "Sie können mindestens 0.001 BTC senden.");
  assert.equal(said("Something new."), "Something new.");
});

test("an amount has a point in every language, and a comma groups in English alone", () => {
  assert.equal(decimal.grouped("1234567.5"), "1\u202f234\u202f567.5");
});

test("a typed comma is what its writer meant, or refused", () => {
  assert.equal(decimal.typed("0,5"), "0.5");
  assert.equal(decimal.typed("1.234,56"), "1234.56");
  assert.equal(decimal.typed("1,234.56"), "1234.56");
  assert.equal(decimal.typed("1,500"), null);
  assert.equal(decimal.typed("1\u202f234.5"), "1234.5");
});
