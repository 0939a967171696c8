/** The order book on the page: rows made once, then only their text and the width of their bars change. */
import * as decimal from "../lib/decimal.js";
import { $, eachFrame, make, setText } from "../lib/dom.js";
import { t } from "../lib/words.js";
import { groups, nearest } from "./grouping.js";

const ROW_PX = 21;
const ROWS_LEAST = 4;
const ROWS_MOST = 40;

export class BookPane {
  constructor(root, facts, book, onPick) {
    Object.assign(this, { root, facts, book, onPick });
    this.sides = { asks: $("[data-asks]", root), bids: $("[data-bids]", root) };
    this.mine = [];
    this.step = decimal.parse(facts.tickSize, facts.priceDecimals);
    this.marked = null;
    this.draw = eachFrame(() => this.#draw());
    this.#grouping();
    for (const name of ["asks", "bids"]) this.#keyboard(name);
    new ResizeObserver(this.draw).observe($("[data-book]", root));
  }

  /** Marks the levels where the customer's own open orders stand: a list of {side: "bids" | "asks", tick}. */
  setMine(list) {
    this.mine = list;
    this.draw();
  }

  #grouping() {
    const select = $("[data-group]", this.root);
    const last = decimal.parse(this.facts.last ?? "", this.facts.priceDecimals);
    for (const units of groups(this.step, last)) select.append(new Option(decimal.format(units, this.facts.priceDecimals), units.toString()));
    select.addEventListener("change", () => {
      this.step = BigInt(select.value);
      this.draw();
    });
  }

  /** Arrow keys walk through a side's prices, Enter takes the one that is marked. */
  #keyboard(name) {
    const side = this.sides[name];
    side.addEventListener("keydown", (event) => {
      const rows = [...side.children].filter((row) => row.dataset.price);
      const index = rows.findIndex((row) => row.id === this.marked);
      const from = index === -1 ? (name === "asks" ? rows.length : -1) : index;
      const to = { ArrowUp: from - 1, ArrowDown: from + 1, Home: 0, End: rows.length - 1 }[event.key];
      if (to !== undefined) this.#mark(side, rows[Math.max(0, Math.min(rows.length - 1, to))]);
      else if ((event.key === "Enter" || event.key === " ") && index !== -1) this.onPick(rows[index].dataset.price);
      else return;
      event.preventDefault();
    });
    side.addEventListener("blur", () => this.#mark(side, null));
  }

  #mark(side, row) {
    document.getElementById(this.marked)?.removeAttribute("data-marked");
    this.marked = row?.id ?? null;
    if (!row) return side.removeAttribute("aria-activedescendant");
    row.dataset.marked = "yes";
    side.setAttribute("aria-activedescendant", row.id);
    return undefined;
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
      row.id = `level-${name}-${container.children.length}`;
      row.append(make("span"), make("span"), make("span"));
      row.addEventListener("click", () => row.dataset.price && this.onPick(row.dataset.price));
      container.append(row);
    }
    return [...container.children];
  }

  /** The levels, as grouped now, that hold an own order. */
  #own(name) {
    return new Set(this.mine.filter((each) => each.side === name).map((each) => nearest(name, each.tick, this.step)));
  }

  #paint(row, level, deepest, own) {
    const [price, quantity, total] = row.children;
    const { priceDecimals, quantityDecimals } = this.facts;
    const amount = (units) => decimal.column(decimal.format(units, quantityDecimals), quantityDecimals);
    // A row without a level is no choice: nobody is told of it.
    row.ariaHidden = level ? null : "true";
    if (level) row.setAttribute("role", "option");
    else row.removeAttribute("role");
    const text = level ? decimal.format(level.tick, priceDecimals) : "";
    setText(price, level ? decimal.column(text, priceDecimals) : "");
    setText(quantity, level ? amount(level.quantity) : "");
    setText(total, level ? amount(level.total) : "");
    row.style.setProperty("--fill", level ? String(Number((level.total * 1000n) / deepest) / 1000) : "0");
    if (row.dataset.price !== text) row.dataset.price = text;
    const mine = Boolean(level && own.has(level.tick));
    if (mine === (row.dataset.mine === "yes")) return;
    if (mine) row.dataset.mine = "yes";
    else delete row.dataset.mine;
    row.title = mine ? t("Your order stands here.") : "";
  }

  #spread() {
    const { priceDecimals } = this.facts;
    const [ask, bid] = [this.book.best("asks"), this.book.best("bids")];
    const known = ask !== null && bid !== null;
    const middle = known ? (ask + bid) / 2n : (ask ?? bid);
    setText($("[data-mid]", this.root), middle === null ? "—" : decimal.column(decimal.format(middle, priceDecimals), priceDecimals));
    const spread = known ? decimal.grouped(decimal.format(ask - bid, priceDecimals)) : "";
    setText($("[data-spread]", this.root), known ? t("spread {amount}", { amount: spread }) : "");
  }
}
