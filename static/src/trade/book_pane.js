/** The order book on the page: rows made once, then only their text and the width of their bars change. */
import * as decimal from "../lib/decimal.js";
import { $, eachFrame, make, setText } from "../lib/dom.js";

const ROW_PX = 21;
const ROWS_MOST = 40;
const STEPS = [1n, 10n, 100n, 1000n];

function rows(container, count, onPick) {
  while (container.children.length > count) container.lastElementChild.remove();
  while (container.children.length < count) {
    const row = make("div", "level");
    row.append(make("span"), make("span"), make("span"));
    row.addEventListener("click", () => row.dataset.price && onPick(row.dataset.price));
    container.append(row);
  }
  return [...container.children];
}

export function bookPane(root, facts, book, onPick) {
  const containers = { asks: $("[data-asks]", root), bids: $("[data-bids]", root) };
  const select = $("[data-group]", root);
  const tick = decimal.parse(facts.tickSize, facts.priceDecimals);
  let step = tick;
  let mine = new Set();

  for (const times of STEPS) {
    const units = tick * times;
    select.append(new Option(decimal.format(units, facts.priceDecimals), units.toString()));
  }
  select.addEventListener("change", () => {
    step = BigInt(select.value);
    draw();
  });

  function side(name) {
    const container = containers[name];
    const count = Math.max(4, Math.min(ROWS_MOST, Math.floor(container.clientHeight / ROW_PX)));
    const found = book.levels(name, count, step);
    return { name, container, count, found };
  }

  function paint({ name, container, count, found }, deepest) {
    const lines = rows(container, count, onPick);
    lines.forEach((line, index) => {
      const level = found[name === "asks" ? count - 1 - index : index];
      const [price, quantity, total] = line.children;
      if (!level) {
        for (const cell of line.children) setText(cell, "");
        line.style.setProperty("--fill", "0");
        delete line.dataset.price;
        delete line.dataset.mine;
        return;
      }
      const text = decimal.format(level.tick, facts.priceDecimals);
      setText(price, decimal.column(text, facts.priceDecimals));
      setText(quantity, decimal.column(decimal.format(level.quantity, facts.quantityDecimals), facts.quantityDecimals));
      setText(total, decimal.column(decimal.format(level.total, facts.quantityDecimals), facts.quantityDecimals));
      line.style.setProperty("--fill", String(Number((level.total * 1000n) / deepest) / 1000));
      line.dataset.price = text;
      if (holdsMine(name, level.tick)) line.dataset.mine = "yes";
      else delete line.dataset.mine;
    });
  }

  function holdsMine(name, at) {
    for (const each of mine) {
      const merged = name === "bids" ? (each.tick / step) * step : ((each.tick + step - 1n) / step) * step;
      if (each.side === name && merged === at) return true;
    }
    return false;
  }

  function spread() {
    const [ask, bid] = [book.best("asks"), book.best("bids")];
    const known = ask !== null && bid !== null;
    const middle = known ? (ask + bid) / 2n : (ask ?? bid);
    setText($("[data-mid]", root), middle === null ? "—" : decimal.column(decimal.format(middle, facts.priceDecimals), facts.priceDecimals));
    setText($("[data-spread]", root), known ? `spread ${decimal.grouped(decimal.format(ask - bid, facts.priceDecimals))}` : "");
  }

  const draw = eachFrame(() => {
    const sides = [side("asks"), side("bids")];
    let deepest = 1n;
    for (const { found } of sides) if (found.length && found.at(-1).total > deepest) deepest = found.at(-1).total;
    for (const each of sides) paint(each, deepest);
    spread();
  });

  new ResizeObserver(draw).observe($("[data-book]", root));
  return {
    draw,
    /** Marks the levels where the customer's own open orders stand: a list of {side: "bids" | "asks", tick}. */
    setMine(list) {
      mine = new Set(list);
      draw();
    },
  };
}
