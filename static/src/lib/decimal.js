/**
 * Money in the browser: decimal text in, BigInt of the smallest unit inside, decimal text out.
 * No Number ever holds an amount; a chart's pixels and a bar's width may, money may not.
 */
import { locale } from "./words.js";

const PLAIN = /^(\d+)(?:\.(\d*))?$|^\.(\d+)$/;

/** Smallest units of a decimal text, or null when it is no plain decimal or has more places than `decimals`. */
export function parse(text, decimals) {
  const match = PLAIN.exec(String(text ?? "").trim());
  if (!match) return null;
  const whole = match[1] ?? "0";
  const fraction = (match[2] ?? match[3] ?? "").replace(/0+$/, "");
  if (fraction.length > decimals) return null;
  return BigInt(whole + fraction.padEnd(decimals, "0"));
}

/** Decimal text of smallest units; trailing zeros go unless `keep` places are asked for. */
export function format(units, decimals, keep = 0) {
  const sign = units < 0n ? "-" : "";
  const digits = (units < 0n ? -units : units).toString().padStart(decimals + 1, "0");
  const whole = decimals ? digits.slice(0, -decimals) : digits;
  let fraction = decimals ? digits.slice(-decimals) : "";
  while (fraction.length > keep && fraction.endsWith("0")) fraction = fraction.slice(0, -1);
  return sign + whole + (fraction ? "." + fraction : "");
}

/** The same value at another number of places: down by default, up when `up` is true. */
export function rescale(units, from, to, up = false) {
  if (to >= from) return units * 10n ** BigInt(to - from);
  const divisor = 10n ** BigInt(from - to);
  return up ? (units + divisor - 1n) / divisor : units / divisor;
}

/** In every language a point stands before the decimals; a comma groups in English alone, so no amount can be read two ways. */
const english = locale.startsWith("en");
const GROUP = english ? "," : "\u202f";

const SPACES = /(?<=\d)[\s\u00a0\u202f'](?=\d{3}(?!\d))/g;
const ENGLISH_GROUPS = /^[1-9]\d{0,2}(,\d{3})+(\.\d*)?$/;
const POINT_GROUPS = /^[1-9]\d{0,2}(\.\d{3})+,\d*$/;
const DECIMAL_COMMA = /^\d*,\d*$/;
const TWO_READINGS = /^[1-9]\d{0,2},\d{3}$/;

/** What a person typed, as plain decimal text; null where it could be read as two amounts. exchange/site/typed.py does the same. */
export function typed(text) {
  const given = String(text ?? "").trim().replace(SPACES, "");
  if (!given.includes(",")) return given;
  if (ENGLISH_GROUPS.test(given) && (english || !TWO_READINGS.test(given))) return given.replaceAll(",", "");
  if (POINT_GROUPS.test(given)) return given.replaceAll(".", "").replace(",", ".");
  if (DECIMAL_COMMA.test(given) && !TWO_READINGS.test(given)) return given.replace(",", ".");
  return null;
}

/** Groups of three in the whole part: "1234567.50" → "1,234,567.50", or with thin spaces. */
export function grouped(text) {
  if (text === null || text === undefined || text === "") return "—";
  const [, sign, whole, rest] = /^(-?)(\d+)(.*)$/.exec(String(text)) ?? [];
  if (whole === undefined) return String(text);
  return (sign ? "−" : "") + whole.replace(/\B(?=(\d{3})+$)/g, GROUP) + rest;
}

/** Decimal text padded (never cut) to `places`, then grouped; for columns that line up. */
export function column(text, places) {
  if (text === null || text === undefined || text === "") return "—";
  const [whole, fraction = ""] = String(text).split(".");
  return grouped(places ? `${whole}.${fraction.padEnd(places, "0")}` : whole);
}

/** A decimal text to about four digits, for volumes. */
export function rough(text) {
  if (!text) return text;
  const [whole, fraction = ""] = String(text).split(".");
  const kept = fraction.slice(0, Math.max(0, 4 - whole.length)).replace(/0+$/, "");
  return kept ? `${whole}.${kept}` : whole;
}

/** A fraction such as "0.0123" as "+1.23%". */
export function percent(fraction) {
  if (fraction === null || fraction === undefined) return "—";
  const down = String(fraction).startsWith("-");
  const [whole, rest = ""] = String(fraction).replace("-", "").split(".");
  const units = BigInt(whole + rest.padEnd(4, "0").slice(0, 4));
  return (down && units ? "-" : "+") + format(units, 2, 2) + "%";
}

/** Decimal text with at most `places` (the rest is cut off, for reading), padded and grouped. */
export function cut(text, places) {
  const [whole, fraction = ""] = String(text).split(".");
  return column(fraction ? `${whole}.${fraction.slice(0, places)}` : whole, places);
}
