/** Moving averages over the candles and relative strength below them: which are shown, how long they are, and their lines. */
import { LineSeries } from "lightweight-charts";
import { $, $$, colour, setText } from "../lib/dom.js";
import { INDICATORS, length } from "./indicators.js";
import { keep, recall } from "../lib/kept.js";

const REMEMBERED = "chart-indicators";
const TOKENS = { ma: "--chart-ma", ema: "--chart-ema", rsi: "--chart-rsi" };
const RSI_LEVELS = [30, 70];
/** The strength's pane takes a quarter of the height. */
const STRETCH = [3, 1];

export class Overlays {
  /** `onChange` is called when other lines are wanted. */
  constructor(root, chart, price, onChange) {
    Object.assign(this, { chart, price });
    this.menu = $("[data-indicators]", root);
    this.legend = $("[data-indicator-legend]", root);
    this.series = new Map();
    this.chosen = recall(REMEMBERED, {});
    for (const [name, { usual }] of Object.entries(INDICATORS)) {
      const [box, input] = [$(`[data-indicator="${name}"]`, this.menu), $(`[data-length="${name}"]`, this.menu)];
      box.checked = Boolean(this.chosen[name]);
      input.value = String(length(this.chosen[name], name) ?? usual);
    }
    this.menu.addEventListener("change", () => {
      this.#read();
      onChange();
    });
    this.#read();
  }

  /** Colours are another theme's. */
  repaint() {
    for (const [name, line] of this.series) line.applyOptions({ color: colour(TOKENS[name]) });
  }

  /** All lines anew. `rows` are candles with numbers for times and closes. */
  draw(rows) {
    this.values = new Map();
    for (const [name, line] of this.series) {
      const found = this.#values(name, rows);
      line.setData(rows.map((row, index) => (found[index] === null ? { time: row.at } : { time: row.at, value: found[index] })));
    }
    this.say(rows.length - 1);
  }

  /** Only the last candle's: it is the one that moves. */
  follow(rows) {
    const last = rows.length - 1;
    for (const [name, line] of this.series) {
      const value = this.#values(name, rows)[last];
      if (value !== null) line.update({ time: rows[last].at, value });
    }
    this.say(last);
  }

  /** The values at a candle, beside the chart. */
  say(index) {
    for (const place of $$("[data-legend]", this.legend)) {
      const name = place.dataset.legend;
      const value = this.values?.get(name)?.[index] ?? null;
      place.hidden = !this.series.has(name);
      const figure = value === null ? "—" : INDICATORS[name].apart ? value.toFixed(1) : this.price(value);
      setText(place, `${name.toUpperCase()} ${this.chosen[name]}  ${figure}`);
    }
  }

  #values(name, rows) {
    const found = INDICATORS[name].compute(rows.map((row) => Number(row.close)), this.chosen[name]);
    this.values.set(name, found);
    return found;
  }

  #read() {
    this.chosen = {};
    for (const name of Object.keys(INDICATORS)) {
      const input = $(`[data-length="${name}"]`, this.menu);
      if ($(`[data-indicator="${name}"]`, this.menu).checked) this.chosen[name] = length(input.value, name);
    }
    keep(REMEMBERED, this.chosen);
    for (const [name, { apart }] of Object.entries(INDICATORS)) {
      if (name in this.chosen && !this.series.has(name)) this.#add(name, apart);
      if (!(name in this.chosen) && this.series.has(name)) this.#remove(name);
    }
  }

  #add(name, apart) {
    const line = { color: colour(TOKENS[name]), lineWidth: 2, priceLineVisible: false, lastValueVisible: apart, crosshairMarkerVisible: false };
    const series = this.chart.addSeries(LineSeries, { ...line, priceFormat: apart ? { type: "price", precision: 1, minMove: 0.1 } : undefined }, apart ? 1 : 0);
    if (apart) {
      for (const price of RSI_LEVELS) series.createPriceLine({ price, color: colour("--text-faint"), lineWidth: 1, lineStyle: 2, axisLabelVisible: false });
      this.chart.panes().forEach((pane, index) => pane.setStretchFactor(STRETCH[index]));
    }
    this.series.set(name, series);
  }

  #remove(name) {
    this.chart.removeSeries(this.series.get(name));
    this.series.delete(name);
  }
}
