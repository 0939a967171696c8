/** The order book on the page: rows made once, then only their text and the width of their bars change. */
import * as decimal from "../lib/decimal.js";
import { $, eachFrame, make, setText } from "../lib/dom.js";

const ROW_PX = 21;
const ROWS_LEAST = 4;
const ROWS_MOST = 40;
const STEPS = [1n, 10n, 100n, 1000n];

export class BookPane {
  constructor(root, facts, book, onPick) {
    this.root = root;
    this.facts = facts;
    this.book = book;
    this.onPick = onPick;
    this.sides = { asks: $("[data-asks]", root), bids: $("[data-bids]", root) };
    this.mine = [];
    this.step = decimal.parse(facts.tickSize, facts.priceDecimals);
    this.draw = eachFrame(() => this.#draw());
    this.#grouping();
    new ResizeObserver(this.draw).observe($("[data-book]", root));
  }

  /** Marks the levels where the customer's own open orders stand: a list of {side: "bids" | "asks", tick}. */
  setMine(list) {
    this.mine = list;
    this.draw();
  }

  #grouping() {
    const select = $("[data-group]", this.root);
    for (const times of STEPS) {
      const units = this.step * times;
      select.append(new Option(decimal.format(units, this.facts.priceDecimals), units.toString()));
    }
    select.addEventListener("change", () => {
      this.step = BigInt(select.value);
      this.draw();
    });
  }

  #draw() {
    const found = {};
    let deepest = 1n;
    for (const name of ["asks", "bids"]) {
      const rows = this.#rows(name);
      const levels = this.book.levels(name, rows.length, this.step);
      found[name] = { rows, levels };
      if (levels.length && levels.at(-1).total > deepest) deepest = levels.at(-1).total;
    }
    for (const [name, { rows, levels }] of Object.entries(found)) {
      const own = this.#own(name);
      rows.forEach((row, index) => this.#paint(row, levels[name === "asks" ? rows.length - 1 - index : index], deepest, own));
    }
    this.#spread();
  }

  /** As many rows as fit, made or removed where the pane changed its height. */
  #rows(name) {
    const container = this.sides[name];
    const count = Math.max(ROWS_LEAST, Math.min(ROWS_MOST, Math.floor(container.clientHeight / ROW_PX)));
    while (container.children.length > count) container.lastElementChild.remove();
    while (container.children.length < count) {
      const row = make("div", "level");
      row.append(make("span"), make("span"), make("span"));
      row.addEventListener("click", () => row.dataset.price && this.onPick(row.dataset.price));
      container.append(row);
    }
    return [...container.children];
  }

  /** The levels, as grouped now, that hold an own order. */
  #own(name) {
    const at = (tick) => (name === "bids" ? (tick / this.step) * this.step : ((tick + this.step - 1n) / this.step) * this.step);
    return new Set(this.mine.filter((each) => each.side === name).map((each) => at(each.tick)));
  }

  #paint(row, level, deepest, own) {
    const [price, quantity, total] = row.children;
    const { priceDecimals, quantityDecimals } = this.facts;
    const amount = (units) => decimal.column(decimal.format(units, quantityDecimals), quantityDecimals);
    const text = level ? decimal.format(level.tick, priceDecimals) : "";
    setText(price, level ? decimal.column(text, priceDecimals) : "");
    setText(quantity, level ? amount(level.quantity) : "");
    setText(total, level ? amount(level.total) : "");
    row.style.setProperty("--fill", level ? String(Number((level.total * 1000n) / deepest) / 1000) : "0");
    row.dataset.price = text;
    if (level && own.has(level.tick)) row.dataset.mine = "yes";
    else delete row.dataset.mine;
  }

  #spread() {
    const { priceDecimals } = this.facts;
    const [ask, bid] = [this.book.best("asks"), this.book.best("bids")];
    const known = ask !== null && bid !== null;
    const middle = known ? (ask + bid) / 2n : (ask ?? bid);
    setText($("[data-mid]", this.root), middle === null ? "—" : decimal.column(decimal.format(middle, priceDecimals), priceDecimals));
    setText($("[data-spread]", this.root), known ? `spread ${decimal.grouped(decimal.format(ask - bid, priceDecimals))}` : "");
  }
}
