/** Words that appear over the page, menus and the dialog. */

import { sentence, text } from "./texts.js";

const SECONDS = 6;

/** @param {string} id @returns {HTMLElement} */
export function find(id) {
  return document.getElementById(id);
}

/** An element with attributes and children. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `web/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** Tell something; errors stay until they are closed. */
export function notify(message, kind = "note") {
  const isError = kind === "error";
  for (const shown of find("notices").children) {
    if (shown.dataset.message === message) shown.remove();
  }
  const close = make("button", { class: "plain small", "aria-label": text("close") }, icon("close"));
  const notice = make(
    "div",
    { class: `notice ${kind}`, role: isError ? "alert" : "status", "data-message": message },
    make("p", {}, message), close,
  );
  close.addEventListener("click", () => notice.remove());
  find("notices").append(notice);
  if (!isError) setTimeout(() => notice.remove(), SECONDS * 1000);
}

/** Tell what went wrong, in words for people. */
export function complain(error) {
  notify(inWords(error), "error");
  if (!error.kind) console.error(error);
}

/** What an error says, in the reader's language where its code is known. */
export function inWords(error) {
  if (error.kind === "offline") return text("offline");
  if (error.kind === "damaged") return text("damagedRecord", { name: error.message });
  const { code, values, message } = error;
  return code ? sentence({ code, values, text: message }) : text("failed", { detail: message });
}

/** Tell a warning of the server. */
export function warn(warning) {
  notify(sentence(warning));
}

/** A button that shows and hides a menu; the menu's choices close it. */
export function menu(button, sheet) {
  const show = (shown) => {
    sheet.hidden = !shown;
    button.setAttribute("aria-expanded", String(shown));
  };
  button.addEventListener("click", () => {
    show(sheet.hidden);
    if (!sheet.hidden) sheet.querySelector("button").focus();
  });
  sheet.addEventListener("click", () => show(false));
  document.addEventListener("pointerdown", (event) => {
    if (!sheet.contains(event.target) && !button.contains(event.target)) show(false);
  });
  sheet.addEventListener("keydown", (event) => {
    const all = [...sheet.querySelectorAll("button")];
    const at = all.indexOf(document.activeElement);
    if (event.key === "Escape") {
      show(false);
      button.focus();
    } else if (event.key === "ArrowDown") all[(at + 1) % all.length].focus();
    else if (event.key === "ArrowUp") all[(at + all.length - 1) % all.length].focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

/** Offer a file to be saved. */
export function save(blob, name) {
  const address = URL.createObjectURL(blob);
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
