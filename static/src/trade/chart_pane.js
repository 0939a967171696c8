/** Candles and volume. Prices become Numbers here and nowhere else: pixels are not money. */
import { CandlestickSeries, createChart, HistogramSeries } from "lightweight-charts";
import * as api from "../lib/api.js";
import * as decimal from "../lib/decimal.js";
import { $, $$, setText } from "../lib/dom.js";
import * as look from "./chart_look.js";

const PAGE = 300;
/** Older candles are fetched when fewer than this many are left of the visible part. */
const LOOK_AHEAD = 30;
const REMEMBERED = "chart-interval";
const USUAL = "15m";
/** A young market says more in shorter candles: below this many, the next shorter interval is opened, unless one was chosen. */
const FEW = 12;

const seconds = (iso) => Math.floor(Date.parse(iso) / 1000);

/** A browser that keeps nothing simply forgets the interval. */
function remembered() {
  try {
    return localStorage.getItem(REMEMBERED);
  } catch {
    return null;
  }
}

function remember(interval) {
  try {
    localStorage.setItem(REMEMBERED, interval);
  } catch {
    // as above
  }
}

export class ChartPane {
  constructor(root, facts, feed) {
    this.facts = facts;
    this.feed = feed;
    this.box = $("[data-chart]", root);
    this.empty = $("[data-chart-empty]", root);
    this.ohlc = $("[data-ohlc]", root);
    this.buttons = $$("[data-interval]", root);
    this.interval = null;
    this.rows = new Map();
    this.fetching = false;
    this.#make();
    this.#listen();
    const known = this.buttons.some((button) => button.dataset.interval === remembered());
    this.chosen = known;
    this.#choose(known ? remembered() : USUAL);
  }

  #make() {
    const price = (value) => decimal.column(value.toFixed(this.facts.priceDecimals), this.facts.priceDecimals);
    this.chart = createChart(this.box, { autoSize: true, ...look.chart(), localization: { timeFormatter: look.moment, priceFormatter: price } });
    this.chart.timeScale().applyOptions(look.TIME_SCALE);
    this.candles = this.chart.addSeries(CandlestickSeries, {
      ...look.candles(),
      priceFormat: { type: "price", precision: this.facts.priceDecimals, minMove: Number(this.facts.tickSize) },
    });
    this.volume = this.chart.addSeries(HistogramSeries, look.VOLUME);
    this.volume.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.candles.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.22 } });
  }

  #listen() {
    for (const button of this.buttons) {
      button.addEventListener("click", () => {
        this.chosen = true;
        remember(button.dataset.interval);
        this.#choose(button.dataset.interval);
      });
    }
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range && range.from < LOOK_AHEAD && this.rows.size) this.#older();
    });
    this.chart.subscribeCrosshairMove(({ time }) => this.#legend(this.rows.get(time) ?? [...this.rows.values()].at(-1)));
    addEventListener("theme", () => this.#repaint());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#repaint());
  }

  #channel(interval) {
    return `candles:${this.facts.symbol}:${interval}`;
  }

  #choose(wanted) {
    if (this.interval) this.feed.unsubscribe(this.#channel(this.interval));
    this.interval = wanted;
    this.rows = new Map();
    this.oldest = null;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.interval === wanted));
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
    const last = [...this.rows.keys()].at(-1) ?? 0;
    this.#keep(data.candles);
    if (type === "snapshot") this.chart.timeScale().applyOptions({ barSpacing: look.spacing(this.box.clientWidth, this.rows.size) });
    if (type === "snapshot" || !last || data.candles.some((row) => seconds(row.time) < last)) this.#redraw();
    else this.#append(data.candles);
    this.oldest ??= data.candles[0]?.time ?? null;
    if (data.candles.length) this.#legend(data.candles.at(-1));
  }

  #keep(candles) {
    for (const row of candles) this.rows.set(seconds(row.time), row);
    this.rows = new Map([...this.rows].sort(([a], [b]) => a - b));
  }

  #append(candles) {
    for (const row of candles) {
      const [candle, bar] = this.#shapes(row);
      this.candles.update(candle);
      this.volume.update(bar);
    }
  }

  #shapes(row) {
    const time = seconds(row.time);
    const [open, close] = [Number(row.open), Number(row.close)];
    return [
      { time, open, high: Number(row.high), low: Number(row.low), close },
      { time, value: Number(row.volume), color: this.volumeColours[close >= open ? 0 : 1] },
    ];
  }

  #redraw() {
    this.volumeColours = look.volumeColours();
    const all = [...this.rows.values()].map((row) => this.#shapes(row));
    this.candles.setData(all.map(([candle]) => candle));
    this.volume.setData(all.map(([, bar]) => bar));
    this.empty.hidden = all.length > 0;
    this.box.hidden = all.length === 0;
  }

  #repaint() {
    this.chart.applyOptions(look.chart());
    this.candles.applyOptions(look.candles());
    this.#redraw();
  }

  #legend(row) {
    const part = (name, value) => `${name} ${decimal.column(value, this.facts.priceDecimals)}`;
    const words = row ? [part("O", row.open), part("H", row.high), part("L", row.low), part("C", row.close), `V ${decimal.grouped(row.volume)}`] : [];
    setText(this.ohlc, words.join("  "));
  }

  async #older() {
    if (this.fetching || !this.oldest) return;
    this.fetching = true;
    const asked = this.interval;
    try {
      const query = new URLSearchParams({ interval: asked, limit: String(PAGE), before: this.oldest });
      const answer = await api.get(`/markets/${this.facts.symbol}/candles?${query}`);
      if (asked !== this.interval) return;
      this.oldest = answer.data[0]?.time ?? null;
      this.#keep(answer.data);
      if (answer.data.length) this.#redraw();
    } catch (error) {
      console.warn("chart:", error.message);
    } finally {
      this.fetching = false;
    }
  }
}
