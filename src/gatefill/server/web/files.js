/** Photos and masks in and out: file button, drop, paste, samples, masks. */

import * as api from "./api.js";
import { stem } from "./editor.js";
import { canvasOf } from "./layer.js";
import { looksLikeMask } from "./maskfile.js";
import { complain, find, inWords, make, notify, save, warn } from "./notices.js";
import { text } from "./texts.js";

/** @typedef {import("./editor.js").Editor} Editor */
/** @typedef {import("./photo.js").Photo} Photo */

const SAMPLES = {
  moon: "sampleMoon", cypresses: "sampleCypresses", rocks: "sampleRocks", island: "sampleIsland",
};

/** Open a photo beside the others. @param {Editor} editor @returns {Promise<boolean>} Whether it is. */
export async function openPhoto(editor, file, name = file.name || "photo") {
  try {
    const shrunk = await editor.open(file, name);
    if (shrunk) notify(text("shrunk", { name, ...shrunk }));
    return true;
  } catch (error) {
    if (error.kind === "offline" || error.kind === "too large") complain(error);
    else notify(text("unreadable", { name, detail: inWords(error) }), "error");
    return false;
  }
}

/** Take files that were dropped or pasted: a mask of the photo shown as a mask, others as photos. */
async function takeIn(editor, files) {
  for (const file of files) {
    const { photo } = editor;
    if (photo && (await looksLikeMask(file, photo))) await loadMask(editor, file);
    else await openPhoto(editor, file);
  }
}

/** Let photos in by button, drop and paste. @param {Editor} editor */
export function takeFiles(editor) {
  const input = find("file-input");
  const choose = () => input.click();
  find("open").addEventListener("click", choose);
  find("open-first").addEventListener("click", choose);
  input.addEventListener("change", async () => {
    const files = [...input.files];
    input.value = "";
    for (const file of files) await openPhoto(editor, file);
  });

  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    takeIn(editor, [...event.dataTransfer.files]);
  });
  document.addEventListener("paste", (event) => {
    takeIn(editor, [...event.clipboardData.files].filter((each) => each.type.startsWith("image/")));
  });
}

/** The gallery on the first page. @param {Editor} editor */
export function showSamples(editor) {
  const items = Object.entries(SAMPLES).map(([name, label]) => {
    const address = `web/samples/${name}.jpg`;
    const button = make(
      "button", { "data-label": label }, make("img", { src: address, alt: "", loading: "lazy" }),
    );
    button.addEventListener("click", async () => {
      try {
        await openPhoto(editor, await (await fetch(address)).blob(), `${name}.jpg`);
      } catch {
        notify(text("offline"), "error");
      }
    });
    return make("li", {}, button);
  });
  find("samples").append(...items);
}

/** What the mask menu offers beside drawing. @param {Editor} editor */
export function maskActions(editor) {
  const change = (action) => () => editor.edit("mask", action);
  const input = find("mask-input");
  input.addEventListener("change", async () => {
    if (input.files[0]) await loadMask(editor, input.files[0]);
    input.value = "";
  });
  return {
    invert: change((mask) => mask.invert()),
    grow: change((mask) => mask.grow(4)),
    shrink: change((mask) => mask.grow(-4)),
    clear: () => {
      const { photo } = editor;
      if (!photo || photo.isDrawing) return;
      const names = Object.keys(photo.layers);
      for (const name of names) {
        photo.layers[name].begin();
        photo.layers[name].clear();
      }
      editor.commit(names);
    },
    transparent: () => editor.isOpen && takeMask(editor, editor.photo, (photo) => api.transparent(photo.file, photo.patches)),
    loadMask: () => input.click(),
    saveMask: async () => {
      const { photo } = editor;
      save(await photo.layers.mask.toPng(photo.whole, "black"), `${stem(photo.name)}_mask.png`);
    },
  };
}

/** Take a mask from a file, as the server reads it. */
async function loadMask(editor, file) {
  const { photo } = editor;
  const found = await takeMask(editor, photo, () => api.readMask(photo.file, file), { replaces: true });
  if (!found) return;
  const sizes = { mask: found.stretched?.join(" × "), photo: `${photo.width} × ${photo.height}` };
  notify(text(found.stretched ? "maskStretched" : "maskLoaded", sizes));
}

/**
 * Take a mask that the server makes.
 * @param {Editor} editor
 * @param {Photo} photo
 * @param {(photo: Photo) => Promise<{blob: Blob, warnings: object[]}>} make
 * @param {{replaces?: boolean, erases?: boolean}} how Whether what is painted makes way for it, or
 *   it is taken off what is painted.
 */
export async function takeMask(editor, photo, make, { replaces = false, erases = false } = {}) {
  let found, bitmap;
  try {
    found = await make(photo);
    bitmap = await createImageBitmap(found.blob);
  } catch (error) {
    complain(error);
    return null;
  }
  const hole = canvasOf(photo.width, photo.height);
  const context = hole.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  context.globalCompositeOperation = "source-in";
  context.fillStyle = photo.layers.mask.color;
  context.fillRect(0, 0, photo.width, photo.height);
  await photo.still();
  photo.edit("mask", (layer) => {
    if (replaces) layer.clear();
    layer.draw(photo.whole, (drawn) => {
      if (erases) drawn.globalCompositeOperation = "destination-out";
      drawn.drawImage(hole, 0, 0);
    }, erases);
  });
  editor.changed();
  for (const warning of found.warnings) warn(warning);
  return found;
}
