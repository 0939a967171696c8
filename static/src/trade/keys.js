/**
 * Single keys for the trade page. They do nothing while something is typed, and can be switched off, as WCAG 2.1.4 asks; the list of
 * them opens with "?".
 */
import { $, $$ } from "../lib/dom.js";

const REMEMBERED = "trade-keys";

function stored(value) {
  try {
    if (value === undefined) return localStorage.getItem(REMEMBERED);
    localStorage.setItem(REMEMBERED, value);
  } catch {
    // a browser that keeps nothing has them switched on
  }
  return null;
}

const typing = (target) => target.closest?.("input, select, textarea, [contenteditable], dialog[open]");

/** `acts` by key; one that answers false was none of ours. */
export function keys(root, acts) {
  const help = $("[data-keys-help]");
  const box = $("[data-keys-on]", help);
  box.checked = stored() !== "off";
  box.addEventListener("change", () => stored(box.checked ? "on" : "off"));
  const open = () => help.showModal();
  for (const button of $$("[data-keys-open]", root)) {
    button.hidden = false;
    button.addEventListener("click", open);
  }
  $("[data-close]", help).addEventListener("click", () => help.close());
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const act = event.key === "?" ? open : box.checked && acts[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
