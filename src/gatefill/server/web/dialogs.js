/** Questions: yes or no, and the token. */

import { find } from "./notices.js";
import { text } from "./texts.js";

/** @returns {Promise<boolean>} Whether the answer was yes. */
export function ask(question, yes) {
  const dialog = find("question");
  find("question-text").textContent = question;
  find("question-yes").textContent = yes;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** The buttons that close their dialog. They submit no form: Enter in a field is to press another. */
export function linkClosing() {
  for (const button of document.querySelectorAll("dialog [data-close]")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
}

let open = null; // the answer to the question for the token that is open

/**
 * Ask for the token until the server takes it.
 * @returns {Promise<boolean>} Whether one was taken.
 */
export function askToken() {
  open ??= untilTaken().finally(() => (open = null));
  return open;
}

function untilTaken() {
  const dialog = find("token-dialog"), field = find("token-field"), form = find("token-form");
  find("token-wrong").hidden = true;
  field.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    form.onsubmit = async (event) => {
      event.preventDefault();
      const body = new FormData();
      body.append("token", field.value);
      const reply = await fetch("login", { method: "POST", body, redirect: "manual" }).catch(() => null);
      // The server leads a page with the right token on to the editor.
      if (reply?.type === "opaqueredirect") dialog.close("yes");
      find("token-wrong").textContent = text(reply ? "tokenWrong" : "offline");
      find("token-wrong").hidden = false;
      field.select();
    };
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
