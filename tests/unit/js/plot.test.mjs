import assert from "node:assert/strict";
import { test } from "node:test";

import { nearest, points } from "../../../static/src/wallet/plot.js";

test("the nearest point to a place in the width, and none beyond the ends", () => {
  assert.equal(nearest(0, 8), 0);
  assert.equal(nearest(1, 8), 7);
  assert.equal(nearest(0.49, 3), 1);
  assert.equal(nearest(0.2, 3), 0);
  assert.equal(nearest(-3, 3), 0);
  assert.equal(nearest(7, 3), 2);
});

test("points stand from the left to the right, as far apart as the server drew them", () => {
  const row = (y, day, worth) => ({ dataset: { y }, cells: [{ textContent: day }, { textContent: worth }] });
  const found = points([row("10", "now", "$3"), row("150", "19 Nov", "$2"), row("300", "18 Nov", "$1")]);
  assert.deepEqual(found.map((point) => point.x), [0, 500, 1000]);
  assert.deepEqual(found.map((point) => point.y), [300, 150, 10]);
  assert.deepEqual([found[0].day, found[2].worth], ["18 Nov", "$3"]);
});
