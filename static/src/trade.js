/** The trade page: one feed, five panes. Each pane draws itself; this file only introduces them to each other. */
import * as decimal from "./lib/decimal.js";
import { Book } from "./lib/book.js";
import { $, $$, flash, setText } from "./lib/dom.js";
import { Feed, showState } from "./lib/feed.js";
import { BookPane } from "./trade/book_pane.js";
import { ChartPane } from "./trade/chart_pane.js";
import { OrderForm } from "./trade/order_form.js";
import { OrdersPane } from "./trade/orders_pane.js";
import { tapePane } from "./trade/tape_pane.js";

const facts = JSON.parse($("#market-facts").textContent);
const root = $("[data-trade]");
const feed = new Feed();
const book = new Book(facts);

function views() {
  const buttons = $$("[data-view-button]", root);
  for (const button of buttons) {
    button.addEventListener("click", () => {
      root.dataset.view = button.dataset.viewButton;
      for (const each of buttons) each.setAttribute("aria-pressed", String(each === button));
    });
  }
}

/** The last price in the strip and in the tab's title; trades are quicker than the ticker, so both feed it. */
function headline() {
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
    const text = decimal.column(decimal.format(units, facts.priceDecimals), facts.priceDecimals);
    setText(figure, text);
    document.title = `${text} ${facts.symbol} · ${facts.siteName}`;
  };
}

function day(ticker) {
  const change = $('[data-day="change"]', root);
  setText(change, decimal.percent(ticker.change));
  change.className = `num ${!ticker.change ? "faint" : ticker.change.startsWith("-") ? "down" : "up"}`;
  setText($('[data-day="high"]', root), decimal.column(ticker.high, facts.priceDecimals));
  setText($('[data-day="low"]', root), decimal.column(ticker.low, facts.priceDecimals));
  setText($('[data-day="volume"]', root), `${decimal.grouped(ticker.volume)} ${facts.base}`);
}

function marketMenu(tickers) {
  for (const ticker of tickers) {
    const line = $(`.market-menu [data-market="${CSS.escape(ticker.market)}"]`, root);
    if (!line) continue;
    const last = $('[data-field="last"]', line);
    setText(last, decimal.column(ticker.last, Number(last.dataset.places)));
    const change = $('[data-field="change"] span', line);
    setText(change, decimal.percent(ticker.change));
    change.className = ticker.change?.startsWith("-") ? "down" : "up";
  }
}

function measureAbove() {
  const strip = $(".demo-strip");
  document.documentElement.style.setProperty("--above", `${strip ? strip.offsetHeight : 0}px`);
}

measureAbove();
addEventListener("resize", measureAbove);
views();

const showLast = headline();
const tape = tapePane(root, facts, showLast);
const form = new OrderForm(root, facts, book);
const levels = new BookPane(root, facts, book, (price) => form.setPrice(price));
const orders = facts.signedIn ? new OrdersPane(root, facts, (ticks) => levels.setMine(ticks)) : null;

showState(feed, $("[data-live-state]", root));
feed.onState((state) => {
  root.dataset.feed = state;
});

feed.subscribe(`book:${facts.symbol}`, (type, data) => {
  if (type === "snapshot") book.snapshot(data);
  else if (type === "update" && book.update(data) === "gap") feed.resync(`book:${facts.symbol}`);
  if (type !== "gap") {
    levels.draw();
    form.bookChanged();
  }
});
feed.subscribe(`trades:${facts.symbol}`, tape.receive);
feed.subscribe(`ticker:${facts.symbol}`, (type, data) => {
  if (type === "gap") return;
  day(data);
  if (type === "snapshot" && data.last) showLast(data.last);
});
feed.subscribe("tickers", (type, data) => data.tickers && marketMenu(data.tickers));
if (facts.signedIn) {
  feed.subscribe("orders", (type, data) => orders.receiveOrders(type, data));
  feed.subscribe("fills", (type, data) => orders.receiveFills(type, data));
  feed.subscribe("balances", (type, data) => data.balances && form.receiveBalances(data.balances));
}
void new ChartPane(root, facts, feed);
feed.start();
