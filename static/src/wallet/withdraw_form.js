/** The withdraw form adds up while one types: what arrives, the fee of the chosen network, what is taken; and takes addresses of the list. */
import * as decimal from "../lib/decimal.js";
import { $, $$, setText } from "../lib/dom.js";
import { t } from "../lib/words.js";

export function withdrawForm(form) {
  const decimals = Number(form.dataset.decimals);
  const available = BigInt(form.dataset.available);
  const { amount, address } = form.elements;
  const total = $("[data-total]", form);
  const most = $("[data-max]", form);

  const text = (units) => `${decimal.grouped(decimal.format(units, decimals))} ${form.dataset.code}`;

  /** Each network has its own fee. */
  function fee() {
    return BigInt($("[name='network']:checked", form)?.dataset.fee ?? 0);
  }

  function addUp() {
    const typed = decimal.typed(amount.value);
    const units = typed === null ? null : decimal.parse(typed, decimals);
    const over = units !== null && units + fee() > available;
    setText($("[data-fee-text]", form), text(fee()));
    setText($("[data-arrives]", form), units === null ? t("the amount") : text(units));
    setText(total, units === null ? t("amount + fee") : text(units + fee()));
    total.classList.toggle("down", over);
    amount.setAttribute("aria-invalid", String(over));
    most.hidden = available <= fee();
  }

  function pick(button) {
    address.value = button.dataset.pick;
    const network = $(`[name='network'][value='${CSS.escape(button.dataset.pickNetwork)}']`, form);
    if (network) network.checked = true;
    addUp();
    amount.focus();
  }

  most.addEventListener("click", () => {
    amount.value = decimal.format(available - fee(), decimals);
    addUp();
  });
  amount.addEventListener("input", addUp);
  for (const network of $$("[name='network']", form)) network.addEventListener("change", addUp);
  for (const box of $$("[data-picks]", form)) box.hidden = !box.children.length;
  for (const button of $$("[data-pick]", form)) button.addEventListener("click", () => pick(button));
  addUp();
}
