/** Candles, volume, indicators and one's own orders. Prices become Numbers here and nowhere else: pixels are not money. */
import { CandlestickSeries, createChart, HistogramSeries } from "lightweight-charts";
import * as api from "../lib/api.js";
import * as decimal from "../lib/decimal.js";
import { $, $$, colour, setText } from "../lib/dom.js";
import { CandleStore } from "./candle_store.js";
import * as look from "./chart_look.js";
import { keep, recall } from "../lib/kept.js";
import { sideWord } from "./order_words.js";
import { Overlays } from "./overlays.js";

const PAGE = 500;
/** Older candles are fetched when fewer than this many are left of the visible part. */
const LOOK_AHEAD = 50;
const REMEMBERED = "chart-interval";
const USUAL = "15m";
/** A young market says more in shorter candles: below this many, the next shorter interval is opened, unless one was chosen. */
const FEW = 12;
/** More orders than these are lines without labels: the axis has to stay readable. */
const LABELS_MOST = 6;

export class ChartPane {
  constructor(root, facts, feed) {
    Object.assign(this, { facts, feed });
    this.box = $("[data-chart]", root);
    this.empty = $("[data-chart-empty]", root);
    this.ohlc = $("[data-ohlc]", root);
    this.buttons = $$("[data-interval]", root);
    this.others = $("[data-more-intervals]", root);
    this.interval = null;
    this.store = new CandleStore();
    this.orders = new Map();
    this.fetching = false;
    this.#make();
    this.overlays = new Overlays(root, this.chart, (value) => this.#price(value), () => this.overlays.draw(this.store.rows));
    this.#listen();
    const known = this.#intervals().includes(recall(REMEMBERED));
    this.chosen = known;
    this.#choose(known ? recall(REMEMBERED) : USUAL);
  }

  /** Lines where one's own orders stand. */
  setOrders(orders) {
    const wanted = new Map(orders.map((order) => [order.id, order]));
    const axisLabelVisible = orders.length <= LABELS_MOST;
    for (const [id, line] of this.orders) {
      if (wanted.has(id)) continue;
      this.candles.removePriceLine(line);
      this.orders.delete(id);
    }
    for (const order of wanted.values()) {
      const price = Number(order.state === "pending" ? order.stop_price : order.price);
      if (!price) continue;
      const options = { price, color: colour(order.side === "buy" ? "--up" : "--down"), lineWidth: 1, lineStyle: order.state === "pending" ? 1 : 2 };
      const words = `${sideWord(order.side)} ${order.quantity ? decimal.grouped(order.quantity) : ""}`;
      const shown = { ...options, title: axisLabelVisible ? words : "", axisLabelVisible };
      if (this.orders.has(order.id)) this.orders.get(order.id).applyOptions(shown);
      else this.orders.set(order.id, this.candles.createPriceLine(shown));
    }
  }

  #price(value) {
    return decimal.column(value.toFixed(this.facts.priceDecimals), this.facts.priceDecimals);
  }

