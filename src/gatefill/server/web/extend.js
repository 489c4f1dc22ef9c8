/** Extending the canvas: a larger photo opens beside, with its new margins as the hole. */

import * as api from "./api.js";
import { stem } from "./editor.js";
import { openPhoto } from "./files.js";
import { complain, find, notify } from "./notices.js";
import { sentence, text } from "./texts.js";

const SIDES = ["left", "top", "right", "bottom"];
const SHARE = 4; // the part of a side that is offered at first

/**
 * @param {import("./editor.js").Editor} editor
 * @param {() => Promise<void>} fill What fills the margins.
 * @returns {() => void} Shows the dialog.
 */
export function linkExtending(editor, fill) {
  const values = () => Object.fromEntries(SIDES.map((side) => [side, Number(find(`extend-${side}`).value) || 0]));
  const showSize = () => {
    const { left, top, right, bottom } = values();
    const { width, height } = editor.photo;
    find("extend-size").textContent = `${width + left + right} × ${height + top + bottom}`;
    const nothing = left + top + right + bottom === 0;
    find("extend-left").setCustomValidity(nothing ? sentence({ code: "extend.margins" }) : "");
  };
  for (const side of SIDES) find(`extend-${side}`).addEventListener("input", showSize);
  find("extend-form").addEventListener("submit", () => extend(editor, values(), fill));
  return () => {
    if (!editor.isOpen) return;
    const { width } = editor.photo;
    for (const side of SIDES) find(`extend-${side}`).value = 0;
    find("extend-left").value = find("extend-right").value = Math.round(width / SHARE);
    showSize();
    find("extend-dialog").showModal();
  };
}

async function extend(editor, margins, fill) {
  const { photo } = editor;
  notify(text("preparing"));
  try {
    const file = await api.extend(photo.file, photo.patches, margins);
    if (!(await openPhoto(editor, file, `${stem(photo.name)}_extended.png`))) return;
    // What was transparent before stays so: only the margins are the hole.
    editor.photo.edit("mask", (layer) => paintMargins(layer, editor.photo, margins));
    editor.changed();
    await fill();
  } catch (error) {
    complain(error);
  }
}

function paintMargins(layer, { width, height, whole }, { left, top, right, bottom }) {
  layer.draw(whole, (context) => {
    context.fillStyle = layer.color;
    context.fillRect(0, 0, width, top);
    context.fillRect(0, height - bottom, width, bottom);
    context.fillRect(0, 0, left, height);
    context.fillRect(width - right, 0, right, height);
  });
}
