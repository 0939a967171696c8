/** Wallet pages: parts refresh when money moves, plots answer the pointer, and the withdraw form adds up while one types. */
import { $$ } from "./lib/dom.js";
import { siteFeed } from "./lib/feed.js";
import { enlivenPlots } from "./wallet/plot.js";
import { withdrawForm } from "./wallet/withdraw_form.js";

/** Many changes in a moment are one refresh. */
const GATHER_MS = 400;

function refreshOnMoney() {
  if (!$$("[hx-trigger*='money']").length) return;
  let timer = null;
  let begun = false;
  siteFeed()
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

refreshOnMoney();
$$("[data-withdraw]").forEach(withdrawForm);
enlivenPlots();
document.body.addEventListener("htmx:load", (event) => enlivenPlots(event.target));
