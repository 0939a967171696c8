/** Wallet pages: parts refresh when money moves, and the withdraw form adds up while one types. */
import * as decimal from "./lib/decimal.js";
import { $, $$, setText } from "./lib/dom.js";
import { Feed } from "./lib/feed.js";

/** Many changes in a moment are one refresh. */
const GATHER_MS = 400;

function refreshOnMoney() {
  if (!$$("[hx-trigger*='money']").length) return;
  let timer = null;
  let begun = false;
  new Feed()
    .subscribe("balances", (type) => {
      if (type === "snapshot" && !begun) {
        begun = true; // the page was printed a moment ago
        return;
      }
      clearTimeout(timer);
      timer = setTimeout(() => document.body.dispatchEvent(new CustomEvent("money")), GATHER_MS);
    })
    .start();
}

function withdrawForm(form) {
  const decimals = Number(form.dataset.decimals);
  const available = BigInt(form.dataset.available);
  const amount = form.elements.amount;
  const total = $("[data-total]", form);
  const most = $("[data-max]", form);

  const text = (units) => `${decimal.grouped(decimal.format(units, decimals))} ${form.dataset.code}`;

  /** Each network has its own fee. */
  function fee() {
    return BigInt($("[name='network']:checked", form)?.dataset.fee ?? 0);
  }

  function addUp() {
    const units = decimal.parse(amount.value.replaceAll(",", ""), decimals);
    const over = units !== null && units + fee() > available;
    setText($("[data-fee-text]", form), text(fee()));
    setText(total, units === null ? "amount + fee" : text(units + fee()));
    total.classList.toggle("down", over);
    amount.setAttribute("aria-invalid", String(over));
    most.hidden = available <= fee();
  }

  most.addEventListener("click", () => {
    amount.value = decimal.format(available - fee(), decimals);
    addUp();
  });
  amount.addEventListener("input", addUp);
  for (const network of $$("[name='network']", form)) network.addEventListener("change", addUp);
  addUp();
}

refreshOnMoney();
$$("[data-withdraw]").forEach(withdrawForm);
