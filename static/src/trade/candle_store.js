/** Candles in order of time, each once. Pure: what came by the feed and what was fetched for the past are merged here. */

const seconds = (iso) => Math.floor(Date.parse(iso) / 1000);

export class CandleStore {
  constructor() {
    this.rows = [];
  }

  get last() {
    return this.rows.at(-1) ?? null;
  }

  get oldest() {
    return this.rows[0] ?? null;
  }

  at(time) {
    const index = this.#find(time);
    return this.rows[index]?.at === time ? this.rows[index] : null;
  }

  /** Takes candles in; "tail" where only the newest one changed or newer ones came, else "all" (or "none"). */
  merge(candles) {
    let touched = "none";
    for (const candle of candles) {
      const row = { ...candle, at: seconds(candle.time) };
      const before = this.last?.at ?? -Infinity;
      if (row.at > before) this.rows.push(row);
      else if (row.at === before) this.rows[this.rows.length - 1] = row;
      else {
        const index = this.#find(row.at);
        const stands = this.rows[index].at === row.at;
        this.rows.splice(index, stands ? 1 : 0, row);
      }
      if (row.at < before) touched = "all";
      else if (touched === "none") touched = "tail";
    }
    return touched;
  }

  /** Index of `time`, or of where it would stand. */
  #find(time) {
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].at < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
