/** Tabs by mouse and by arrow keys, as the ARIA pattern asks. */
import { $$ } from "../lib/dom.js";

export function tabs(within) {
  const buttons = $$("[role=tab]", within);
  const choose = (wanted) => {
    for (const button of buttons) {
      const chosen = button === wanted;
      button.setAttribute("aria-selected", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
      document.getElementById(button.getAttribute("aria-controls")).hidden = !chosen;
    }
  };
  buttons.forEach((button, index) => {
    button.addEventListener("click", () => choose(button));
    button.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = buttons[(index + step + buttons.length) % buttons.length];
      choose(next);
      next.focus();
    });
  });
}
