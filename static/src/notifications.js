/** The page of notification settings: push to this browser, on and off. */
import { $ } from "./lib/dom.js";
import { isOnFor, supported, switchOff, switchOn } from "./lib/push.js";
import { toast } from "./lib/toast.js";
import { said, t } from "./lib/words.js";

const line = $("[data-push]");
const [state, on, off] = ["[data-push-state]", "[data-push-on]", "[data-push-off]"].map((each) => $(each, line));
const { key, person } = line.dataset;

async function show() {
  if (!supported()) {
    state.textContent = t("This browser takes no pushes. On an iPhone, put this site on the home screen first.");
    return;
  }
  const isOn = await isOnFor(person);
  on.hidden = isOn || Notification.permission === "denied";
  off.hidden = !isOn;
  if (isOn) state.textContent = t("On: news reaches you here, also while this site is closed.");
  else if (Notification.permission === "denied") state.textContent = t("Blocked in the browser's settings for this site. Allow notifications there first.");
  else state.textContent = t("Off. The browser asks you when you switch it on.");
}

async function doing(button, work, done) {
  button.disabled = true;
  try {
    await work();
    toast(done, { look: "ok" });
    location.reload(); // the list of devices below has changed
  } catch (error) {
    if (error.message !== "denied") toast(t("That did not work"), { detail: error.code ? said(error) : error.message, look: "bad" });
  } finally {
    button.disabled = false;
    await show();
  }
}

on.addEventListener("click", () => doing(on, () => switchOn(key, person), t("On")));
off.addEventListener("click", () => doing(off, () => switchOff(null), t("Off")));
show();
