import assert from "node:assert/strict";
import { test } from "node:test";
import * as decimal from "../../../static/src/lib/decimal.js";

test("a decimal text becomes whole smallest units", () => {
  assert.equal(decimal.parse("0.5", 8), 50_000_000n);
  assert.equal(decimal.parse("12", 2), 1200n);
  assert.equal(decimal.parse(".25", 2), 25n);
  assert.equal(decimal.parse("1.500", 1), 15n);
});

test("what is no plain decimal, or is too fine, is refused", () => {
  for (const text of ["", ".", "1e3", "-1", "+1", "1.2.3", "0x10", "1,000", "NaN", null, undefined]) {
    assert.equal(decimal.parse(text, 8), null, String(text));
  }
  assert.equal(decimal.parse("0.001", 2), null);
});

test("an amount that a Number would spoil comes back unharmed", () => {
  const text = "123456789012345678.123456789012345678";
  assert.equal(decimal.format(decimal.parse(text, 18), 18), text);
  assert.equal(decimal.format(decimal.parse("0.1", 18) + decimal.parse("0.2", 18), 18), "0.3");
});

test("places are trimmed, or kept where they are asked for", () => {
  assert.equal(decimal.format(150n, 2), "1.5");
  assert.equal(decimal.format(150n, 2, 2), "1.50");
  assert.equal(decimal.format(5n, 0), "5");
  assert.equal(decimal.format(-5n, 2), "-0.05");
});

test("rescaling rounds down unless told to round up", () => {
  assert.equal(decimal.rescale(1234n, 4, 2), 12n);
  assert.equal(decimal.rescale(1234n, 4, 2, true), 13n);
  assert.equal(decimal.rescale(1200n, 4, 2, true), 12n);
  assert.equal(decimal.rescale(12n, 2, 4), 1200n);
});

test("columns and groups", () => {
  assert.equal(decimal.grouped("1234567.5"), "1,234,567.5");
  assert.equal(decimal.grouped("-1000"), "−1,000");
  assert.equal(decimal.grouped(null), "—");
  assert.equal(decimal.column("67012.3", 2), "67,012.30");
  assert.equal(decimal.column("67012.345", 2), "67,012.345");
});

test("a volume keeps about four digits", () => {
  assert.equal(decimal.rough("172551.43"), "172551");
  assert.equal(decimal.rough("0.53219"), "0.532");
  assert.equal(decimal.rough("12.3000"), "12.3");
  assert.equal(decimal.rough(null), null);
});

test("a fraction as a percentage, never through a float", () => {
  assert.equal(decimal.percent("0.0123"), "+1.23%");
  assert.equal(decimal.percent("-0.1"), "-10.00%");
  assert.equal(decimal.percent("0"), "+0.00%");
  assert.equal(decimal.percent("-0.00001"), "+0.00%");
  assert.equal(decimal.percent(null), "—");
});
