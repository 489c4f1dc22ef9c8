/** Getting the edited photo out: as a file, in the clipboard. */

import * as api from "./api.js";
import { stem } from "./editor.js";
import { complain, notify, save } from "./notices.js";
import { text } from "./texts.js";

/** @typedef {import("./editor.js").Editor} Editor */

/** Save the edited photo, made by the server from the opened file. @param {Editor} editor */
export async function download(editor, format, { quality = null, name = null } = {}) {
  const { photo } = editor;
  if (!photo) return;
  notify(text("preparing"));
  try {
    const { done } = photo.history;
    const { blob, suffix } = await api.compose(photo.file, photo.patches, format, quality);
    save(blob, `${name || `${stem(photo.name)}_filled`}${suffix}`);
    if (photo.history.done === done) photo.saved = true;
    editor.changed();
  } catch (error) {
    complain(error);
  }
}
