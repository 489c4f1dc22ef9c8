/** Photos and masks in and out: file button, drop, paste, samples, download. */

import * as api from "./api.js";
import { canvasOf } from "./layer.js";
import { stem } from "./editor.js";
import { complain, find, inWords, make, notify, save } from "./notices.js";
import { text } from "./texts.js";

/** @typedef {import("./editor.js").Editor} Editor */

const SAMPLES = {
  moon: "sampleMoon", cypresses: "sampleCypresses", rocks: "sampleRocks", island: "sampleIsland",
};

/** @param {Editor} editor */
export async function openPhoto(editor, file, name = file.name || "photo") {
  if (editor.busy) return;
  try {
    await editor.open(file, name);
  } catch (error) {
    if (error.kind === "offline" || error.kind === "too large") complain(error);
    else notify(text("unreadable", { name, detail: inWords(error) }), "error");
  }
}

/** Let photos in by button, drop and paste. @param {Editor} editor */
export function takeFiles(editor) {
  const input = find("file-input");
  const choose = () => input.click();
  find("open").addEventListener("click", choose);
  find("open-first").addEventListener("click", choose);
  input.addEventListener("change", () => {
    if (input.files[0]) openPhoto(editor, input.files[0]);
    input.value = "";
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
    const [file] = event.dataTransfer.files;
    if (file) openPhoto(editor, file);
  });
  document.addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files].find((each) => each.type.startsWith("image/"));
    if (file) openPhoto(editor, file);
  });
  window.addEventListener("beforeunload", (event) => {
    if (!editor.saved) event.preventDefault();
  });
}

/** The gallery on the first page. @param {Editor} editor */
export function showSamples(editor) {
  const items = Object.entries(SAMPLES).map(([name, label]) => {
    const address = `/web/samples/${name}.jpg`;
    const button = make(
      "button", { "data-label": label }, make("img", { src: address, alt: "", loading: "lazy" }),
    );
    button.addEventListener("click", async () => {
      try {
        openPhoto(editor, await (await fetch(address)).blob(), `${name}.jpg`);
      } catch {
        notify(text("offline"), "error");
      }
    });
    return make("li", {}, button);
  });
  find("samples").append(...items);
}

/** Save the edited photo. @param {Editor} editor */
export async function download(editor, format) {
  notify(text("preparing"));
  try {
    const file = await editor.download(format);
    save(file.blob, file.name);
  } catch (error) {
    complain(error);
  }
}

/** What the mask menu offers beside drawing. @param {Editor} editor */
export function maskActions(editor) {
  const change = (action) => () => editor.isOpen && !editor.busy && editor.edit(editor.mask, action);
  const input = find("mask-input");
  input.addEventListener("change", async () => {
    if (input.files[0]) await loadMask(editor, input.files[0]);
    input.value = "";
  });
  return {
    invert: change(() => editor.mask.invert()),
    grow: change(() => editor.mask.grow(4)),
    shrink: change(() => editor.mask.grow(-4)),
    clear: () => {
      if (!editor.isOpen || editor.busy) return;
      for (const layer of [editor.mask, editor.sketch]) {
        layer.begin();
        layer.clear();
      }
      editor.commit(editor.mask, editor.sketch);
    },
    upload: () => input.click(),
    download: async () => {
      const whole = { left: 0, top: 0, width: editor.picture.width, height: editor.picture.height };
      save(await editor.mask.toPng(whole, "black"), `${stem(editor.source.name)}_mask.png`);
    },
  };
}

/** Take a mask from a file: white, or what is opaque where all of it is one colour, is the hole. */
async function loadMask(editor, file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    try {
      bitmap = await createImageBitmap(await api.preview(file));
    } catch {
      notify(text("unreadableMask"), "error");
      return;
    }
  }
  const { width, height } = editor.picture;
  const sizes = { mask: `${bitmap.width} × ${bitmap.height}`, photo: `${width} × ${height}` };
  const stretched = bitmap.width !== width || bitmap.height !== height;
  // Of another shape, it belongs to another photo.
  if (stretched && Math.abs(bitmap.width / bitmap.height / (width / height) - 1) > 0.02) {
    notify(text("maskSize", sizes), "error");
    return;
  }
  const hole = holeOf(bitmap, width, height, editor.mask.colour);
  editor.edit(editor.mask, () => {
    editor.mask.clear();
    editor.mask.draw({ left: 0, top: 0, width, height }, (context) => context.drawImage(hole, 0, 0));
  });
  notify(text(stretched ? "maskStretched" : "maskLoaded", sizes));
}

function holeOf(bitmap, width, height, colour) {
  const canvas = canvasOf(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  context.drawImage(bitmap, 0, 0, width, height);
  const pixels = context.getImageData(0, 0, width, height);
  const { data } = pixels;
  let clear = false, dark = false;
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] < 128) clear = true;
    else if (Math.max(data[at], data[at + 1], data[at + 2]) < 128) dark = true;
  }
  const byAlpha = clear && (!dark || !hasBright(data));
  for (let at = 0; at < data.length; at += 4) {
    const bright = Math.max(data[at], data[at + 1], data[at + 2]) > 127;
    data[at + 3] = data[at + 3] > 127 && (byAlpha || bright) ? 255 : 0;
  }
  context.putImageData(pixels, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = colour;
  context.fillRect(0, 0, width, height);
  return canvas;
}

function hasBright(data) {
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] > 127 && Math.max(data[at], data[at + 1], data[at + 2]) > 127) return true;
  }
  return false;
}
