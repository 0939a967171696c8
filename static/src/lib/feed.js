/**
 * The live feed: one websocket, many channels, mends itself.
 *
 * States, told to whoever listens: "connecting", "live", "broken" (it was live, or would not open; trying again), "offline" (the
 * browser says there is no network). A handler gets (type, data) with type "snapshot", "update" or "gap". After every new
 * connection each channel starts with a snapshot, so a handler never has to know that a connection was lost.
 */
import { ApiError, UNREACHABLE } from "./api.js";
import { t } from "./words.js";

const PING_EVERY_MS = 15_000;
const ANSWER_WITHIN_MS = 10_000;
const RETRY_FIRST_MS = 400;
const RETRY_MOST_MS = 15_000;
const OPEN_WITHIN_MS = 10_000;
/** What a page draws first; a subscription is answered when all of its channels are ready, so these are asked for alone. */
const FIRST = /^(book|trades|market):/;
/** After a gap the server sends a snapshot by itself, except on these, which only ever append. */
const APPENDING = /^(trades:|fills$)/;
/** A command that was sent and not answered for so long may have been done or not. */
const DONE_WITHIN_MS = 15_000;

export class Feed {
  constructor(path = "/ws/") {
    this.url = new URL(path, location.href);
    this.url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.handlers = new Map();
    this.listeners = new Set();
    this.state = "connecting";
    this.failures = 0;
    this.socket = null;
    this.timers = {};
    this.nextId = 1;
    this.authenticated = false;
    this.commands = new Map();
    this.started = false;
  }

  /** Whether orders can go this way now. */
  get takesCommands() {
    return this.state === "live" && this.authenticated;
  }

  /** Sends a command and promises its answer; throws ApiError as lib/api.js does, also where the connection broke before it came. */
  command(message) {
    return new Promise((resolve, reject) => {
      const id = this.#send(message);
      if (id === null) return reject(new ApiError(UNREACHABLE, 0));
      const timer = setTimeout(() => this.#answered(id, { error: UNREACHABLE }), DONE_WITHIN_MS);
      this.commands.set(id, { resolve, reject, timer });
      return undefined;
    });
  }

  subscribe(channel, handler) {
    this.handlers.set(channel, handler);
    if (this.state === "live") this.#send({ op: "subscribe", channels: [channel] });
    return this;
  }

  unsubscribe(channel) {
    this.handlers.delete(channel);
    if (this.state === "live") this.#send({ op: "unsubscribe", channels: [channel] });
  }

  /** Throws away what a channel has and asks for a snapshot. */
  resync(channel) {
    if (this.state !== "live") return;
    this.#send({ op: "unsubscribe", channels: [channel] });
    this.#send({ op: "subscribe", channels: [channel] });
  }

  onState(listener) {
    this.listeners.add(listener);
    listener(this.state);
  }

  /** Once, however many of the page's scripts ask. */
  start() {
    if (this.started) return this;
    this.started = true;
    addEventListener("online", () => this.#retryNow());
    addEventListener("offline", () => this.#enter("offline"));
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#retryNow();
    });
    this.#open();
    return this;
  }

  #open() {
    this.#clear();
    const socket = new WebSocket(this.url);
    this.socket = socket;
    this.timers.open = setTimeout(() => socket.close(), OPEN_WITHIN_MS);
    socket.onmessage = (event) => {
      if (socket === this.socket) this.#receive(JSON.parse(event.data));
    };
    socket.onclose = () => {
      if (socket === this.socket) this.#lost();
    };
  }

  #receive(message) {
    clearTimeout(this.timers.answer);
    if (message.type === "hello") return this.#greeted(message);
    if (this.commands.has(message.id)) return this.#answered(message.id, message);
    if (message.error) return this.#refused(message.error);
    if (!message.channel) return undefined;
    const handler = this.handlers.get(message.channel);
    if (!handler) return undefined;
    handler(message.type, message.data);
    if (message.type === "gap" && APPENDING.test(message.channel)) this.resync(message.channel);
    return undefined;
  }

  #answered(id, message) {
    const { resolve, reject, timer } = this.commands.get(id) ?? {};
    this.commands.delete(id);
    clearTimeout(timer);
    if (message.error) reject?.(new ApiError(message.error, 0));
    else resolve?.(message);
  }

  #greeted({ authenticated }) {
    this.authenticated = authenticated;
    clearTimeout(this.timers.open);
    this.failures = 0;
    this.#enter("live");
    const channels = [...this.handlers.keys()];
    for (const group of [channels.filter((each) => FIRST.test(each)), channels.filter((each) => !FIRST.test(each))]) {
      if (group.length) this.#send({ op: "subscribe", channels: group });
    }
    this.timers.ping = setInterval(() => {
      this.#send({ op: "ping" });
      clearTimeout(this.timers.answer);
      this.timers.answer = setTimeout(() => this.socket?.close(), ANSWER_WITHIN_MS);
    }, PING_EVERY_MS);
  }

  /** One bad channel refuses a whole subscribe: ask for each alone, once, so that the good ones live. */
  #refused(error) {
    console.warn("feed:", error.code, error.message);
    if (this.askedSingly === this.socket || this.handlers.size < 2) return;
    this.askedSingly = this.socket;
    for (const channel of this.handlers.keys()) this.#send({ op: "subscribe", channels: [channel] });
  }

  #lost() {
    this.#clear();
    this.socket = null;
    this.failures += 1;
    for (const id of [...this.commands.keys()]) this.#answered(id, { error: UNREACHABLE });
    this.#enter(navigator.onLine === false ? "offline" : "broken");
    const ceiling = Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** Math.min(this.failures, 10));
    this.timers.retry = setTimeout(() => this.#open(), ceiling * (0.5 + Math.random() / 2));
  }

  #retryNow() {
    if (this.state === "live" || this.socket) return;
    clearTimeout(this.timers.retry);
    this.#open();
  }

  #clear() {
    for (const timer of Object.values(this.timers)) clearTimeout(timer);
    this.timers = {};
  }

  #enter(state) {
    if (state === this.state) return;
    this.state = state;
    for (const listener of this.listeners) listener(state);
  }

  /** The message's id, or null where there is no connection to send it over. */
  #send(message) {
    if (this.socket?.readyState !== WebSocket.OPEN) return null;
    const id = this.nextId;
    this.nextId += 1;
    this.socket.send(JSON.stringify({ ...message, id }));
    return id;
  }
}

/** The page's one socket, whichever of its scripts asks first; whoever subscribes starts it. */
export const siteFeed = () => (globalThis.bourseFeed ??= new Feed());

const WORDS = {
  connecting: ["dot", t("Connecting…")],
  live: ["dot dot-ok", t("Live")],
  broken: ["dot dot-warn", t("Reconnecting…")],
  offline: ["dot dot-bad", t("No network")],
};

/** Keeps an element telling the feed's state. */
export function showState(feed, element) {
  if (!element) return;
  element.hidden = false;
  feed.onState((state) => {
    const [css, word] = WORDS[state];
    const dot = document.createElement("span");
    dot.className = css;
    element.replaceChildren(dot, word);
    element.dataset.state = state;
  });
}
