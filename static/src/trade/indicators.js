/**
 * Moving averages and relative strength over a list of closes. Pure, and in Numbers: they are drawn, never traded with.
 * Each answers one value a close, null where there is not enough before it yet.
 */

/** The mean of the last `length` closes. */
export function average(closes, length) {
  const found = [];
  let sum = 0;
  closes.forEach((close, index) => {
    sum += close;
    if (index >= length) sum -= closes[index - length];
    found.push(index >= length - 1 ? sum / length : null);
  });
  return found;
}

/** The exponential one: it starts from the mean of the first `length`, then each close counts 2 / (length + 1). */
export function exponential(closes, length) {
  const weight = 2 / (length + 1);
  const found = [];
  let sum = 0;
  let value = null;
  closes.forEach((close, index) => {
    if (index < length - 1) sum += close;
    else value = value === null ? (sum + close) / length : close * weight + value * (1 - weight);
    found.push(value);
  });
  return found;
}

/** Wilder's relative strength index, 0 to 100: 50 where nothing moved. */
export function strength(closes, length) {
  const found = [];
  let [gain, loss] = [0, 0];
  closes.forEach((close, index) => {
    if (index > 0) {
      const change = close - closes[index - 1];
      const [up, down] = [Math.max(change, 0), Math.max(-change, 0)];
      if (index <= length) [gain, loss] = [gain + up / length, loss + down / length];
      else [gain, loss] = [(gain * (length - 1) + up) / length, (loss * (length - 1) + down) / length];
    }
    found.push(index < length ? null : gain + loss === 0 ? 50 : (100 * gain) / (gain + loss));
  });
  return found;
}

export const INDICATORS = {
  ma: { compute: average, usual: 20, apart: false },
  ema: { compute: exponential, usual: 50, apart: false },
  rsi: { compute: strength, usual: 14, apart: true },
};

export const LENGTH_LEAST = 2;
export const LENGTH_MOST = 400;

/** A length as somebody typed it, or the usual one where that is none. */
export function length(text, name) {
  const given = /^\d{1,3}$/.test(String(text)) ? Number(text) : NaN;
  return given >= LENGTH_LEAST && given <= LENGTH_MOST ? given : INDICATORS[name].usual;
}
