/** The order form's sentences: labels, what each kind does, and what is wrong with what was typed. Pure. */
import * as decimal from "../lib/decimal.js";
import { t, tp } from "../lib/words.js";

/** What a conditional order will do, in one sentence. */
export function hint({ kind, side }) {
  const words = {
    stop: {
      buy: t("Buys at the market once the price has risen to the stop price."),
      sell: t("Sells at the market once the price has fallen to the stop price."),
    },
    stop_limit: {
      buy: t("Becomes a limit order to buy once the price has risen to the stop price."),
      sell: t("Becomes a limit order to sell once the price has fallen to the stop price."),
    },
    take_profit: {
      buy: t("Buys at the market once the price has fallen to the trigger price."),
      sell: t("Sells at the market once the price has risen to the trigger price."),
    },
    take_profit_limit: {
      buy: t("Becomes a limit order to buy once the price has fallen to the trigger price."),
      sell: t("Becomes a limit order to sell once the price has risen to the trigger price."),
    },
    trailing_stop: {
      buy: t("Follows the price down at this distance, and buys at the market when it turns up by as much."),
      sell: t("Follows the price up at this distance, and sells at the market when it turns down by as much."),
    },
    oco: {
      buy: t("A limit order below the market and a stop above it. What happens to one cancels the other."),
      sell: t("A limit order above the market and a stop below it. What happens to one cancels the other."),
    },
  };
  return words[kind]?.[side] ?? "";
}

export function labels({ kind, given }, facts) {
  return {
    price: kind === "limit" ? t("Price") : t("Limit price"),
    stop: kind.startsWith("take_profit") ? t("Trigger price") : t("Stop price"),
    quantity: given === "total" ? t("Amount, about") : t("Amount"),
    total: given === "total" ? t("Total") : facts.estimated ? t("Total, about") : t("Total"),
  };
}

export function submitWord({ side }, facts) {
  return side === "buy" ? t("Buy {asset}", { asset: facts.base }) : t("Sell {asset}", { asset: facts.base });
}

const MISSING = () => ({
  price: t("Enter a price."),
  stop_price: t("Enter a stop price."),
  stop_limit_price: t("Enter a price."),
  trail: t("Enter a distance."),
  quantity: t("Enter an amount."),
  total: t("Enter a total."),
  expires_at: t("Enter a time."),
});

/** The sentence for a fault that order_kinds.js found. */
export function faultWords(fault) {
  switch (fault.code) {
    case "missing":
      return MISSING()[fault.field];
    case "past":
      return t("This time is over.");
    case "step":
      return t("A multiple of {step}, please.", { step: decimal.grouped(fault.step) });
    case "small":
      return t("At least {amount} in all.", { amount: `${decimal.grouped(fault.least)} ${fault.quote}` });
    case "shows_all":
      return t("This is more than the whole order.");
    case "stop_not_above":
      return t("The price is there already: it has to be above the last price.");
    case "stop_not_below":
      return t("The price is there already: it has to be below the last price.");
    default:
      return t("A number such as 0.5, please.");
  }
}

/** Why no order can be sent now; "" where one can. */
export function closedWords(state) {
  if (state === "cancel_only") return t("This market takes no new orders now. Orders can be cancelled.");
  if (state === "halted") return t("This market is halted. Orders wait.");
  if (state === "post_only") return t("This market takes only orders that rest in the book now.");
  return "";
}

export const optionWords = (order) => {
  const found = [];
  if (order.time !== order.usualTime) found.push(order.time);
  if (order.post_only) found.push(t("Post only"));
  if (order.display_quantity) found.push(tp("order option", "Iceberg"));
  return found.join(" · ");
};
