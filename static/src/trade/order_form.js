/** The order form: what is typed, what it would cost and bring, and what the server says to it. The server judges everything again. */
import * as decimal from "../lib/decimal.js";
import { $, $$, setText } from "../lib/dom.js";
import { toast } from "../lib/toast.js";
import { said, t } from "../lib/words.js";
import { command, CONDITIONAL, fault, KINDS, shows } from "./order_kinds.js";
import { closedWords, faultWords, hint, labels, optionWords, submitWord } from "./form_words.js";
import { drawSummary } from "./form_summary.js";
import { OrderMath } from "./order_math.js";

const TYPED = ["price", "stop_price", "stop_limit_price", "trail", "quantity", "total", "display_quantity", "slippage"];
const REFERENCES = ["price", "stop_price", "stop_limit_price", "trail"];
/** What the API calls a field that has another name here. */
const FIELDS = { quote_amount: "total", trail_percent: "trail" };

export class OrderForm {
  /** `onPlaced` is told what the server made of each order. */
  constructor(root, facts, book, sender, onPlaced) {
    Object.assign(this, { facts, book, sender, onPlaced });
    this.math = new OrderMath(facts, book);
    this.form = $("[data-order-form]", root);
    this.submit = $("[data-submit]", this.form);
    this.input = this.form.elements;
    this.available = new Map(Object.entries(facts.available));
    this.touchedPrice = false;
    this.given = "quantity";
    this.#listen();
    this.#layout();
  }

  /** A price picked from the book. */
  setPrice(text) {
    this.touchedPrice = true;
    if (!shows(this.order(), "price")) this.setKind("limit");
    this.input.price.value = text;
    this.#recount();
  }

  setSide(side) {
    this.form.dataset.side = side;
    this.#start();
  }

  /** A kind of KINDS, or "conditional": the one that was chosen there last. */
  setKind(kind) {
    const select = $("[data-kind-select]", this.form);
    this.form.dataset.kind = kind === "conditional" ? select.value : kind;
    if (CONDITIONAL.includes(kind)) select.value = kind;
    this.input.time.value = KINDS[this.form.dataset.kind].times[0];
    this.#start();
  }

  focus(field) {
    const input = this.input[field];
    if (input.closest("[data-field]").hidden) return;
    input.focus();
    input.select();
  }

  /** The first book fills in a price to start from; later ones only refresh what depends on it. */
  bookChanged() {
    const start = this.book.best(this.order().side === "buy" ? "bids" : "asks") ?? this.book.best("asks");
    if (!this.touchedPrice && start !== null) {
      this.touchedPrice = true;
      this.input.price.value = decimal.format(start, this.facts.priceDecimals);
    }
    if (this.order().kind === "market") this.#recount();
    else this.#summary();
  }

  setLast(ticks) {
    this.math.last = ticks;
  }

  receiveBalances(list) {
    for (const each of list) this.available.set(each.asset, each.available);
    this.#summary();
  }

  /** The market's rules as they are now: staff may have halted it. */
  receiveMarket(market) {
    Object.assign(this.facts, { state: market.state, minNotional: market.min_notional, slippage: market.slippage });
    this.#layout();
  }

  /** What the form says now, as texts. */
  order() {
    const { side, kind } = this.form.dataset;
    const order = { side, kind, given: this.given };
    for (const name of TYPED) order[name] = decimal.typed(this.input[name].value) ?? "?";
    const { trail_unit: unit, time, expires_at: until, post_only: postOnly, self_trade: selfTrade } = this.input;
    Object.assign(order, { trail_unit: unit.value, time: time.value, expires_at: until.value, self_trade: selfTrade.value });
    return { ...order, usualTime: KINDS[kind].times[0], post_only: postOnly.checked && shows(order, "post_only") };
  }

  #listen() {
    const { form } = this;
    for (const button of $$("[data-side-button]", form)) button.addEventListener("click", () => this.setSide(button.dataset.sideButton));
    for (const button of $$("[data-kind-button]", form)) button.addEventListener("click", () => this.setKind(button.dataset.kindButton));
    for (const button of $$("[data-percent]", form)) button.addEventListener("click", () => this.#part(button.dataset.percent));
    $("[data-kind-select]", form).addEventListener("change", (event) => this.setKind(event.target.value));
    this.input.price.addEventListener("input", () => (this.touchedPrice = true));
    for (const name of REFERENCES) this.input[name].addEventListener("input", () => this.#recount());
    for (const name of ["quantity", "total"]) this.input[name].addEventListener("input", () => this.#typedSize(name));
    for (const name of [...REFERENCES, "quantity"]) this.input[name].addEventListener("keydown", (event) => this.#step(name, event));
    $("[data-more]", form).addEventListener("input", () => this.#layout());
    this.input.trail_unit.addEventListener("change", () => this.#recount());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#send();
    });
  }

  /** After another side or kind: who buys at the market says what to spend. */
  #start() {
    const order = this.order();
    if (order.kind === "market") this.given = order.side === "buy" ? "total" : "quantity";
    else if (!KINDS[order.kind].total.includes(order.side)) this.given = "quantity";
    this.#layout();
    this.#recount();
  }

  #typedSize(name) {
    const order = this.order();
    if (name === "quantity" || KINDS[order.kind].total.includes(order.side)) this.given = name;
    if (name === "total" && this.given === "quantity") {
      this.input.quantity.value = this.math.quantity(order);
      this.#summary();
    } else this.#recount();
    this.#words();
  }

  /** Works out again what was not typed: the total of an amount, or the amount of a total. */
  #recount() {
    const order = this.order();
    if (this.given === "total") this.input.quantity.value = this.math.quantity(order);
    else this.input.total.value = this.math.total(order);
    this.#summary();
  }

