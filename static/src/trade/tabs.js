/** Tabs by mouse and by arrow keys, as the ARIA pattern asks. `onChosen` is told the part of the id that follows "tab-". */
import { $$ } from "../lib/dom.js";

export function tabs(within, onChosen = () => null) {
  const buttons = $$("[role=tab]", within);
  const choose = (wanted) => {
    for (const button of buttons) {
      const chosen = button === wanted;
      button.setAttribute("aria-selected", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
      document.getElementById(button.getAttribute("aria-controls")).hidden = !chosen;
    }
    onChosen(wanted.id.replace("tab-", ""));
  };
  buttons.forEach((button, index) => {
    button.addEventListener("click", () => choose(button));
    button.addEventListener("keydown", (event) => {
      const rtl = getComputedStyle(button).direction === "rtl" ? -1 : 1;
      const step = { ArrowRight: rtl, ArrowLeft: -rtl }[event.key];
      const edge = { Home: 0, End: buttons.length - 1 }[event.key];
      if (step === undefined && edge === undefined) return;
      const next = buttons[edge ?? (index + step + buttons.length) % buttons.length];
      event.preventDefault();
      choose(next);
      next.focus();
    });
  });
}
