/** The lists of markets: live prices, sorting, search, favourites. */
import * as api from "./lib/api.js";
import * as decimal from "./lib/decimal.js";
import { $, $$, flash, setText } from "./lib/dom.js";
import { siteFeed, showState } from "./lib/feed.js";
import { keep, recall } from "./lib/kept.js";
import { toast } from "./lib/toast.js";
import { t } from "./lib/words.js";

const lists = $$("[data-markets]");
/** Of whoever is not logged in; the account takes them over at the next log-in. */
const REMEMBERED = "favourites";
const SORTED = "markets-sort";

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

// --- Sorting ----------------------------------------------------------------------------------------------------------

function rank(cell, kind) {
  const value = cell.dataset.value ?? cell.textContent;
  if (kind === "text") return value;
  return value === "" || value === "—" ? -Infinity : Number.parseFloat(value);
}

function sort(header, direction) {
  const table = header.closest("table");
  const column = [...header.parentElement.children].indexOf(header);
  const kind = header.dataset.sort;
  for (const each of header.parentElement.children) each.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", direction);
  const sign = direction === "ascending" ? 1 : -1;
  const rows = [...table.tBodies[0].rows].sort((a, b) => {
    const [x, y] = [rank(a.cells[column], kind), rank(b.cells[column], kind)];
    return sign * (kind === "text" ? x.localeCompare(y) : x - y || 0);
  });
  table.tBodies[0].append(...rows);
}

function sortable(header) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "sort";
  button.textContent = header.textContent;
  header.replaceChildren(button);
  button.addEventListener("click", () => {
    const first = header.dataset.sort === "text" ? "ascending" : "descending";
    const other = first === "ascending" ? "descending" : "ascending";
    const direction = header.getAttribute("aria-sort") === first ? other : first;
    sort(header, direction);
    keep(SORTED, { column: header.cellIndex, direction });
  });
}

function sortAsBefore() {
  const { column, direction } = recall(SORTED, {});
  const header = $$("th[data-sort]").find((each) => each.cellIndex === column);
  if (header && (direction === "ascending" || direction === "descending")) sort(header, direction);
}

// --- Search and favourites --------------------------------------------------------------------------------------------

const wanted = { text: "", show: "" };

function narrow() {
  let shown = 0;
  for (const row of $$("tbody [data-market]")) {
    const starred = row.dataset.starred !== undefined;
    const fits = wanted.show === "" || (wanted.show === "starred" ? starred : row.dataset.quote === wanted.show);
    row.hidden = !fits || !$(".pair", row).textContent.toLowerCase().includes(wanted.text);
    shown += row.hidden ? 0 : 1;
  }
  const none = $("[data-no-match]");
  if (!none) return;
  none.hidden = shown > 0;
  const noStars = wanted.show === "starred" && !wanted.text;
  $('[data-none="starred"]', none).hidden = !noStars;
  $('[data-none="search"]', none).hidden = noStars;
}

function tools(bar) {
  bar.hidden = false;
  $("[data-market-search]", bar).addEventListener("input", (event) => {
    wanted.text = event.target.value.trim().toLowerCase();
    narrow();
  });
  const buttons = $$("[data-show]", bar);
  for (const button of buttons) {
    button.addEventListener("click", () => {
      wanted.show = button.dataset.show;
      for (const each of buttons) each.setAttribute("aria-pressed", String(each === button));
      narrow();
    });
  }
}

const signedIn = "signedIn" in document.body.dataset;
const address = () => $("[data-star-form]")?.action;

function send(markets, on) {
  const body = new URLSearchParams([["wanted", on ? "yes" : "no"], ...markets.map((market) => ["market", market])]);
  const headers = { "X-CSRFToken": api.csrfToken(), "X-Requested-With": "fetch" };
  return fetch(address(), { method: "POST", body, headers, credentials: "same-origin" }).then((answer) => {
    if (!answer.ok) throw new Error(String(answer.status));
  });
}

function paint(row, on) {
  if (on) row.dataset.starred = "";
  else delete row.dataset.starred;
  $("[data-star]", row).setAttribute("aria-pressed", String(on));
}

function stars() {
  const rows = $$("tr[data-market]");
  const kept = new Set(recall(REMEMBERED, []));
  if (signedIn && kept.size && address()) {
    for (const row of rows) if (kept.has(row.dataset.market)) paint(row, true);
    send([...kept], true).then(() => keep(REMEMBERED, [])).catch(() => null);
  }
  for (const row of rows) {
    const button = $("[data-star]", row);
    button.hidden = false;
    if (!signedIn) paint(row, kept.has(row.dataset.market));
    button.addEventListener("click", (event) => {
      event.preventDefault();
      const on = row.dataset.starred === undefined;
      paint(row, on);
      narrow();
      if (signedIn) {
        send([row.dataset.market], on).catch(() => {
          paint(row, !on);
          toast(t("Not kept"), { detail: t("The site did not answer. Try again."), look: "bad" });
        });
      } else {
        if (on) kept.add(row.dataset.market);
        else kept.delete(row.dataset.market);
        keep(REMEMBERED, [...kept]);
      }
    });
  }
}

document.addEventListener("click", (event) => {
  const row = event.target.closest("tr[data-link]");
  if (row && !event.target.closest("a, button, .star-cell")) location.href = row.dataset.link;
});

$$("th[data-sort]").forEach(sortable);
sortAsBefore();
$$("[data-market-tools]").forEach(tools);
stars();

if (lists.length) {
  const feed = siteFeed();
  showState(feed, $("[data-live-state]"));
  feed.subscribe("tickers", (type, data) => data.tickers?.forEach(show)).start();
}
