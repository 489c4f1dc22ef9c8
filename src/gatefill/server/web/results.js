/** The results of the newest fill: in the panel, and side by side in a dialog. */

import { grown } from "./layer.js";
import { find, make } from "./notices.js";
import { text } from "./texts.js";

/** @typedef {import("./editor.js").Editor} Editor */
/** @typedef {import("./types.js").Result} Result */

export const TOGETHER = 4; // results that 'more' shows side by side

/** @param {Editor} editor */
export function showResults(editor) {
  const fill = editor.photo?.lastFill?.fill;
  find("results-section").hidden = !fill;
  if (!fill) return;
  const several = fill.results.length > 1;
  find("results").replaceChildren(
    ...(several ? fill.results : []).map((result, index) =>
      choice(editor, result, index === fill.chosen, copyOf(result.thumbnail)),
    ),
  );
  if (find("results-dialog").open) fillDialog(editor);
}

/** Show the results of the newest fill side by side. @param {Editor} editor */
export async function fillDialog(editor) {
  const { photo } = editor;
  const fill = photo?.lastFill?.fill;
  if (!fill) return;
  const pictures = await Promise.all(fill.results.map((result) => largePicture(photo, result)));
  find("results-grid").replaceChildren(
    ...fill.results.map((result, index) =>
      choice(editor, result, index === fill.chosen, pictures[index], () => find("results-dialog").close()),
    ),
  );
}

function choice(editor, result, isChosen, picture, onchosen = () => {}) {
  const title = editor.models.find((model) => model.model === result.model)?.title ?? result.model;
  const words = result.seed === null ? title : text("seeded", { title, seed: result.seed });
  const button = make("button", { "aria-current": isChosen && "true" }, picture, words);
  button.addEventListener("click", async () => {
    if (!editor.photo.isDrawing) await editor.jobs.show(result);
    onchosen();
  });
  return make("li", {}, button);
}

function copyOf(thumbnail) {
  const canvas = document.createElement("canvas");
  canvas.width = thumbnail.width;
  canvas.height = thumbnail.height;
  canvas.getContext("2d").drawImage(thumbnail, 0, 0);
  return canvas;
}

/** The surroundings of a hole with one of its results. */
async function largePicture(photo, { patch }) {
  const pixels = await createImageBitmap(patch.file);
  const { left, top } = patch, { width, height } = pixels;
  const box = grown({ left, top, width, height }, Math.max(width, height) / 3, photo.width, photo.height);
  const canvas = photo.picture.cut(box);
  canvas.getContext("2d").drawImage(pixels, left - box.left, top - box.top);
  pixels.close();
  return canvas;
}
