/** The lists of markets: live prices, sorting, search. */
import * as decimal from "./lib/decimal.js";
import { $, $$, flash, setText } from "./lib/dom.js";
import { Feed, showState } from "./lib/feed.js";

const lists = $$("[data-markets]");

/** Every place on the page that shows a field of a market. */
function places(symbol, field) {
  return lists.flatMap((list) => $$(`[data-market="${CSS.escape(symbol)}"] [data-field="${field}"]`, list));
}

const SHOWN = {
  last: (ticker, place) => decimal.column(ticker.last, Number(place.dataset.places ?? 0)),
  high: (ticker, place) => decimal.column(ticker.high, Number(place.dataset.places ?? 0)),
  low: (ticker, place) => decimal.column(ticker.low, Number(place.dataset.places ?? 0)),
  change: (ticker) => decimal.percent(ticker.change),
  quote_volume: (ticker) => decimal.grouped(decimal.rough(ticker.quote_volume)),
};

function show(ticker) {
  for (const [field, words] of Object.entries(SHOWN)) {
    for (const place of places(ticker.market, field)) {
      const inner = $("strong, span:not(.faint)", place);
      const text = words(ticker, place);
      const before = place.dataset.value;
      place.dataset.value = ticker[field] ?? "";
      if (field === "quote_volume") place.firstChild.textContent = `${text} `;
      else setText(inner ?? place, text);
      if (field === "change" && inner) inner.className = ticker.change?.startsWith("-") ? "down" : "up";
      if (field === "last" && before && ticker.last && before !== ticker.last) flash(place, Number(ticker.last) > Number(before));
    }
  }
}

function rank(cell, kind) {
  const value = cell.dataset.value ?? cell.textContent;
  if (kind === "text") return value;
  return value === "" || value === "—" ? -Infinity : Number.parseFloat(value);
}

function sortable(header) {
  const table = header.closest("table");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "sort";
  button.textContent = header.textContent;
  header.replaceChildren(button);
  button.addEventListener("click", () => {
    const column = [...header.parentElement.children].indexOf(header);
    const kind = header.dataset.sort;
    const first = kind === "text" ? "ascending" : "descending";
    const other = first === "ascending" ? "descending" : "ascending";
    const direction = header.getAttribute("aria-sort") === first ? other : first;
    for (const each of header.parentElement.children) each.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    const body = table.tBodies[0];
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [rank(a.cells[column], kind), rank(b.cells[column], kind)];
      return sign * (kind === "text" ? x.localeCompare(y) : x - y || 0);
    });
    body.append(...rows);
  });
}

function search(box) {
  box.hidden = false;
  const none = $("[data-no-match]");
  $("input", box).addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    let shown = 0;
    for (const row of $$("tbody [data-market]")) {
      row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
      shown += row.hidden ? 0 : 1;
    }
    if (none) none.hidden = shown > 0;
  });
}

document.addEventListener("click", (event) => {
  const row = event.target.closest("tr[data-link]");
  if (row && !event.target.closest("a, button")) location.href = row.dataset.link;
});

$$("th[data-sort]").forEach(sortable);
$$("[data-market-search]").forEach(search);

if (lists.length) {
  const feed = new Feed();
  showState(feed, $("[data-live-state]"));
  feed.subscribe("tickers", (type, data) => data.tickers?.forEach(show)).start();
}
