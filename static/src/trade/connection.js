/** Says when what is shown stands still because the connection is lost, since when, and that it lives again. */
import { $, setText } from "../lib/dom.js";
import { showState } from "../lib/feed.js";
import { toast } from "../lib/toast.js";
import { regional, t } from "../lib/words.js";

/** A blip of this length is healed before anybody reads about it. */
const TOLD_AFTER_MS = 1_500;

export function connection(root, feed) {
  const banner = $("[data-lost]", root);
  let since = null;
  let timer = null;
  showState(feed, $("[data-live-state]", root));
  feed.onState((state) => {
    root.dataset.feed = state;
    const lost = state === "broken" || state === "offline";
    if (lost) {
      since ??= new Date();
      const time = since.toLocaleTimeString(regional, { hour12: false });
      setText($("[data-lost-words]", banner), state === "offline"
        ? t("No network. Prices stand still since {time}; your orders stay where they are.", { time })
        : t("Connection lost. Prices stand still since {time}; we are trying again. Your orders stay where they are.", { time }));
      timer ??= setTimeout(() => (banner.hidden = false), TOLD_AFTER_MS);
    } else if (state === "live") {
      clearTimeout(timer);
      timer = null;
      if (!banner.hidden) toast(t("Connected again"), { detail: t("Prices and orders are up to date."), look: "ok", key: "connection" });
      banner.hidden = true;
      since = null;
    }
  });
}
