/**
 * The order form. Everything is added up in BigInt: price ticks × quantity units, so that what is shown before an order is sent is what the
 * engine will do. The server judges again; nothing here is trusted.
 */
import * as api from "../lib/api.js";
import * as decimal from "../lib/decimal.js";
import { $, $$, setText } from "../lib/dom.js";
import { toast } from "../lib/toast.js";

const PPM = 1_000_000n;

export function orderForm(root, facts, book) {
  const form = $("[data-order-form]", root);
  const input = { price: form.elements.price, quantity: form.elements.quantity, total: form.elements.total };
  const submit = $("[data-submit]", form);
  const costDecimals = facts.priceDecimals + facts.quantityDecimals;
  const lot = decimal.parse(facts.lotSize, facts.quantityDecimals);
  const fees = { maker: decimal.parse(facts.makerFee, 6), taker: decimal.parse(facts.takerFee, 6) };
  const available = new Map(Object.entries(facts.available));
  let touchedPrice = false;

  const side = () => form.dataset.side;
  const isMarket = () => form.dataset.type === "market";
  const byTotal = () => isMarket() && side() === "buy";
  const price = () => decimal.parse(input.price.value, facts.priceDecimals);
  const quantity = () => decimal.parse(input.quantity.value, facts.quantityDecimals);
  const purse = (code, decimals) => decimal.parse(available.get(code) ?? "0", decimals) ?? 0n;
  const wholeLots = (units) => units - (units % lot);
  const cost = (units) => decimal.rescale(units, costDecimals, facts.quoteDecimals, true);
  const words = (units, decimals, code) => `${decimal.grouped(decimal.format(units, decimals))} ${code}`;

  function spendable() {
    const code = side() === "buy" ? facts.quote : facts.base;
    const decimals = side() === "buy" ? facts.quoteDecimals : facts.baseDecimals;
    return { code, decimals, units: purse(code, decimals) };
  }

  /** What taking would do on the book as it stands, for a market order. */
  function taking() {
    if (byTotal()) {
      const budget = decimal.parse(input.total.value, facts.quoteDecimals);
      return budget && book.take("asks", { budget: decimal.rescale(budget, facts.quoteDecimals, costDecimals) });
    }
    const units = quantity();
    return units && book.take("bids", { quantity: units });
  }

  /** The asset received before the fee, in its own base units; null while the form is not filled. */
  function gross() {
    if (isMarket()) {
      const found = taking();
      if (!found) return null;
      return side() === "buy"
        ? decimal.rescale(found.quantity, facts.quantityDecimals, facts.baseDecimals)
        : decimal.rescale(found.cost, costDecimals, facts.quoteDecimals);
    }
    const [ticks, units] = [price(), quantity()];
    if (!ticks || !units) return null;
    return side() === "buy"
      ? decimal.rescale(units, facts.quantityDecimals, facts.baseDecimals)
      : decimal.rescale(ticks * units, costDecimals, facts.quoteDecimals);
  }

  /** A limit order that would meet the book pays the taker's fee for what it takes. */
  function crosses() {
    const best = book.best(side() === "buy" ? "asks" : "bids");
    const at = price();
    if (isMarket()) return true;
    return best !== null && at !== null && (side() === "buy" ? at >= best : at <= best);
  }

  function summary() {
    const [code, decimals] = side() === "buy" ? [facts.base, facts.baseDecimals] : [facts.quote, facts.quoteDecimals];
    const rate = crosses() ? fees.taker : fees.maker;
    setText($("[data-fee-label]", form), `Fee ${decimal.format(rate, 4)}%${crosses() ? "" : " (maker)"}`);
    const whole = gross();
    const fee = whole === null ? null : (whole * rate + PPM - 1n) / PPM;
    setText($("[data-fee]", form), fee === null ? "—" : words(fee, decimals, code));
    setText($("[data-get]", form), fee === null ? "—" : `${isMarket() ? "about " : ""}${words(whole - fee, decimals, code)}`);
    const found = isMarket() ? taking() : null;
    $("[data-estimate]", form).hidden = !found;
    if (found) {
      const average = decimal.format(found.cost / found.quantity, facts.priceDecimals);
      setText($("[data-estimate-figure]", form), `at ${decimal.column(average, facts.priceDecimals)}`);
    }
    const purseNow = spendable();
    setText($("[data-available]", form), words(purseNow.units, purseNow.decimals, purseNow.code));
  }

  function fromQuantity() {
    const [ticks, units] = [price(), quantity()];
    input.total.value = ticks && units ? decimal.format(cost(ticks * units), facts.quoteDecimals) : "";
    summary();
  }

  function fromTotal() {
    if (!byTotal()) {
      const [ticks, total] = [price(), decimal.parse(input.total.value, facts.quoteDecimals)];
      const units = ticks && total ? wholeLots(decimal.rescale(total, facts.quoteDecimals, costDecimals) / ticks) : 0n;
      input.quantity.value = units ? decimal.format(units, facts.quantityDecimals) : "";
    }
    summary();
  }

  function part(percent) {
    const { units } = spendable();
    const share = (units * BigInt(percent)) / 100n;
    if (byTotal()) input.total.value = decimal.format(share, facts.quoteDecimals);
    else if (side() === "sell") input.quantity.value = decimal.format(wholeLots(decimal.rescale(share, facts.baseDecimals, facts.quantityDecimals)), facts.quantityDecimals);
    else {
      const ticks = price();
      if (!ticks) return input.price.focus();
      const most = decimal.rescale(share, facts.quoteDecimals, costDecimals) / ticks;
      input.quantity.value = decimal.format(wholeLots(most), facts.quantityDecimals);
    }
    return byTotal() ? fromTotal() : fromQuantity();
  }

  function layout() {
    $("[data-field-price]", form).hidden = isMarket();
    $("[data-field-quantity]", form).hidden = byTotal();
    $("[data-field-total]", form).hidden = isMarket() && side() === "sell";
    setText($("[data-total-label]", form), byTotal() ? "Spend" : "Total");
    for (const button of $$("[data-side-button]", form)) button.setAttribute("aria-pressed", String(button.dataset.sideButton === side()));
    for (const button of $$("[data-type-button]", form)) button.setAttribute("aria-pressed", String(button.dataset.typeButton === form.dataset.type));
    if (submit) {
      setText(submit, `${side() === "buy" ? "Buy" : "Sell"} ${facts.base}`);
      submit.classList.toggle("button-up", side() === "buy");
      submit.classList.toggle("button-down", side() === "sell");
    }
    complain();
    summary();
  }

  /** Puts the server's sentence beside the field it names; without an argument, clears them all. */
  function complain(param, message) {
    const names = { price: input.price, quantity: input.quantity, quote_amount: input.total };
    for (const line of $$("[data-error]", form)) line.hidden = true;
    for (const field of Object.values(names)) field.removeAttribute("aria-invalid");
    if (message === undefined) return;
    const field = names[param];
    const visible = field && !field.closest(".field").hidden;
    const line = $(`[data-error="${visible ? param : ""}"]`, form);
    line.textContent = message;
    line.hidden = false;
    if (visible) {
      field.setAttribute("aria-invalid", "true");
      field.focus();
    }
  }

  function body() {
    const order = { market: facts.symbol, side: side(), type: form.dataset.type, client_order_id: crypto.randomUUID() };
    const plain = (field) => field.value.trim().replaceAll(",", "");
    if (!isMarket()) order.price = plain(input.price);
    if (byTotal()) order.quote_amount = plain(input.total);
    else order.quantity = plain(input.quantity);
    return order;
  }

  async function send(event) {
    event.preventDefault();
    if (!submit || submit.getAttribute("aria-busy") === "true") return;
    const order = body();
    const missing = [["price", "Enter a price."], ["quantity", "Enter an amount."], ["quote_amount", "Enter what to spend."]].find(([name]) => order[name] === "");
    if (missing) return complain(...missing);
    complain();
    submit.setAttribute("aria-busy", "true");
    try {
      tell(await placeOnce(order));
      input.quantity.value = "";
      input.total.value = "";
      summary();
    } catch (error) {
      complain(error.param, error.message);
      if (error.outcomeUnknown) toast("We do not know yet how that ended", { detail: error.message, look: "bad" });
    } finally {
      submit.removeAttribute("aria-busy");
    }
  }

  /** An answer that got lost is asked for by our own id, so that an order is never sent twice. */
  async function placeOnce(order) {
    try {
      return await api.post("/orders", order);
    } catch (error) {
      if (!error.outcomeUnknown) throw error;
      return api.get(`/orders/by-client-id/${order.client_order_id}`).catch(() => {
        throw error;
      });
    }
  }

  function tell(order) {
    const what = `${order.side === "buy" ? "Buy" : "Sell"} ${facts.base}`;
    const filled = `${decimal.grouped(order.filled_quantity)} ${facts.base}${order.average_price ? ` at ${decimal.column(order.average_price, facts.priceDecimals)}` : ""}`;
    if (order.state === "filled") toast(`${what}: filled`, { detail: filled, look: "ok" });
    else if (order.state === "open") toast(`${what}: on the book`, { detail: order.filled_quantity !== "0" ? `${filled} filled so far` : `at ${decimal.column(order.price, facts.priceDecimals)}`, look: "ok" });
    else if (order.filled_quantity !== "0") toast(`${what}: partly filled`, { detail: `${filled}. ${order.reason === "self_trade" ? "The rest would have met an order of your own." : "The rest found no counterpart."}`, look: "ok" });
    else toast(`${what}: not filled`, { detail: order.reason === "self_trade" ? "It would have met an order of your own." : "Nobody is on the other side.", look: "bad" });
  }

  for (const button of $$("[data-side-button]", form)) button.addEventListener("click", () => ((form.dataset.side = button.dataset.sideButton), layout()));
  for (const button of $$("[data-type-button]", form)) button.addEventListener("click", () => ((form.dataset.type = button.dataset.typeButton), layout()));
  for (const button of $$("[data-percent]", form)) button.addEventListener("click", () => part(button.dataset.percent));
  input.price.addEventListener("input", () => ((touchedPrice = true), fromQuantity()));
  input.quantity.addEventListener("input", fromQuantity);
  input.total.addEventListener("input", fromTotal);
  form.addEventListener("submit", send);
  layout();

  return {
    setPrice(text) {
      touchedPrice = true;
      form.dataset.type = "limit";
      input.price.value = text;
      layout();
      fromQuantity();
    },
    /** The first book fills in a price to start from; later ones only refresh what depends on it. */
    bookChanged() {
      const middle = book.best(side() === "buy" ? "bids" : "asks") ?? book.best("asks");
      if (!touchedPrice && middle !== null) {
        touchedPrice = true;
        input.price.value = decimal.format(middle, facts.priceDecimals);
      }
      summary();
    },
    receiveBalances(list) {
      for (const each of list) available.set(each.asset, each.available);
      summary();
    },
  };
}
