/** Photos and masks in and out: file button, drop, paste, samples, download. */

import * as api from "./api.js";
import { canvasOf } from "./layer.js";
import { stem } from "./editor.js";
import { complain, find, inWords, make, notify, save, warn } from "./notices.js";
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
    const address = `web/samples/${name}.jpg`;
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

/** Take a mask from a file, as the server reads it. */
async function loadMask(editor, file) {
  const { width, height } = editor.picture;
  let found, bitmap;
  try {
    found = await api.readMask(editor.source.file, file);
    bitmap = await createImageBitmap(found.blob);
  } catch (error) {
    complain(error);
    return;
  }
  const hole = canvasOf(width, height);
  const context = hole.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  context.globalCompositeOperation = "source-in";
  context.fillStyle = editor.mask.color;
  context.fillRect(0, 0, width, height);
  editor.edit(editor.mask, () => {
    editor.mask.clear();
    editor.mask.draw({ left: 0, top: 0, width, height }, (layer) => layer.drawImage(hole, 0, 0));
  });
  const sizes = { mask: found.stretched?.join(" × "), photo: `${width} × ${height}` };
  notify(text(found.stretched ? "maskStretched" : "maskLoaded", sizes));
  for (const warning of found.warnings) warn(warning);
}
