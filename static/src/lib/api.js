/** The REST API from a page: session cookie, CSRF token, and errors in the one shape. */
import { t } from "./words.js";

const ANSWER_WITHIN_MS = 15_000;

export class ApiError extends Error {
  constructor({ type, code, message, param }, status) {
    super(message);
    this.type = type;
    this.code = code;
    this.param = param;
    this.status = status;
  }

  /** It may have been done or not. */
  get outcomeUnknown() {
    return this.type === "outcome_unknown";
  }
}

export const UNREACHABLE = {
  type: "outcome_unknown",
  code: "unreachable",
  message: t("The site did not answer. Look at your orders before you try again."),
  param: null,
};
const GARBLED = { type: "internal", code: "internal", message: t("Something broke on our side."), param: null };

// The token's cookie is __Host-csrf where the site is served over https, csrftoken on a developer's machine.
export function csrfToken() {
  return cookie("__Host-csrf") || cookie("csrftoken");
}

function cookie(name) {
  const found = document.cookie.split("; ").find((part) => part.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

/** Answers with the parsed body; throws ApiError, also when nothing came back. */
export async function call(method, path, body) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
  } catch {
    throw new ApiError(UNREACHABLE, 0);
  }
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  throw new ApiError(answer?.error ?? GARBLED, response.status);
}

export const get = (path) => call("GET", path);
export const post = (path, body) => call("POST", path, body);
export const patch = (path, body) => call("PATCH", path, body);
export const remove = (path) => call("DELETE", path);
