/** The depth chart: two staircases drawn as SVG, with the price and the total under the pointer. */
import * as decimal from "../lib/decimal.js";
import { $, $$, setText } from "../lib/dom.js";
import { t } from "../lib/words.js";
import { depth, path, under } from "./depth.js";

const DRAW_EVERY_MS = 250;
const PERCENTS = [0.5, 1, 2, 5, 10];

export class DepthPane {
  constructor(root, facts, book) {
    Object.assign(this, { facts, book });
    this.box = $("[data-depth]", root);
    this.plot = $("svg", this.box);
    this.reach = $("[data-depth-reach]", root);
    this.waiting = null;
    this.pointer = null;
    this.reach.append(new Option(t("Most of it"), "0"));
    for (const percent of PERCENTS) this.reach.append(new Option(`±${percent}%`, String(percent)));
    this.reach.addEventListener("change", () => this.#draw());
    this.box.addEventListener("pointermove", (event) => this.#point(event));
    this.box.addEventListener("pointerleave", () => this.#point(null));
    new ResizeObserver(() => this.#draw()).observe(this.box);
  }

  /** Draws soon, and never more often than an eye can follow; nothing while it is not looked at. */
  draw() {
    if (this.waiting || this.box.hidden) return;
    this.waiting = setTimeout(() => {
      this.waiting = null;
      this.#draw();
    }, DRAW_EVERY_MS);
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.box;
    if (this.box.hidden || !width) return;
    this.shape = depth(this.book, Number(this.reach.value));
    $("[data-depth-empty]", this.box).hidden = this.shape !== null;
    this.plot.setAttribute("viewBox", `0 0 ${width} ${height}`);
    for (const [side, edge] of [["bids", 0], ["asks", 1]]) {
      const { line, area } = path(this.shape?.[side] ?? [], width, height, edge);
      $(`[data-line="${side}"]`, this.plot).setAttribute("d", line);
      $(`[data-area="${side}"]`, this.plot).setAttribute("d", area);
    }
    this.#axis();
    this.#reading();
  }

  #price(ticks) {
    return decimal.column(decimal.format(ticks, this.facts.priceDecimals), this.facts.priceDecimals);
  }

  #amount(units) {
    return `${decimal.grouped(decimal.rough(decimal.format(units, this.facts.quantityDecimals)))} ${this.facts.base}`;
  }

  #axis() {
    const { shape } = this;
    const ticks = shape ? [shape.low, shape.middle, shape.high] : [];
    $$("[data-depth-axis] span", this.box).forEach((place, index) => setText(place, ticks[index] === undefined ? "" : this.#price(ticks[index])));
    setText($("[data-depth-most]", this.box), shape ? this.#amount(shape.most) : "");
    if (!shape) return;
    const totals = { bids: this.#amount(shape.bids.at(-1)?.total ?? 0n), asks: this.#amount(shape.asks.at(-1)?.total ?? 0n) };
    const words = t("Depth of the book: {bids} wanted down to {low}, {asks} offered up to {high}.", { ...totals, low: this.#price(shape.low), high: this.#price(shape.high) });
    if (this.plot.getAttribute("aria-label") !== words) this.plot.setAttribute("aria-label", words);
  }

  #point(event) {
    const { left, width } = this.box.getBoundingClientRect();
    this.pointer = event ? (event.clientX - left) / width : null;
    this.#reading();
  }

  /** What one would go through to get to the price under the pointer. */
  #reading() {
    const place = $("[data-depth-reading]", this.box);
    const rule = $("[data-depth-rule]", this.plot);
    const found = this.shape && this.pointer !== null ? under(this.shape, this.pointer) : null;
    place.hidden = !found;
    rule.setAttribute("visibility", found ? "visible" : "hidden");
    if (!found) return;
    const words = { price: this.#price(found.tick), amount: this.#amount(found.total) };
    setText(place, found.side === "bids" ? t("{amount} wanted at {price} or more", words) : t("{amount} offered at {price} or less", words));
    place.className = `depth-reading tiny num ${found.side === "bids" ? "up" : "down"}`;
    const x = String(this.pointer * this.box.clientWidth);
    rule.setAttribute("x1", x);
    rule.setAttribute("x2", x);
    rule.setAttribute("y2", String(this.box.clientHeight));
  }
}
