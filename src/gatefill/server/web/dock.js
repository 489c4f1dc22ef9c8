/** What stands below the photo: brush size, hints, progress. */

import { find } from "./notices.js";
import { chosen } from "./photo.js";
import { text } from "./texts.js";
import { LARGEST_BRUSH, SMALLEST_BRUSH } from "./tools.js";

/** @typedef {import("./editor.js").Editor} Editor */
/** @typedef {import("./tools.js").Tools} Tools */

const SPAN = Math.log(LARGEST_BRUSH / SMALLEST_BRUSH);

/** The slider's value for a size and back: equal ways are equal ratios. */
function toSlider(size) {
  return Math.round((1000 * Math.log(size / SMALLEST_BRUSH)) / SPAN);
}

function fromSlider(value) {
  return SMALLEST_BRUSH * Math.exp((value / 1000) * SPAN);
}

/** @param {Tools} tools */
export function linkSize(tools) {
  find("size").addEventListener("input", (event) => tools.resize(fromSlider(event.target.value)));
}

/** @param {Tools} tools */
export function showSize(tools) {
  const width = tools.width;
  find("size-label").style.visibility = width === null ? "hidden" : "visible";
  find("size").value = toSlider(tools.size);
  find("size").setAttribute("aria-valuetext", `${width ?? tools.size} px`);
  find("size-value").textContent = `${width ?? tools.size} px`;
}

/** Say what to do next. @param {Editor} editor @param {Tools} tools */
export function showHint(editor, tools, look) {
  find("hint").textContent = hint(editor, tools, look);
}

function hint(editor, tools, look) {
  const { busy, model } = editor;
  const title = model?.title ?? "";
  if (busy) return busyWords(busy);
  if (tools.name === "look") {
    if (look) return lookWords(look);
    const { fills } = editor;
    if (!fills.length) return text("hintLookNone");
    if (!fills.some((fill) => chosen(fill).attention)) return text("hintNoAttention", { title });
    return text("hintLook");
  }
  const sketched = tools.name === "sketch" || (editor.photo?.isPainted("sketch"));
  if (sketched && model && !model.takes_sketch) return text("noSketch", { title });
  if (tools.name === "sketch") return text("hintSketch");
  if (tools.name === "object") return text("hintObject");
  const regional = ["take", "avoid"].includes(tools.name);
  if (regional && model && !model.takes_search) return text("noSearch", { title });
  if (regional) return text(tools.name === "take" ? "hintTake" : "hintAvoid");
  return text(editor.photo?.isPainted("mask") ? "hintFill" : "hintPaint");
}

function busyWords(busy) {
  if (busy.state === "working") return text("working", { percent: Math.round(busy.share * 100) });
  return text(busy.state === "queue" ? "queue" : "waiting");
}

function lookWords(look) {
  const [first] = look.sources;
  const distance = Math.round(Math.hypot(first.at.x - look.target.x, first.at.y - look.target.y));
  if (look.sources.length === 1) return text("copyStatus", { distance });
  const words = { places: look.sources.length, percent: Math.round(first.weight * 100), distance };
  return text("lookStatus", words);
}

/** Show how far the fill is, and the buttons that fit. @param {Editor} editor */
export function showBusy(editor) {
  const { busy } = editor;
  const share = Math.round((busy?.share ?? 0) * 100);
  document.body.classList.toggle("busy", Boolean(busy));
  find("progress").hidden = !busy;
  find("progress").setAttribute("aria-valuenow", String(share));
  find("progress").style.setProperty("--share", `${Math.max(share, 3)}%`);
  find("results-busy").textContent = busy ? busyWords(busy) : "";
  find("fill").hidden = Boolean(busy);
  find("cancel").hidden = !busy;
}
