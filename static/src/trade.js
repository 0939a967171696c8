/** The trade page: one feed, some panes. Each pane draws itself; this file only introduces them to each other. */
import { Book } from "./lib/book.js";
import { $, $$ } from "./lib/dom.js";
import { siteFeed } from "./lib/feed.js";
import { BookPane } from "./trade/book_pane.js";
import { connection } from "./trade/connection.js";
import { DepthPane } from "./trade/depth_pane.js";
import { day, lastPrice, marketMenu } from "./trade/headline.js";
import { keep, recall } from "./lib/kept.js";
import { keys } from "./trade/keys.js";
import { OrderForm } from "./trade/order_form.js";
import { levels as ownLevels, OrdersPane } from "./trade/orders_pane.js";
import { Sender } from "./trade/sender.js";
import { tapePane } from "./trade/tape_pane.js";

const facts = JSON.parse($("#market-facts").textContent);
const root = $("[data-trade]");
const feed = siteFeed();
const book = new Book(facts);
const PLOT = "chart-plot";

/** On a phone one of chart, book and trades is shown at a time. */
function views() {
  const buttons = $$("[data-view-button]", root);
  for (const button of buttons) {
    button.addEventListener("click", () => {
      root.dataset.view = button.dataset.viewButton;
      for (const each of buttons) each.setAttribute("aria-pressed", String(each === button));
    });
  }
}

/** Candles or depth. */
function plots(depth) {
  const panel = $(".panel-chart", root);
  const show = (plot) => {
    panel.dataset.plot = plot;
    $("[data-chart-box]", panel).hidden = plot !== "price";
    $("[data-depth]", panel).hidden = plot !== "depth";
    for (const each of $$("[data-plot-button]", panel)) each.setAttribute("aria-pressed", String(each.dataset.plotButton === plot));
    depth.draw();
  };
  for (const button of $$("[data-plot-button]", panel)) {
    button.addEventListener("click", () => {
      keep(PLOT, button.dataset.plotButton);
      show(button.dataset.plotButton);
    });
  }
  show(recall(PLOT) === "depth" ? "depth" : "price");
  return () => $(`[data-plot-button="${panel.dataset.plot === "price" ? "depth" : "price"}"]`, panel).click();
}

/** Buttons at a phone's foot lead to the form, and go where it is in sight. */
function jump(form) {
  const bar = $("[data-jump]", root);
  const panel = $(".panel-form", root);
  for (const button of $$("[data-jump-side]", bar)) {
    button.addEventListener("click", () => {
      form.setSide(button.dataset.jumpSide);
      panel.scrollIntoView({ block: "start" });
      form.focus("quantity");
    });
  }
  new IntersectionObserver(([seen]) => (bar.hidden = seen.isIntersecting), { rootMargin: "0px 0px -45% 0px" }).observe(panel);
}

function measureAbove() {
  const strip = $(".demo-strip");
  document.documentElement.style.setProperty("--above", `${strip ? strip.offsetHeight : 0}px`);
}

measureAbove();
addEventListener("resize", measureAbove);
views();

const sender = new Sender(feed);
let chart = null;
let mine = [];
const form = new OrderForm(root, facts, book, sender, (answer) => orders.tellPlaced(answer));
const levels = new BookPane(root, facts, book, (price) => form.setPrice(price));
const depth = new DepthPane(root, facts, book);
const orders = facts.signedIn
  ? new OrdersPane(root, facts, sender, (open) => {
      mine = open;
      levels.setMine(ownLevels(open, facts.priceDecimals));
      chart?.setOrders(open);
    })
  : null;
const showLast = lastPrice(root, facts, (ticks) => form.setLast(ticks));
if (facts.last) showLast(facts.last);
const tape = tapePane(root, facts, showLast);
const menu = marketMenu(root);
const otherPlot = plots(depth);
jump(form);
connection(root, feed);

feed.subscribe(`book:${facts.symbol}`, (type, data) => {
  if (type === "snapshot") book.snapshot(data);
  else if (type === "update" && book.update(data) === "gap") feed.resync(`book:${facts.symbol}`);
  if (type !== "gap") {
    levels.draw();
    depth.draw();
    form.bookChanged();
  }
});
feed.subscribe(`trades:${facts.symbol}`, tape.receive);
feed.subscribe(`ticker:${facts.symbol}`, (type, data) => {
  if (type === "gap") return;
  day(root, facts, data);
  if (type === "snapshot" && data.last) showLast(data.last);
});
feed.subscribe(`market:${facts.symbol}`, (type, data) => type !== "gap" && form.receiveMarket(data));
feed.subscribe("tickers", (type, data) => data.tickers && menu(data.tickers));
if (orders) {
  feed.subscribe("orders", (type, data) => orders.receiveOrders(type, data));
  feed.subscribe("fills", (type, data) => orders.receiveFills(type, data));
  feed.subscribe("balances", (type, data) => data.balances && form.receiveBalances(data.balances));
}
feed.start();

keys(root, {
  b: () => form.setSide("buy"),
  s: () => form.setSide("sell"),
  l: () => form.setKind("limit"),
  m: () => form.setKind("market"),
  c: () => form.setKind("conditional"),
  p: () => form.focus("price"),
  a: () => form.focus("quantity"),
  t: () => form.focus("total"),
  d: otherPlot,
  o: () => $("[role=tab][aria-selected=true]", root).focus(),
  x: () => $("[data-cancel-all]:not([hidden])", root)?.click(),
  "/": () => ($(".market-menu", root).open = true),
});

// The chart is the heaviest part and comes last: everything above works without it.
const { ChartPane } = await import(root.dataset.chartSrc);
chart = new ChartPane(root, facts, feed);
chart.setOrders(mine);
