/**
 * Push to this browser: asked for once by a person, kept up by itself while the same person is logged in here.
 *
 * A registration ends with its log-in. Whoever switched it on is registered again at their next log-in in this browser; nobody else is.
 */
import { post, remove } from "./api.js";

const WORKER = "/push/worker.js";
const SCOPE = "/push/";
const WHOSE = "push-for";
const RENEWED = "push-renewed";

export const supported = () => "serviceWorker" in navigator && "PushManager" in globalThis && "Notification" in globalThis;

/** base64url without padding, of what `getKey` gives. */
function text(buffer) {
  const letters = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

export function bytes(key) {
  const padded = key.replaceAll("-", "+").replaceAll("_", "/").padEnd(Math.ceil(key.length / 4) * 4, "=");
  return Uint8Array.from(atob(padded), (letter) => letter.charCodeAt(0));
}

async function active(registration) {
  const worker = registration.installing ?? registration.waiting;
  if (registration.active || !worker) return registration;
  await new Promise((done, failed) => {
    worker.addEventListener("statechange", () => {
      if (worker.state === "activated") done();
      if (worker.state === "redundant") failed(new Error("the worker was not taken"));
    });
  });
  return registration;
}

const send = (subscription) =>
  post("/push-devices", {
    platform: "web_push",
    token: subscription.endpoint,
    keys: { p256dh: text(subscription.getKey("p256dh")), auth: text(subscription.getKey("auth")) },
  });

export async function current() {
  const registration = await navigator.serviceWorker.getRegistration(SCOPE);
  return (await registration?.pushManager.getSubscription()) ?? null;
}

export const isOnFor = async (person) => localStorage.getItem(WHOSE) === person && Notification.permission === "granted" && Boolean(await current());

/** Throws what the browser or the API says; "denied" where the person said no. */
export async function switchOn(key, person) {
  if ((await Notification.requestPermission()) !== "granted") throw new Error("denied");
  const registration = await active(await navigator.serviceWorker.register(WORKER, { scope: SCOPE }));
  const known = await registration.pushManager.getSubscription();
  if (known) await known.unsubscribe(); // of another key, or of whoever was here before
  const subscription = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(key) });
  const device = await send(subscription);
  localStorage.setItem(WHOSE, person);
  return device;
}

export async function switchOff(deviceId) {
  await (await current())?.unsubscribe();
  localStorage.removeItem(WHOSE);
  if (deviceId) await remove(`/push-devices/${deviceId}`);
}

/** Once a visit: the same person, the same browser, a new log-in. */
export async function renew(person) {
  try {
    if (!supported() || sessionStorage.getItem(RENEWED) === person || !(await isOnFor(person))) return;
    await send(await current());
    sessionStorage.setItem(RENEWED, person);
  } catch {
    // Nobody asked for anything just now: the settings page says how it stands.
  }
}