  #part(percent) {
    const share = this.math.share(this.order(), percent, this.#purse().units);
    if (share === null) {
      const empty = REFERENCES.find((name) => shows(this.order(), name) && !this.input[name].value);
      if (empty) this.input[empty].focus();
      return;
    }
    this.given = share.field;
    this.input[share.field].value = share.text;
    this.#recount();
    this.#words();
  }

  /** Arrow keys walk by ticks and lots; with Shift by ten. */
  #step(name, event) {
    const up = event.key === "ArrowUp";
    if ((!up && event.key !== "ArrowDown") || (name === "trail" && this.input.trail_unit.value === "percent")) return;
    event.preventDefault();
    const lots = name === "quantity";
    const places = lots ? this.facts.quantityDecimals : this.facts.priceDecimals;
    const step = lots ? this.math.lot : this.math.tick;
    const from = lots ? step : name === "trail" ? step : this.math.last;
    const text = decimal.typed(this.input[name].value) ?? "";
    this.input[name].value = this.math.stepped(text, { up, times: event.shiftKey ? 10n : 1n, places, step, from });
    this.input[name].dispatchEvent(new Event("input", { bubbles: true }));
  }

  /** What the chosen side spends from. */
  #purse() {
    const { facts } = this;
    const [code, decimals] = this.order().side === "buy" ? [facts.quote, facts.quoteDecimals] : [facts.base, facts.baseDecimals];
    return { code, decimals, units: decimal.parse(this.available.get(code) ?? "0", decimals) ?? 0n };
  }

  #summary() {
    drawSummary(this.form, { order: this.order(), math: this.math, facts: this.facts, purse: this.#purse() });
  }

  #layout() {
    const order = this.order();
    const conditional = CONDITIONAL.includes(order.kind);
    for (const box of $$("[data-field]", this.form)) {
      const name = box.dataset.field;
      box.hidden = name === "kind" ? !conditional : name !== "time" && !shows(order, name);
    }
    const { times } = KINDS[order.kind];
    for (const option of this.input.time.options) option.hidden = option.disabled = !times.includes(option.value);
    if (!times.includes(order.time)) [this.input.time.value] = times;
    const pressed = conditional ? "conditional" : order.kind;
    for (const button of $$("[data-side-button]", this.form)) button.setAttribute("aria-pressed", String(button.dataset.sideButton === order.side));
    for (const button of $$("[data-kind-button]", this.form)) button.setAttribute("aria-pressed", String(button.dataset.kindButton === pressed));
    if (this.submit) {
      this.submit.classList.toggle("button-up", order.side === "buy");
      this.submit.classList.toggle("button-down", order.side === "sell");
      this.submit.disabled = this.facts.state === "cancel_only" || this.facts.state === "halted";
    }
    this.#words();
    this.#forgive();
    this.#summary();
  }

  #words() {
    const order = this.order();
    const words = labels(order, { estimated: order.kind !== "limit" && !order.kind.endsWith("_limit") && order.kind !== "oco" });
    for (const [name, text] of Object.entries(words)) setText($(`[data-${name}-label]`, this.form), text);
    setText($("[data-kind-hint]", this.form), hint(order));
    setText($("[data-more-said]", this.form), optionWords(order));
    if (this.submit) setText(this.submit, submitWord(order, this.facts));
    const closed = $("[data-closed]", this.form);
    setText(closed, closedWords(this.facts.state));
    closed.hidden = !closed.textContent;
  }

  #forgive() {
    for (const line of $$("[data-error]", this.form)) line.hidden = true;
    for (const name of [...TYPED, "expires_at"]) this.input[name].removeAttribute("aria-invalid");
  }

  /** Puts a sentence beside the field it names, or below the form where that field is not shown. */
  #complain(field, message) {
    const box = field && $(`[data-field="${field}"]`, this.form);
    const line = (box && !box.hidden && $(`[data-error="${field}"]`, this.form)) || $('[data-error=""]', this.form);
    line.textContent = message;
    line.hidden = false;
    if (!line.dataset.error) return;
    if (box.closest("[data-more]")) $("[data-more]", this.form).open = true;
    this.input[field].setAttribute("aria-invalid", "true");
    this.input[field].focus();
  }

  async #send() {
    if (!this.submit || this.submit.disabled || this.submit.getAttribute("aria-busy") === "true") return;
    this.#forgive();
    const order = this.order();
    const wrong = fault(order, this.facts, { last: this.math.last });
    if (wrong) {
      this.#complain(wrong.field, faultWords(wrong));
      return;
    }
    this.submit.setAttribute("aria-busy", "true");
    try {
      this.onPlaced(await this.sender.place(command(order, this.facts, crypto.randomUUID())));
      this.input.quantity.value = this.input.total.value = this.input.display_quantity.value = "";
      this.#layout();
    } catch (error) {
      this.#complain(FIELDS[error.param] ?? error.param, said(error));
      if (error.outcomeUnknown) toast(t("We do not know yet how that ended"), { detail: said(error), look: "bad" });
    } finally {
      this.submit.removeAttribute("aria-busy");
    }
  }
}

