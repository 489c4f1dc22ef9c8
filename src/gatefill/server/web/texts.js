/** The page's words in the reader's language. */

import en from "./texts/en.js";
import enCodes from "./texts/en_codes.js";
import ko from "./texts/ko.js";
import koCodes from "./texts/ko_codes.js";
import koWords from "./texts/ko_words.js";

const LANGUAGES = { en, ko };
const CODES = { en: enCodes, ko: koCodes };
const WORDS = { en: {}, ko: koWords };
const KEPT = "gatefill-language";

let language = "en";

/** The text of a name, with {words} put in. */
export function text(name, words = {}) {
  return filled(LANGUAGES[language][name] ?? en[name] ?? name, words);
}

/**
 * The sentence of an error or a warning of the server, in the reader's language.
 * @param {{code: string, text: string, values: Object<string, unknown>}} told
 */
export function sentence({ code, text: own, values = {} }) {
  const found = CODES[language][code];
  if (found === undefined) return own;
  const put = Object.entries(values).map(([name, value]) => [name, [value].flat().map(inOwnWords)]);
  return filled(found, { detail: own, ...Object.fromEntries(put) });
}

function filled(found, words) {
  return found.replace(/\{(\w+)\}/g, (_, word) => [words[word] ?? ""].flat().join(", "));
}

/** A value of a sentence: known words, also before others such as "EXIF data (too long)". */
function inOwnWords(value) {
  const known = WORDS[language], [, name, more] = /^([^(]+?)(?: \((.+)\))?$/.exec(value) ?? [];
  if (!Object.hasOwn(known, name)) return value;
  return more === undefined ? known[name] : `${known[name]}(${known[more] ?? more})`;
}

/** Take the language that was chosen before, else the browser's. */
export function startLanguage() {
  const wanted = recall(KEPT) ?? navigator.language.slice(0, 2);
  setLanguage(wanted in LANGUAGES ? wanted : "en");
}

export function otherLanguage() {
  setLanguage(language === "en" ? "ko" : "en");
  keep(KEPT, language);
}

/**
 * Put the words into the page: `data-text` names an element's text, `data-label` what it is called
 * (its tooltip as well, with the key from `data-key`).
 */
function setLanguage(name) {
  language = name;
  document.documentElement.lang = name;
  document.title = text("title");
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = text(element.dataset.text);
  }
  for (const element of document.querySelectorAll("kbd")) {
    element.textContent = keyName((element.dataset.keys ??= element.textContent));
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    const label = text(element.dataset.label), { key } = element.dataset;
    element.setAttribute("aria-label", label);
    if (element.matches("button, a, label")) element.title = key ? `${label} (${keyName(key)})` : label;
  }
}

const IS_MAC = /mac|iphone|ipad/i.test(navigator.platform);
const MAC_KEYS = { "Ctrl+": "⌘", "Shift+": "⇧", Shift: "⇧", Alt: "⌥", Del: "⌫", Enter: "↩", Esc: "⎋" };

/** How a key is written on this machine's keyboard. @param {string} key */
export function keyName(key) {
  if (!IS_MAC) return key;
  return Object.entries(MAC_KEYS).reduce((name, [own, theirs]) => name.replace(own, theirs), key);
}

/** Read or keep a choice in the browser, where it allows that. */
export function recall(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

export function keep(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Private windows may refuse; the choice then lasts as long as the page.
  }
}
