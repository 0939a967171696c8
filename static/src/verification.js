/** Uploads that show how far they are. Without this script the same forms are sent by the browser itself. */
import { $, $$ } from "./lib/dom.js";
import { said, t } from "./lib/words.js";

const BYTES_MAX = 10 * 1024 * 1024;

function upload(form) {
  const bar = $(".upload-bar", form);
  const fault = $("[data-upload-error]", form);
  const button = $("button", form);
  const input = $("input[type='file']", form);

  function say(message) {
    bar.hidden = true;
    button.disabled = false;
    fault.textContent = message;
    fault.hidden = false;
    input.focus();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const file = input.files[0];
    if (!file) return say(t("Choose a picture first."));
    if (file.size > BYTES_MAX) return say(t("A picture has at most 10 MB."));
    fault.hidden = true;
    button.disabled = true;
    bar.value = 0;
    bar.hidden = false;
    const request = new XMLHttpRequest();
    request.open("POST", form.dataset.upload);
    request.responseType = "json";
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader("X-CSRFToken", form.elements.csrfmiddlewaretoken.value);
    request.upload.addEventListener("progress", (moved) => {
      if (moved.lengthComputable) bar.value = Math.round((100 * moved.loaded) / moved.total);
    });
    request.addEventListener("load", () => {
      if (request.status === 201) location.reload();
      else say(request.response?.error ? said(request.response.error) : t("Something broke on our side. Try again."));
    });
    request.addEventListener("error", () => say(t("The site did not answer. Try again.")));
    request.send(file);
    return undefined;
  });
}

$$("form[data-upload]").forEach(upload);
