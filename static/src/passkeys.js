/** Forms that a passkey fills in: registering one (create), showing one (get), logging in with one (login). The browser asks the
 * person; its answer goes to the server as JSON in the form's field. Without WebAuthn their buttons stay hidden. */
import { $, $$ } from "./lib/dom.js";
import { t } from "./lib/words.js";

const bytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

function text(buffer) {
  const binary = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

const named = (list) => (list ?? []).map((credential) => ({ ...credential, id: bytes(credential.id) }));

async function created(options, form) {
  const wanted = options.publicKey;
  const alone = Boolean(form.elements.passwordless?.checked);
  const credential = await navigator.credentials.create({
    publicKey: {
      ...wanted,
      challenge: bytes(wanted.challenge),
      user: { ...wanted.user, id: bytes(wanted.user.id) },
      excludeCredentials: named(wanted.excludeCredentials),
      authenticatorSelection: {
        ...wanted.authenticatorSelection,
        residentKey: alone ? "required" : "discouraged",
        requireResidentKey: alone,
      },
    },
  });
  return {
    ...common(credential),
    response: {
      clientDataJSON: text(credential.response.clientDataJSON),
      attestationObject: text(credential.response.attestationObject),
      transports: credential.response.getTransports?.() ?? [],
    },
  };
}

async function shown(options) {
  const wanted = options.publicKey;
  const credential = await navigator.credentials.get({
    publicKey: { ...wanted, challenge: bytes(wanted.challenge), allowCredentials: named(wanted.allowCredentials) },
  });
  const { clientDataJSON, authenticatorData, signature, userHandle } = credential.response;
  return {
    ...common(credential),
    response: {
      clientDataJSON: text(clientDataJSON),
      authenticatorData: text(authenticatorData),
      signature: text(signature),
      userHandle: userHandle ? text(userHandle) : null,
    },
  };
}

const common = (credential) => ({
  id: credential.id,
  rawId: text(credential.rawId),
  type: credential.type,
  authenticatorAttachment: credential.authenticatorAttachment ?? null,
  clientExtensionResults: credential.getClientExtensionResults(),
});

async function optionsOf(form) {
  if (form.dataset.passkey !== "login") return JSON.parse(document.getElementById(form.dataset.options).textContent);
  const answer = await fetch(form.action, { headers: { Accept: "application/json", "X-Requested-With": "XMLHttpRequest" } });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return (await answer.json()).request_options;
}

/** A person who cancels is no error of theirs, and gets told what to do. */
function complain(form, error) {
  const place = $("[data-passkey-error]", form) ?? $("[data-passkey-error-of]");
  const known = {
    NotAllowedError: t("Nothing was confirmed. Try again, or use another way."),
    InvalidStateError: t("This device is registered already."),
    SecurityError: t("Passkeys do not work at this address."),
  };
  place.textContent = known[error.name] ?? t("That did not work. Try again, or use another way.");
  place.hidden = false;
}

function prepare(form) {
  let asking = false;
  for (const button of $$("[data-passkey-go]")) if (button.form === form) button.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (asking) return;
    asking = true;
    try {
      const options = await optionsOf(form);
      const credential = await (form.dataset.passkey === "create" ? created(options, form) : shown(options));
      form.elements.credential.value = JSON.stringify(credential);
      HTMLFormElement.prototype.submit.call(form);
    } catch (error) {
      complain(form, error);
    } finally {
      asking = false;
    }
  });
}

if (window.PublicKeyCredential) $$("form[data-passkey]").forEach(prepare);
