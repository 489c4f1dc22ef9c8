/** The strip of open photos: shows one, closes one. */

import { ask } from "./dialogs.js";
import { complain, find, icon, make } from "./notices.js";
import { text } from "./texts.js";

/** @typedef {import("./editor.js").Editor} Editor */

/** @param {Editor} editor @param {(ids: string[]) => void} onclosed */
export function showStrip(editor, onclosed) {
  const { slots } = editor;
  find("strip").hidden = slots.length < (editor.isOpen ? 2 : 1);
  document.body.classList.toggle("several", slots.length > 1);
  find("photos").replaceChildren(...slots.map((slot) => item(editor, slot, onclosed)));
}

function item(editor, slot, onclosed) {
  const { name } = slot;
  const picture = document.createElement("canvas");
  picture.width = slot.thumbnail.width;
  picture.height = slot.thumbnail.height;
  picture.getContext("2d").drawImage(slot.thumbnail, 0, 0);
  const show = make(
    "button", { class: "shot", title: name, "aria-label": name, "aria-current": slot === editor.slot && "true" },
    picture,
  );
  show.addEventListener("click", () => editor.select(slot).catch(complain));
  const close = make(
    "button", { class: "plain close", title: text("closePhoto", { name }), "aria-label": text("closePhoto", { name }) },
    icon("close"),
  );
  close.addEventListener("click", () => closePhoto(editor, slot, onclosed));
  return make("li", {}, show, close);
}

/** Close a photo; where something would be lost, ask first. */
export async function closePhoto(editor, slot, onclosed) {
  const saved = slot.photo?.saved ?? slot.saved;
  if (!saved && !(await ask(text("closeUnsaved", { name: slot.name }), text("closeAnyway")))) return;
  await editor.close(slot);
  onclosed([slot.id]);
}
