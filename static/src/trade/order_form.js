/** The order form: what is typed, what it would cost and bring, and what the server says to it. The server judges everything again. */
import * as api from "../lib/api.js";
import * as decimal from "../lib/decimal.js";
import { $, $$, setText } from "../lib/dom.js";
import { toast } from "../lib/toast.js";
import { OrderMath } from "./order_math.js";
import { tellPlaced } from "./order_news.js";

const MISSING = { stop_price: "Enter a stop price.", price: "Enter a price.", quantity: "Enter an amount.", quote_amount: "Enter what to spend." };

export class OrderForm {
  constructor(root, facts, book) {
    this.facts = facts;
    this.book = book;
    this.math = new OrderMath(facts, book);
    this.form = $("[data-order-form]", root);
    this.submit = $("[data-submit]", this.form);
    const { price, stop_price: stop, quantity, total, post_only: postOnly } = this.form.elements;
    this.input = { price, stop, quantity, total };
    this.postOnly = postOnly;
    this.available = new Map(Object.entries(facts.available));
    this.touchedPrice = false;
    this.#listen();
    this.#layout();
  }

  /** A price picked from the book. */
  setPrice(text) {
    this.touchedPrice = true;
    if (this.form.dataset.type === "market") this.form.dataset.type = "limit";
    this.input.price.value = text;
    this.#layout();
    this.#fromQuantity();
  }

  /** The first book fills in a price to start from; later ones only refresh what depends on it. */
  bookChanged() {
    const start = this.book.best(this.order().side === "buy" ? "bids" : "asks") ?? this.book.best("asks");
    if (!this.touchedPrice && start !== null) {
      this.touchedPrice = true;
      this.input.price.value = decimal.format(start, this.facts.priceDecimals);
    }
    this.#summary();
  }

  receiveBalances(list) {
    for (const each of list) this.available.set(each.asset, each.available);
    this.#summary();
  }

  /** What the form says now, as texts. */
  order() {
    const plain = (field) => field.value.trim().replaceAll(",", "");
    const { side, type } = this.form.dataset;
    const { price, stop, quantity, total } = this.input;
    return { side, type, price: plain(price), stop: plain(stop), quantity: plain(quantity), total: plain(total) };
  }

  #listen() {
    for (const button of $$("[data-side-button]", this.form)) button.addEventListener("click", () => this.#set("side", button.dataset.sideButton));
    for (const button of $$("[data-type-button]", this.form)) button.addEventListener("click", () => this.#set("type", button.dataset.typeButton));
    for (const button of $$("[data-percent]", this.form)) button.addEventListener("click", () => this.#part(button.dataset.percent));
    this.input.price.addEventListener("input", () => {
      this.touchedPrice = true;
      this.#fromQuantity();
    });
    this.input.quantity.addEventListener("input", () => this.#fromQuantity());
    this.input.total.addEventListener("input", () => this.#fromTotal());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
  }

  #set(what, value) {
    this.form.dataset[what] = value;
    this.#layout();
  }

  #fromQuantity() {
    this.input.total.value = this.math.total(this.order());
    this.#summary();
  }

  #fromTotal() {
    const order = this.order();
    if (!OrderMath.byTotal(order)) this.input.quantity.value = this.math.quantity(order);
    this.#summary();
  }

  #part(percent) {
    const share = this.math.share(this.order(), percent, this.#purse().units);
    if (share === null) {
      this.input.price.focus();
      return;
    }
    this.input[share.field].value = share.text;
    if (share.field === "quantity") this.#fromQuantity();
    else this.#fromTotal();
  }

  /** What the chosen side spends from. */
  #purse() {
    const { facts } = this;
    const [code, decimals] = this.order().side === "buy" ? [facts.quote, facts.quoteDecimals] : [facts.base, facts.baseDecimals];
    return { code, decimals, units: decimal.parse(this.available.get(code) ?? "0", decimals) ?? 0n };
  }

