/** Candles and volume. Prices become Numbers here and nowhere else: pixels are not money. */
import { CandlestickSeries, createChart, CrosshairMode, HistogramSeries } from "lightweight-charts";
import * as api from "../lib/api.js";
import * as decimal from "../lib/decimal.js";
import { $, $$, colour, setText } from "../lib/dom.js";

const PAGE = 300;
/** Older candles are fetched when fewer than this many are left of the visible part. */
const LOOK_AHEAD = 30;
const REMEMBERED = "chart-interval";
/** A young market says more in shorter candles: below this many, the next shorter interval is opened, unless one was chosen. */
const FEW = 12;

const seconds = (iso) => Math.floor(Date.parse(iso) / 1000);

function look() {
  return {
    layout: { background: { color: colour("--surface") }, textColor: colour("--text-faint"), attributionLogo: false, fontSize: 11 },
    grid: { vertLines: { color: colour("--chart-grid") }, horzLines: { color: colour("--chart-grid") } },
    rightPriceScale: { borderColor: colour("--line") },
    timeScale: { borderColor: colour("--line") },
    crosshair: { mode: CrosshairMode.Normal, vertLine: { labelBackgroundColor: colour("--text-soft") }, horzLine: { labelBackgroundColor: colour("--text-soft") } },
  };
}

function candleLook() {
  const [up, down] = [colour("--up"), colour("--down")];
  return { upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false };
}

function local(time, options) {
  return new Date(time * 1000).toLocaleString([], options);
}

const HOUR = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
/** By the library's kinds of marks: year, month, day, time, time with seconds (our shortest candle is a minute). */
const TICK_FORMATS = [{ year: "numeric" }, { month: "short" }, { day: "numeric", month: "short" }, HOUR, HOUR];

export function chartPane(root, facts, feed) {
  const box = $("[data-chart]", root);
  const empty = $("[data-chart-empty]", root);
  const ohlc = $("[data-ohlc]", root);
  const buttons = $$("[data-interval]", root);
  const chart = createChart(box, {
    autoSize: true,
    ...look(),
    localization: {
      timeFormatter: (time) => local(time, { day: "numeric", month: "short", ...HOUR }),
      priceFormatter: (price) => decimal.column(price.toFixed(facts.priceDecimals), facts.priceDecimals),
    },
  });
  chart.timeScale().applyOptions({ timeVisible: true, rightOffset: 4, barSpacing: 9, tickMarkFormatter: (time, kind) => local(time, TICK_FORMATS[kind]) });
  const candles = chart.addSeries(CandlestickSeries, {
    ...candleLook(),
    priceFormat: { type: "price", precision: facts.priceDecimals, minMove: Number(facts.tickSize) },
  });
  const volume = chart.addSeries(HistogramSeries, { priceScaleId: "", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false });
  volume.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
  candles.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.22 } });

  let interval = null;
  let rows = new Map();
  let oldest = null;
  let fetching = false;
  let volumeColours = [];
  let chosen = false;

  function shapes(row) {
    const time = seconds(row.time);
    const [open, close] = [Number(row.open), Number(row.close)];
    return [
      { time, open, high: Number(row.high), low: Number(row.low), close },
      { time, value: Number(row.volume), color: volumeColours[close >= open ? 0 : 1] },
    ];
  }

  function redraw() {
    volumeColours = [colour("--up-depth"), colour("--down-depth")];
    const all = [...rows.values()].sort((a, b) => seconds(a.time) - seconds(b.time)).map(shapes);
    candles.setData(all.map(([candle]) => candle));
    volume.setData(all.map(([, bar]) => bar));
    empty.hidden = all.length > 0;
    box.hidden = all.length === 0;
  }

  function legend(row) {
    const part = (name, value) => `${name} ${decimal.column(value, facts.priceDecimals)}`;
    setText(ohlc, row ? [part("O", row.open), part("H", row.high), part("L", row.low), part("C", row.close), `V ${decimal.grouped(row.volume)}`].join("  ") : "");
  }

  function receive(type, data) {
    if (type === "gap" || data.interval !== interval) return;
    if (type === "snapshot" && !chosen && data.candles.length < FEW && shorter()) return choose(shorter());
    const last = [...rows.keys()].at(-1) ?? 0;
    for (const row of data.candles) rows.set(seconds(row.time), row);
    if (type === "snapshot" || !last || data.candles.some((row) => seconds(row.time) < last)) {
      rows = new Map([...rows].sort(([a], [b]) => a - b));
      redraw();
    } else {
      for (const row of data.candles) {
        const [candle, bar] = shapes(row);
        candles.update(candle);
        volume.update(bar);
      }
    }
    oldest ??= data.candles[0]?.time ?? null;
    if (data.candles.length) legend(data.candles.at(-1));
    return undefined;
  }

  async function older() {
    if (fetching || !oldest) return;
    fetching = true;
    const asked = interval;
    try {
      const answer = await api.get(`/markets/${facts.symbol}/candles?interval=${interval}&limit=${PAGE}&before=${encodeURIComponent(oldest)}`);
      if (asked !== interval) return;
      oldest = answer.data.length ? answer.data[0].time : null;
      for (const row of answer.data) rows.set(seconds(row.time), row);
      rows = new Map([...rows].sort(([a], [b]) => a - b));
      if (answer.data.length) redraw();
    } catch (error) {
      console.warn("chart:", error.message);
    } finally {
      fetching = false;
    }
  }

  function shorter() {
    const index = buttons.findIndex((button) => button.dataset.interval === interval);
    return buttons[index - 1]?.dataset.interval;
  }

  function choose(wanted) {
    if (interval) feed.unsubscribe(`candles:${facts.symbol}:${interval}`);
    interval = wanted;
    rows = new Map();
    oldest = null;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.interval === wanted));
    feed.subscribe(`candles:${facts.symbol}:${interval}`, receive);
  }

  function repaint() {
    chart.applyOptions(look());
    candles.applyOptions(candleLook());
    redraw();
  }

  for (const button of buttons) {
    button.addEventListener("click", () => {
      chosen = true;
      choose(button.dataset.interval);
      try {
        localStorage.setItem(REMEMBERED, button.dataset.interval);
      } catch {
        // a browser that keeps nothing simply forgets the interval
      }
    });
  }
  chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
    if (range && range.from < LOOK_AHEAD && rows.size) older();
  });
  chart.subscribeCrosshairMove(({ time }) => legend(rows.get(time) ?? [...rows.values()].at(-1)));
  addEventListener("theme", repaint);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

  let first = "15m";
  try {
    chosen = localStorage.getItem(REMEMBERED) !== null;
    first = localStorage.getItem(REMEMBERED) ?? first;
  } catch {
    // as above
  }
  choose(buttons.some((button) => button.dataset.interval === first) ? first : "15m");
}
