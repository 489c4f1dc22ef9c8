/** Getting the edited photo out: as a file of any format, as before and after, in the clipboard. */

import * as api from "./api.js";
import { stem } from "./editor.js";
import { canvasOf } from "./layer.js";
import { complain, find, notify, save } from "./notices.js";
import { text } from "./texts.js";

/** @typedef {import("./editor.js").Editor} Editor */
/** @typedef {import("./photo.js").Photo} Photo */

const LOSSY = ["jpg", "webp", "avif"];
const GAP = 0.02; // between before and after, of the width
const WIDEST = 8000; // pixels of a picture of before and after

/** Save the edited photo, made by the server from the opened file. @param {Editor} editor */
export async function download(editor, format, { quality = null, name = null } = {}) {
  const { photo } = editor;
  if (!photo) return;
  notify(text("preparing"));
  try {
    const { changes } = photo;
    const { blob, suffix } = await api.compose(photo.file, photo.patches, format, quality);
    save(blob, `${name || `${stem(photo.name)}_filled`}${suffix}`);
    if (photo.changes === changes && !photo.isBegun) photo.saved = true;
    editor.changed();
  } catch (error) {
    complain(error);
  }
}

/** Put the edited photo into the clipboard, as PNG. @param {Editor} editor */
export async function copy(editor) {
  const { photo } = editor;
  if (!photo) return;
  if (!window.ClipboardItem || !navigator.clipboard) {
    notify(text("noClipboard"), "error");
    return;
  }
  notify(text("preparing"));
  try {
    const made = api.compose(photo.file, photo.patches, "png").then(({ blob }) => blob);
    // The promise, not its value: a browser takes it only while the key or click is fresh.
    await navigator.clipboard.write([new ClipboardItem({ "image/png": made })]);
    notify(text("copied"));
  } catch (error) {
    if (error.kind) complain(error);
    else notify(text("noClipboard"), "error");
  }
}

/** The dialog with format, quality and name. @param {Editor} editor */
export function linkDownloads(editor) {
  const dialog = find("download-dialog"), format = find("download-format");
  const isLossy = () => LOSSY.includes(format.value);
  const show = () => {
    find("download-quality-row").hidden = !isLossy();
    find("download-quality-value").textContent = find("download-quality").value;
  };
  format.addEventListener("change", show);
  find("download-quality").addEventListener("input", show);
  const name = () => find("download-name").value.trim();
  find("download-form").addEventListener("submit", () => {
    const quality = isLossy() ? find("download-quality").value : null;
    download(editor, format.value, { quality, name: name() });
  });
  find("download-both").addEventListener("click", () => {
    if (!find("download-form").reportValidity()) return;
    dialog.close();
    saveBoth(editor.photo, name());
  });
  return () => {
    if (!editor.isOpen) return;
    find("download-name").value = `${stem(editor.photo.name)}_filled`;
    show();
    dialog.showModal();
  };
}

/** Save one picture of before and after, side by side, as it is shown. @param {Photo} photo */
async function saveBoth(photo, name) {
  const scale = Math.min(1, WIDEST / (2 * photo.width));
  const width = Math.round(photo.width * scale), height = Math.round(photo.height * scale);
  const gap = Math.max(4, Math.round(width * GAP));
  const canvas = canvasOf(2 * width + gap, height);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(photo.bitmap, 0, 0, width, height);
  context.drawImage(photo.picture.levels[0], width + gap, 0, width, height);
  canvas.toBlob((blob) => save(blob, `${name || stem(photo.name)}_before_after.png`), "image/png");
}
