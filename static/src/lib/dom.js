/** Small steps on the page: text that changes only when it differs, a flash that says which way. */

export const $ = (selector, within = document) => within.querySelector(selector);
export const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

export function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

export function make(tag, css = "", text = "") {
  const element = document.createElement(tag);
  if (css) element.className = css;
  if (text) element.textContent = text;
  return element;
}

/** Marks an element for a moment as having gone up or down. */
export function flash(element, up) {
  element.classList.remove("flash-up", "flash-down");
  void element.offsetWidth; // restarts the animation
  element.classList.add(up ? "flash-up" : "flash-down");
}

/** At most one call of `draw` a frame, with the latest state, however often it is asked for. */
export function eachFrame(draw) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  };
}

/** The colour a token has now; a custom property alone would give back its unresolved text. */
export function colour(token) {
  const probe = make("span");
  probe.hidden = true;
  probe.style.color = `var(${token})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

export function clock(iso) {
  return new Date(iso).toLocaleTimeString([], { hour12: false });
}
