/** What stands below the order form before it is sent: price at the market, what is set aside, fee, and what one gets. */
import * as decimal from "../lib/decimal.js";
import { $, setText } from "../lib/dom.js";
import { t } from "../lib/words.js";

const words = (units, places, code) => `${decimal.grouped(decimal.format(units, places))} ${code}`;

export function drawSummary(form, { order, math, facts, purse }) {
  const { rate, fee, net, average, short } = math.outcome(order);
  const [code, decimals] = order.side === "buy" ? [facts.base, facts.baseDecimals] : [facts.quote, facts.quoteDecimals];
  const percent = `${decimal.format(rate, 4)}%`;
  setText($("[data-fee-label]", form), math.crosses(order) ? t("Fee {percent}", { percent }) : t("Fee {percent} (maker)", { percent }));
  setText($("[data-fee]", form), fee === null ? "—" : words(fee, decimals, code));
  const about = order.kind !== "limit" && order.kind !== "oco" && !order.kind.endsWith("_limit");
  const get = net === null ? "—" : words(net, decimals, code);
  setText($("[data-get]", form), about && net !== null ? t("about {amount}", { amount: get }) : get);
  $("[data-estimate]", form).hidden = !average;
  if (average) {
    const price = decimal.column(decimal.format(average, facts.priceDecimals), facts.priceDecimals);
    setText($("[data-estimate-figure]", form), short ? t("at {price}, and not all of it", { price }) : t("at {price}", { price }));
  }
  const hold = order.kind === "limit" || order.kind === "market" ? null : math.hold(order);
  $("[data-hold]", form).hidden = !hold;
  if (hold) setText($("[data-hold-figure]", form), words(hold.units, hold.decimals, hold.code));
  setText($("[data-available]", form), words(purse.units, purse.decimals, purse.code));
  const deposit = $("[data-deposit]", form);
  const address = facts.deposits?.[purse.code];
  deposit.hidden = !address || purse.units > 0n;
  if (address) deposit.href = address;
}