  #summary() {
    const { facts } = this;
    const order = this.order();
    const [code, decimals] = order.side === "buy" ? [facts.base, facts.baseDecimals] : [facts.quote, facts.quoteDecimals];
    const words = (units, places, name) => `${decimal.grouped(decimal.format(units, places))} ${name}`;
    const { rate, fee, net, average } = this.math.outcome(order);
    const market = order.type === "market";
    setText($("[data-fee-label]", this.form), `Fee ${decimal.format(rate, 4)}%${this.math.crosses(order) ? "" : " (maker)"}`);
    setText($("[data-fee]", this.form), fee === null ? "—" : words(fee, decimals, code));
    setText($("[data-get]", this.form), net === null ? "—" : `${market ? "about " : ""}${words(net, decimals, code)}`);
    $("[data-estimate]", this.form).hidden = !average;
    if (average) setText($("[data-estimate-figure]", this.form), `at ${decimal.column(decimal.format(average, facts.priceDecimals), facts.priceDecimals)}`);
    const purse = this.#purse();
    setText($("[data-available]", this.form), words(purse.units, purse.decimals, purse.code));
  }

  #layout() {
    const { side, type } = this.order();
    const byTotal = OrderMath.byTotal({ side, type });
    $("[data-field-price]", this.form).hidden = type === "market";
    $("[data-field-stop]", this.form).hidden = type !== "stop_limit";
    $("[data-field-post-only]", this.form).hidden = type !== "limit";
    $("[data-field-quantity]", this.form).hidden = byTotal;
    $("[data-field-total]", this.form).hidden = type === "market" && side === "sell";
    setText($("[data-total-label]", this.form), byTotal ? "Spend" : "Total");
    for (const button of $$("[data-side-button]", this.form)) button.setAttribute("aria-pressed", String(button.dataset.sideButton === side));
    for (const button of $$("[data-type-button]", this.form)) button.setAttribute("aria-pressed", String(button.dataset.typeButton === type));
    if (this.submit) {
      setText(this.submit, `${side === "buy" ? "Buy" : "Sell"} ${this.facts.base}`);
      this.submit.classList.toggle("button-up", side === "buy");
      this.submit.classList.toggle("button-down", side === "sell");
    }
    this.#forgive();
    this.#summary();
  }

  #forgive() {
    for (const line of $$("[data-error]", this.form)) line.hidden = true;
    for (const field of Object.values(this.input)) field.removeAttribute("aria-invalid");
  }

  /** Puts a sentence beside the field it names, or below the form where that field is not shown. */
  #complain(param, message) {
    const { price, stop, quantity, total } = this.input;
    const field = { price, stop_price: stop, quantity, quote_amount: total }[param];
    const visible = field && !field.closest(".field").hidden;
    const line = $(`[data-error="${visible ? param : ""}"]`, this.form);
    line.textContent = message;
    line.hidden = false;
    if (!visible) return;
    field.setAttribute("aria-invalid", "true");
    field.focus();
  }

  #body() {
    const { side, type, price, stop, quantity, total } = this.order();
    const body = { market: this.facts.symbol, side, type, client_order_id: crypto.randomUUID() };
    if (type !== "market") body.price = price;
    if (type === "stop_limit") body.stop_price = stop;
    if (type === "limit" && this.postOnly.checked) body.post_only = true;
    if (OrderMath.byTotal({ side, type })) body.quote_amount = total;
    else body.quantity = quantity;
    return body;
  }

  async #send() {
    if (!this.submit || this.submit.getAttribute("aria-busy") === "true") return;
    this.#forgive();
    const body = this.#body();
    const missing = Object.keys(MISSING).find((name) => body[name] === "");
    if (missing) {
      this.#complain(missing, MISSING[missing]);
      return;
    }
    this.submit.setAttribute("aria-busy", "true");
    try {
      tellPlaced(await placeOnce(body), this.facts);
      this.input.quantity.value = "";
      this.input.total.value = "";
      this.#summary();
    } catch (error) {
      this.#complain(error.param, error.message);
      if (error.outcomeUnknown) toast("We do not know yet how that ended", { detail: error.message, look: "bad" });
    } finally {
      this.submit.removeAttribute("aria-busy");
    }
  }
}

/** An answer that got lost is asked for by our own id, so that an order is never sent twice. */
async function placeOnce(body) {
  try {
    return await api.post("/orders", body);
  } catch (error) {
    if (!error.outcomeUnknown) throw error;
    return api.get(`/orders/by-client-id/${body.client_order_id}`).catch(() => {
      throw error;
    });
  }
}