  #make() {
    const localization = { timeFormatter: look.moment, priceFormatter: (value) => this.#price(value) };
    this.chart = createChart(this.box, { autoSize: true, ...look.chart(), localization });
    this.chart.timeScale().applyOptions(look.TIME_SCALE);
    this.candles = this.chart.addSeries(CandlestickSeries, {
      ...look.candles(),
      priceFormat: { type: "price", precision: this.facts.priceDecimals, minMove: Number(this.facts.tickSize) },
    });
    this.volume = this.chart.addSeries(HistogramSeries, look.VOLUME);
    this.volume.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.candles.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.22 } });
  }

  #intervals() {
    return [...this.buttons.map((button) => button.dataset.interval), ...[...this.others.options].map((option) => option.value).filter(Boolean)];
  }

  #listen() {
    const chosen = (interval) => {
      this.chosen = true;
      keep(REMEMBERED, interval);
      this.#choose(interval);
    };
    for (const button of this.buttons) button.addEventListener("click", () => chosen(button.dataset.interval));
    this.others.addEventListener("change", () => this.others.value && chosen(this.others.value));
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range && range.from < LOOK_AHEAD && this.store.oldest) void this.#older();
    });
    this.chart.subscribeCrosshairMove(({ time, logical }) => {
      const row = time === undefined ? null : this.store.at(time);
      this.#legend(row ?? this.store.last);
      this.overlays.say(row ? logical : this.store.rows.length - 1);
    });
    addEventListener("theme", () => this.#repaint());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#repaint());
  }

  #channel(interval) {
    return `candles:${this.facts.symbol}:${interval}`;
  }

  #choose(wanted) {
    if (this.interval) this.feed.unsubscribe(this.#channel(this.interval));
    this.interval = wanted;
    this.store = new CandleStore();
    this.exhausted = false;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.interval === wanted));
    this.others.value = this.buttons.some((button) => button.dataset.interval === wanted) ? "" : wanted;
    this.feed.subscribe(this.#channel(wanted), (type, data) => this.#receive(type, data));
  }

  #shorter() {
    const index = this.buttons.findIndex((button) => button.dataset.interval === this.interval);
    return this.buttons[index - 1]?.dataset.interval;
  }

  #receive(type, data) {
    if (type === "gap" || data.interval !== this.interval) return;
    if (type === "snapshot" && !this.chosen && data.candles.length < FEW && this.#shorter()) {
      this.#choose(this.#shorter());
      return;
    }
    const fresh = this.store.last === null;
    const touched = this.store.merge(data.candles);
    if (type === "snapshot" && fresh) this.chart.timeScale().applyOptions({ barSpacing: look.spacing(this.box.clientWidth, this.store.rows.length) });
    if (fresh || type === "snapshot" || touched === "all") this.#redraw();
    else if (touched === "tail") this.#append(data.candles.length);
    this.#legend(this.store.last);
  }

  #append(count) {
    for (const row of this.store.rows.slice(-count)) {
      const [candle, bar] = this.#shapes(row);
      this.candles.update(candle);
      this.volume.update(bar);
    }
    this.overlays.follow(this.store.rows);
  }

  #shapes(row) {
    const [open, close] = [Number(row.open), Number(row.close)];
    return [
      { time: row.at, open, high: Number(row.high), low: Number(row.low), close },
      { time: row.at, value: Number(row.volume), color: this.volumeColours[close >= open ? 0 : 1] },
    ];
  }

  #redraw() {
    this.volumeColours = look.volumeColours();
    const all = this.store.rows.map((row) => this.#shapes(row));
    this.candles.setData(all.map(([candle]) => candle));
    this.volume.setData(all.map(([, bar]) => bar));
    this.overlays.draw(this.store.rows);
    this.empty.hidden = all.length > 0;
    this.box.dataset.drawn = String(all.length);
  }

  #repaint() {
    this.chart.applyOptions(look.chart());
    this.candles.applyOptions(look.candles());
    this.overlays.repaint();
    this.#redraw();
  }

  #legend(row) {
    const part = (name, value) => `${name} ${decimal.column(value, this.facts.priceDecimals)}`;
    const words = row ? [part("O", row.open), part("H", row.high), part("L", row.low), part("C", row.close), `V ${decimal.grouped(row.volume)}`] : [];
    setText(this.ohlc, words.join("  "));
  }

  async #older() {
    if (this.fetching || this.exhausted) return;
    this.fetching = true;
    const asked = this.interval;
    try {
      const query = new URLSearchParams({ interval: asked, limit: String(PAGE), before: this.store.oldest.time });
      const { data } = await api.get(`/markets/${this.facts.symbol}/candles?${query}`);
      if (asked !== this.interval) return;
      this.exhausted = data.length === 0;
      if (this.store.merge(data) !== "none") this.#redraw();
    } catch (error) {
      console.warn("chart:", error.message);
    } finally {
      this.fetching = false;
    }
  }
}
