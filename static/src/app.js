/** What every page does: the theme switch, menus, copying, local times, toasts, questions before what cannot be undone. */
import htmx from "htmx.org";
import { closable, ring } from "./lib/bell.js";
import { adopt, toast } from "./lib/toast.js";
import { $, $$ } from "./lib/dom.js";
import { regional, t } from "./lib/words.js";

window.htmx = htmx;

const YEAR_S = 365 * 24 * 3600;

function themeNow() {
  return document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}

function themeSwitch(button) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const theme = themeNow() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `theme=${theme}; path=/; max-age=${YEAR_S}; samesite=lax${secure}`;
    dispatchEvent(new CustomEvent("theme"));
  });
}

function menu(details) {
  document.addEventListener("click", (event) => {
    if (!details.contains(event.target)) details.open = false;
  });
  details.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    details.open = false;
    $("summary", details).focus();
  });
}

function localTime(element) {
  const moment = new Date(element.dateTime);
  if (Number.isNaN(moment.valueOf())) return;
  element.title = moment.toISOString();
  const parts = [moment.toLocaleDateString(regional, { dateStyle: "medium" }), moment.toLocaleTimeString(regional, { timeStyle: "short" })];
  element.textContent = parts.map((part) => part.replaceAll(/\s/g, "\u00a0")).join(", ");
}

/** Parts that only make sense with a script are printed hidden; a page that gets new parts later runs this over them again. */
function enliven(within) {
  $$("time[datetime]", within).forEach(localTime);
  $$("[data-copy][hidden]", within).forEach((button) => (button.hidden = false));
  $$("[data-reveal][hidden]", within).forEach((button) => (button.hidden = false));
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    toast(t("Copied"), { look: "ok" });
  } catch {
    toast(t("Your browser did not let us copy"), { detail: t("Select the text and copy it by hand."), look: "bad" });
  }
}

function reveal(button) {
  const input = document.getElementById(button.dataset.reveal);
  const shown = input.type === "text";
  input.type = shown ? "password" : "text";
  button.textContent = shown ? t("Show") : t("Hide");
  button.setAttribute("aria-pressed", String(!shown));
  input.focus();
}

document.addEventListener("click", (event) => {
  const copying = event.target.closest("[data-copy]");
  if (copying) copy(copying);
  const revealing = event.target.closest("[data-reveal]");
  if (revealing) reveal(revealing);
  const asking = event.target.closest("[data-confirm]");
  if (asking && !confirm(asking.dataset.confirm)) event.preventDefault();
});

/** A form sent twice by a double click is sent once. */
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.method !== "post") return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
  setTimeout(() => delete event.target.dataset.sent, 5_000);
});

/** What a part that refreshes itself showed last; tokens of forms differ every time and mean nothing here. */
const shown = new WeakMap();
const withoutTokens = (html) => html.replace(/name="csrfmiddlewaretoken" value="[^"]*"/g, "");

/** Nobody looks at a hidden page. */
document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden) event.preventDefault();
});

/** A refresh never takes away the focus, never repeats itself to a screen reader, and never puts a log-in form into a page. */
document.body.addEventListener("htmx:beforeSwap", (event) => {
  const { target, serverResponse, xhr, pathInfo } = event.detail;
  if (xhr.status === 200 && new URL(xhr.responseURL).pathname !== new URL(pathInfo.finalRequestPath, location.href).pathname) {
    event.detail.shouldSwap = false;
    location.reload();
    return;
  }
  const news = withoutTokens(serverResponse);
  if (shown.get(target) === news || target.contains(document.activeElement)) event.detail.shouldSwap = false;
  else shown.set(target, news);
});

$$("[data-theme-switch]").forEach(themeSwitch);
$$("[data-menu]").forEach(menu);
$$("[data-bell]").forEach(ring);
$$("[data-banner]").forEach(closable);
$$("[data-toast]").forEach((box) => adopt(box));
enliven(document);
document.body.addEventListener("htmx:load", (event) => enliven(event.target));
