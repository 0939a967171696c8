/** The tape: the latest trades, newest on top. */
import * as decimal from "../lib/decimal.js";
import { $, clock, eachFrame, make } from "../lib/dom.js";

const KEEP = 60;

export function tapePane(root, facts, onLast) {
  const list = $("[data-tape]", root);
  const empty = $("[data-tape-empty]", root);
  let trades = [];

  function line(trade) {
    const item = make("li");
    const price = make("span", trade.side === "buy" ? "up" : "down", decimal.column(trade.price, facts.priceDecimals));
    const quantity = make("span", "", decimal.column(trade.quantity, facts.quantityDecimals));
    item.append(price, quantity, make("time", "", clock(trade.time)));
    item.dataset.id = trade.id;
    return item;
  }

  const draw = eachFrame(() => {
    const shown = new Map([...list.children].map((item) => [item.dataset.id, item]));
    list.replaceChildren(...trades.map((trade) => shown.get(String(trade.id)) ?? line(trade)));
    empty.hidden = trades.length > 0;
    list.hidden = trades.length === 0;
  });

  return {
    receive(type, data) {
      if (type === "gap") return;
      const newest = [...data.trades].reverse();
      if (type === "snapshot") trades = newest;
      else {
        const known = new Set(trades.map((trade) => trade.id));
        trades = [...newest.filter((trade) => !known.has(trade.id)), ...trades];
      }
      trades = trades.slice(0, KEEP);
      if (trades.length) onLast(trades[0].price);
      draw();
    },
  };
}
