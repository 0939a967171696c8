/** Changing an open order: its price, its trigger, its amount; in a dialog, so that a keyboard goes there and back. */
import * as decimal from "../lib/decimal.js";
import { $, $$, setText } from "../lib/dom.js";
import { said, t } from "../lib/words.js";
import { title } from "./order_words.js";

const FIELDS = ["price", "stop_price", "quantity"];

export class AmendDialog {
  /** `onAmended` is told the order as it is then. */
  constructor(sender, facts, onAmended) {
    Object.assign(this, { sender, facts, onAmended });
    // It stands in the page only while it is open, so that the order form's labels are the only ones of their names.
    this.dialog = $("[data-amend-template]").content.firstElementChild.cloneNode(true);
    this.dialog.addEventListener("close", () => this.dialog.remove());
    this.form = $("form", this.dialog);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#send();
    });
    $("[data-close]", this.dialog).addEventListener("click", () => this.dialog.close());
  }

  show(order) {
    this.order = order;
    this.#forgive();
    setText($("[data-amend-title]", this.dialog), title(order));
    for (const name of FIELDS) {
      const input = this.form.elements[name];
      $(`[data-field="${name}"]`, this.dialog).hidden = order[name] === null || (name === "stop_price" && order.state !== "pending");
      input.value = order[name] ?? "";
    }
    $("[data-field='stop_price']", this.dialog).hidden ||= order.type === "trailing_stop";
    for (const suffix of $$("[data-suffix]", this.dialog)) setText(suffix, order.market.split("-")[suffix.dataset.suffix === "base" ? 0 : 1]);
    const some = order.filled_quantity !== "0";
    const filled = $("[data-amend-filled]", this.dialog);
    filled.hidden = !some;
    if (some) setText(filled, t("The whole amount, with the {filled} that are filled.", { filled: decimal.grouped(order.filled_quantity) }));
    document.body.append(this.dialog);
    this.dialog.showModal();
  }

  #changes() {
    const changes = {};
    for (const name of FIELDS) {
      if ($(`[data-field="${name}"]`, this.dialog).hidden) continue;
      const text = decimal.typed(this.form.elements[name].value) ?? "";
      if (decimal.parse(text, 30) !== decimal.parse(this.order[name], 30)) changes[name] = text;
    }
    return changes;
  }

  #forgive() {
    for (const line of $$("[data-error]", this.dialog)) line.hidden = true;
    for (const name of FIELDS) this.form.elements[name].removeAttribute("aria-invalid");
  }

  #complain(param, message) {
    const box = param && $(`[data-field="${param}"]`, this.dialog);
    const shown = box && !box.hidden;
    const line = $(`[data-error="${shown ? param : ""}"]`, this.dialog);
    setText(line, message);
    line.hidden = false;
    if (!shown) return;
    this.form.elements[param].setAttribute("aria-invalid", "true");
    this.form.elements[param].focus();
  }

  async #send() {
    const button = $("[type=submit]", this.form);
    if (button.getAttribute("aria-busy") === "true") return;
    this.#forgive();
    const changes = this.#changes();
    const wrong = Object.keys(changes).find((name) => !decimal.parse(changes[name], 30));
    if (wrong) {
      this.#complain(wrong, t("A number such as 0.5, please."));
      return;
    }
    if (!Object.keys(changes).length) {
      this.dialog.close();
      return;
    }
    button.setAttribute("aria-busy", "true");
    try {
      this.onAmended(await this.sender.amend(this.order.id, changes));
      this.dialog.close();
    } catch (error) {
      this.#complain(error.param, said(error));
    } finally {
      button.removeAttribute("aria-busy");
    }
  }
}
