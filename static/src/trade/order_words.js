/** The words for an order: its kind, its conditions, how it ended. Pure: an order as the API shows it goes in, sentences come out. */
import * as decimal from "../lib/decimal.js";
import { regional, t, tp } from "../lib/words.js";

export const kindWord = (type) => ({
  limit: t("Limit"),
  market: tp("order kind", "Market"),
  stop: t("Stop"),
  stop_limit: t("Stop limit"),
  take_profit: t("Take profit"),
  take_profit_limit: t("Take profit limit"),
  trailing_stop: t("Trailing stop"),
})[type];

export const stateWord = (state) => ({
  open: tp("order state", "Open"),
  pending: tp("order state", "Waiting"),
  filled: tp("order state", "Filled"),
  cancelled: tp("order state", "Cancelled"),
  expired: tp("order state", "Expired"),
})[state];

/** Why an order ended that was not simply filled or cancelled by its owner; "" for those. */
export const reasonWord = (reason) => ({
  self_trade: t("It met an order of your own."),
  no_liquidity: t("Nobody was on the other side."),
  slippage: t("The rest would have cost more than its limit."),
  not_fillable: t("All of it could not be filled at once."),
  too_small: t("What was left is less than the smallest amount."),
  too_many_fills: t("It met too many orders at once."),
  oco: t("The other order of the pair ended it."),
  expired: t("Its time was over."),
  staff: t("We cancelled it."),
  disconnect: t("Your program went away."),
})[reason] ?? "";

export const sideWord = (side) => (side === "buy" ? tp("side", "Buy") : tp("side", "Sell"));

export const base = (order) => order.market.split("-")[0];
export const quote = (order) => order.market.split("-")[1];

/** "Buy BTC", "Sell BTC". */
export const title = (order) => (order.side === "buy" ? t("Buy {asset}", { asset: base(order) }) : t("Sell {asset}", { asset: base(order) }));

const shown = (price, places) => (places === undefined ? decimal.grouped(price) : decimal.column(price, places));

/** Where it trades: its price, with its trigger before it. */
export function priceText(order, places) {
  const price = order.price ? shown(order.price, places) : tp("order price", "Market");
  return order.state === "pending" && order.stop_price ? `${shown(order.stop_price, places)} → ${price}` : price;
}

/** "0.05 BTC at 67,000.00": what was filled, at its average, cut to the market's places. */
export function filledText(order, places) {
  const amount = `${decimal.grouped(order.filled_quantity)} ${base(order)}`;
  if (!order.average_price) return amount;
  return t("{amount} at {price}", { amount, price: places === undefined ? decimal.grouped(order.average_price) : decimal.cut(order.average_price, places) });
}

/** What is special about an order, each a few words. */
export function terms(order) {
  const found = [];
  if (order.oco_order_id) found.push(t("Pair"));
  if (order.trail) found.push(t("Trails by {distance}", { distance: `${decimal.grouped(order.trail)} ${quote(order)}` }));
  if (order.trail_percent) found.push(t("Trails by {distance}", { distance: `${order.trail_percent}%` }));
  if (order.display_quantity) found.push(t("Shows {amount}", { amount: decimal.grouped(order.display_quantity) }));
  if (order.post_only && !order.oco_order_id) found.push(t("Post only"));
  if (order.time_in_force === "FOK" || (order.time_in_force === "IOC" && order.type === "limit")) found.push(order.time_in_force);
  if (order.expires_at) {
    const until = new Date(order.expires_at).toLocaleString(regional, { dateStyle: "short", timeStyle: "short" });
    found.push(t("Until {time}", { time: until }));
  }
  return found;
}
