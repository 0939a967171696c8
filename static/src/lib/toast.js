/** Short news in the corner, read out by screen readers through the page's live region. */
import { t } from "./words.js";

const STAYS_MS = 6_000;
const AT_MOST = 4;

/** With a `key`, it takes the place of the one before with the same key: news of one order is one toast. */
export function toast(title, { detail = "", look = "", key = "" } = {}) {
  const region = document.getElementById("toasts");
  if (!region) return;
  const box = document.createElement("div");
  box.className = `toast${look ? ` toast-${look}` : ""}`;
  const words = document.createElement("div");
  const strong = document.createElement("strong");
  strong.textContent = title;
  words.append(strong);
  if (detail) {
    const line = document.createElement("p");
    line.textContent = detail;
    words.append(line);
  }
  box.append(words);
  adopt(box, look === "bad");
  if (key) {
    box.dataset.key = key;
    for (const old of [...region.children]) if (old.dataset.key === key) old.remove();
  }
  region.append(box);
  while (region.children.length > AT_MOST) region.firstElementChild.remove();
}

/** Gives a toast its closing button and its end; one that tells of an error stays twice as long. */
export function adopt(box, serious = false) {
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "×";
  close.setAttribute("aria-label", t("Close"));
  close.addEventListener("click", () => box.remove());
  box.append(close);
  let timer = setTimeout(() => box.remove(), serious ? 2 * STAYS_MS : STAYS_MS);
  box.addEventListener("pointerenter", () => clearTimeout(timer));
  box.addEventListener("focusin", () => clearTimeout(timer));
  box.addEventListener("pointerleave", () => {
    timer = setTimeout(() => box.remove(), STAYS_MS);
  });
}
