/** Selecting an object: by a box dragged around it, a loop drawn around it, or a line over it. */

import * as api from "./api.js";
import { takeMask } from "./files.js";
import { canvasOf } from "./layer.js";
import { find } from "./notices.js";
import { FEWEST, endsOf, isScribble } from "./path.js";
import { text } from "./texts.js";

/** @typedef {import("./types.js").Point} Point */

const SCRIBBLE_WIDTH = 0.006; // of the photo's longer side
const SOFT = { object: 4, people: 4 }; // pixels of soft edge around what is found, which must go too

/**
 * Select what the server finds; it is added to the mask, or taken off it.
 * @param {import("./editor.js").Editor} editor
 * @param {"object"|"people"|"text"|"dust"} kind
 * @param {{box?: string, scribble?: object}} where
 */
export async function select(editor, kind, where = {}, erases = false) {
  const { photo } = editor;
  if (!photo || photo.isDrawing) return;
  document.body.classList.add("searching");
  find("hint").textContent = text("searching");
  const grow = erases ? 0 : SOFT[kind] ?? 0;
  const make = () => api.select(photo.file, photo.patches, kind, { ...where, grow });
  await takeMask(editor, photo, make, { erases });
  document.body.classList.remove("searching");
  editor.changed();
}

/** Select the object that a path means. @param {Point[]} path */
export async function selectObject(editor, path, erases) {
  const { photo } = editor;
  document.body.classList.add("searching");
  try {
    if (isScribble(path)) {
      await select(editor, "object", { scribble: await scribbled(photo, path) }, erases);
      return;
    }
    const [from, to] = endsOf(path);
    const inside = (value, most) => Math.min(Math.max(Math.round(value), 0), most);
    const left = inside(Math.min(from.x, to.x), photo.width), right = inside(Math.max(from.x, to.x), photo.width);
    const top = inside(Math.min(from.y, to.y), photo.height), bottom = inside(Math.max(from.y, to.y), photo.height);
    if (right - left < FEWEST || bottom - top < FEWEST) return;
    await select(editor, "object", { box: [left, top, right, bottom].join(",") }, erases);
  } finally {
    document.body.classList.remove("searching");
  }
}

/** A path as a picture of the photo's size. */
async function scribbled(photo, path) {
  const canvas = canvasOf(photo.width, photo.height);
  const context = canvas.getContext("2d");
  context.strokeStyle = "#fff";
  context.lineWidth = Math.max(3, SCRIBBLE_WIDTH * Math.max(photo.width, photo.height));
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  for (const point of path) context.lineTo(point.x, point.y);
  context.stroke();
  const file = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  return { file, left: 0, top: 0 };
}
