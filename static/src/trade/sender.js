/**
 * Sends commands: over the websocket, which is open and known already, or over REST while it is not.
 *
 * What must never happen here: an order sent twice. Each carries an id of our own; where the answer got lost we ask for the order by
 * that id, and only where there is none do we say that it is not known how it ended.
 */
import * as api from "../lib/api.js";

const ASK_AGAIN_MS = [300, 1_500, 4_000];
const PATHS = { place: "/orders", oco: "/orders/oco" };

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Sender {
  constructor(feed) {
    this.feed = feed;
  }

  /** The order; for a pair {limit, stop}. Throws ApiError. */
  async place({ op, ...body }) {
    try {
      if (!this.feed.takesCommands) return await api.post(PATHS[op], body);
      const answer = await this.feed.command({ op, ...body });
      return op === "oco" ? { limit: answer.limit, stop: answer.stop } : answer.order;
    } catch (error) {
      if (!error.outcomeUnknown) throw error;
      return this.#found(op, body.client_order_id, error);
    }
  }

  async amend(orderId, changes) {
    if (!this.feed.takesCommands) return api.patch(`/orders/${orderId}`, changes);
    return (await this.feed.command({ op: "amend", order_id: orderId, ...changes })).order;
  }

  async cancel(orderId) {
    if (!this.feed.takesCommands) return api.remove(`/orders/${orderId}`);
    return (await this.feed.command({ op: "cancel", order_id: orderId })).order;
  }

  /** How many it were; of one market, or of all. */
  async cancelAll(market) {
    if (this.feed.takesCommands) return (await this.feed.command({ op: "cancel_all", ...(market ? { market } : {}) })).cancelled;
    return (await api.remove(market ? `/orders?${new URLSearchParams({ market })}` : "/orders")).cancelled;
  }

  async #found(op, clientOrderId, error) {
    for (const wait of ASK_AGAIN_MS) {
      await pause(wait);
      try {
        const order = await api.get(`/orders/by-client-id/${clientOrderId}`);
        return op === "oco" ? this.#pair(order) : order;
      } catch (again) {
        if (!again.outcomeUnknown && again.type !== "not_found") throw again;
      }
    }
    throw error;
  }

  async #pair(limit) {
    return { limit, stop: await api.get(`/orders/${limit.oco_order_id}`) };
  }
}
