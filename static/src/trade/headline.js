/** The strip above: the last price, in the tab's title too, the day, and the other markets. */
import * as decimal from "../lib/decimal.js";
import { $, $$, flash, setText } from "../lib/dom.js";

/** Shows the last price; trades are quicker than the ticker, so both feed it. `onLast` is told its ticks. */
export function lastPrice(root, facts, onLast) {
  const box = $("[data-last]", root);
  const figure = $("[data-last-figure]", root);
  let last = null;
  return (price) => {
    const units = decimal.parse(price, facts.priceDecimals);
    if (units === null || units === last) return;
    if (last !== null) {
      box.dataset.trend = units > last ? "up" : "down";
      flash(box, units > last);
    }
    last = units;
    onLast(units);
    const text = decimal.column(decimal.format(units, facts.priceDecimals), facts.priceDecimals);
    setText(figure, text);
    document.title = `${text} ${facts.symbol} · ${facts.siteName}`;
  };
}

export function day(root, facts, ticker) {
  const change = $('[data-day="change"]', root);
  setText(change, decimal.percent(ticker.change));
  change.className = `num ${!ticker.change ? "faint" : ticker.change.startsWith("-") ? "down" : "up"}`;
  setText($('[data-day="high"]', root), decimal.column(ticker.high, facts.priceDecimals));
  setText($('[data-day="low"]', root), decimal.column(ticker.low, facts.priceDecimals));
  setText($('[data-day="volume"]', root), `${decimal.grouped(decimal.rough(ticker.volume))} ${facts.base}`);
}

/** The menu of markets: live, and searched by typing. */
export function marketMenu(root) {
  const menu = $(".market-menu", root);
  const search = $("[data-menu-search]", menu);
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    for (const line of $$("[data-market]", menu)) line.hidden = !line.textContent.toLowerCase().includes(wanted);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    $("[data-market]:not([hidden])", menu)?.click();
  });
  menu.addEventListener("toggle", () => menu.open && search.focus());
  return (tickers) => {
    for (const ticker of tickers) {
      const line = $(`[data-market="${CSS.escape(ticker.market)}"]`, menu);
      if (!line) continue;
      const last = $('[data-field="last"]', line);
      setText(last, decimal.column(ticker.last, Number(last.dataset.places)));
      const change = $('[data-field="change"] span', line);
      setText(change, decimal.percent(ticker.change));
      change.className = ticker.change?.startsWith("-") ? "down" : "up";
    }
  };
}
