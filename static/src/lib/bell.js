/** The bell: how many notifications are unread, kept up by the page's one socket; its panel is read when it opens. */
import { $ } from "./dom.js";
import { siteFeed } from "./feed.js";
import { renew } from "./push.js";
import { toast } from "./toast.js";
import { t, tn } from "./words.js";

const MOST_SHOWN = 99;

function show(bell, unread) {
  const count = $("[data-bell-count]", bell);
  count.textContent = unread > MOST_SHOWN ? `${MOST_SHOWN}+` : String(unread);
  count.hidden = unread === 0;
  $("[data-bell-words]", bell).textContent =
    unread === 0 ? t("Notifications") : tn("Notifications, {count} unread", "Notifications, {count} unread", unread);
}

/** Below the first paint: a page is read before its bell rings. */
function whenIdle(work) {
  if ("requestIdleCallback" in globalThis) requestIdleCallback(work, { timeout: 3_000 });
  else setTimeout(work, 1_000);
}

export function ring(bell) {
  const latest = $("[data-bell-latest]", bell);
  bell.addEventListener("toggle", () => {
    if (bell.open) latest.dispatchEvent(new CustomEvent("bell-open"));
  });
  whenIdle(() => {
    const feed = siteFeed().subscribe("notifications", (type, data) => {
      if (type === "gap") return;
      show(bell, data.unread);
      if (type !== "update") return;
      for (const each of data.notifications) toast(each.title, { detail: each.body });
      if (bell.open) latest.dispatchEvent(new CustomEvent("bell-open"));
    });
    feed.onState((state) => (bell.dataset.state = state));
    feed.start();
    renew(bell.dataset.person);
  });
}

/** A banner that was closed stays closed, in this browser, until the next one comes. */
export function closable(banner) {
  const button = $("[data-banner-close]", banner);
  button.hidden = false;
  button.addEventListener("click", () => {
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `banner=${banner.dataset.banner}; path=/; max-age=${90 * 24 * 3600}; samesite=lax${secure}`;
    banner.remove();
    document.getElementById("main")?.focus();
  });
}
