/** How the chart looks: colours from the tokens, times in the reader's own zone. */
import { CrosshairMode } from "lightweight-charts";
import { colour } from "../lib/dom.js";

const HOUR = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
/** By the library's kinds of marks: year, month, day, time, time with seconds (our shortest candle is a minute). */
const MARKS = [{ year: "numeric" }, { month: "short" }, { day: "numeric", month: "short" }, HOUR, HOUR];

const local = (time, options) => new Date(time * 1000).toLocaleString([], options);

export const moment = (time) => local(time, { day: "numeric", month: "short", ...HOUR });

export const TIME_SCALE = { timeVisible: true, rightOffset: 4, tickMarkFormatter: (time, kind) => local(time, MARKS[kind]) };
export const VOLUME = { priceScaleId: "", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false };

/** Pixels a candle: a few candles are drawn wide, many at the usual width. */
export function spacing(width, candles) {
  return Math.max(8, Math.min(18, width / (candles + 8)));
}

export function chart() {
  const label = { labelBackgroundColor: colour("--text-soft") };
  return {
    layout: { background: { color: colour("--surface") }, textColor: colour("--text-faint"), attributionLogo: false, fontSize: 11 },
    grid: { vertLines: { color: colour("--chart-grid") }, horzLines: { color: colour("--chart-grid") } },
    rightPriceScale: { borderColor: colour("--line") },
    timeScale: { borderColor: colour("--line") },
    crosshair: { mode: CrosshairMode.Normal, vertLine: label, horzLine: label },
  };
}

export function candles() {
  const [up, down] = [colour("--up"), colour("--down")];
  return { upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false };
}

/** Of a rising candle's bar, and of a falling one's. */
export const volumeColours = () => [colour("--up-depth"), colour("--down-depth")];
