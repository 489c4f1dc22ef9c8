/** What is drawn on the stage: photo, mask, sketch, comparison; pointer, outlines, attention. */

import { lookedAt, showLook } from "./look.js";

/** @typedef {import("./editor.js").Editor} Editor */

const CHECK = 12; // CSS pixels of a square behind transparent photos
const MASK_OPACITY = 0.55;

export class Scene {
  /**
   * @param {Editor} editor
   * @param {import("./tools.js").Tools} tools
   */
  constructor(editor, tools) {
    this.editor = editor;
    this.tools = tools;
    this.hover = null; // where the pointer is, CSS pixels of the stage
    this.holding = false; // whether the opened photo is shown for as long as a key is held
    this.compare = null; // share of the stage's width that shows the opened photo, or null
    this.look = null; // what the place under the pointer looked at
  }

  /** Find out what the place under the pointer looked at. */
  lookAt(view) {
    const on = this.tools.name === "look" && this.hover && this.editor.isOpen;
    this.look = on ? lookedAt(this.editor.fills, view.toPhoto(this.hover)) : null;
    return this.look;
  }

  /** The photo and what is painted on it. */
  photo(context, view) {
    const { editor } = this;
    if (!editor.isOpen) return;
    const { width, height } = context.canvas;
    checks(context, view);
    (this.holding ? editor.photo.original : editor.picture).show(context, view);
    if (this.compare !== null) {
      context.save();
      context.beginPath();
      context.rect(0, 0, width * this.compare, height);
      context.clip();
      checks(context, view);
      editor.photo.original.show(context, view);
      context.restore();
      return;
    }
    if (this.holding) return;
    context.imageSmoothingEnabled = view.scale < 3;
    for (const [name, layer] of Object.entries(editor.layers)) {
      context.globalAlpha = name === "sketch" ? 1 : MASK_OPACITY;
      layer.show(context, view);
    }
    context.globalAlpha = 1;
  }

  /** What moves with the pointer. */
  marks(context, view) {
    if (!this.editor.isOpen || this.compare !== null) return;
    if (this.look) showLook(context, view, this.look);
    const { path, width } = this.tools;
    if (path.length > 1) outline(context, view, path, !this.tools.scribbles);
    if (this.hover && width !== null) {
      circle(context, view, this.hover, (width * view.scale) / 2, this.tools.name === "sketch");
    } else if (this.hover && this.tools.draws) {
      cross(context, view, this.hover);
    }
  }
}

/** A board behind photos with transparent parts. */
function checks(context, view) {
  const side = CHECK * view.density;
  const style = getComputedStyle(view.stage); // whose page, or notebook, has the colors
  const left = Math.max(0, view.x), top = Math.max(0, view.y);
  const right = Math.min(context.canvas.width, view.x + view.size.width * view.scale);
  const bottom = Math.min(context.canvas.height, view.y + view.size.height * view.scale);
  if (right <= left || bottom <= top) return;
  const board = document.createElement("canvas");
  board.width = board.height = 2 * side;
  const pattern = board.getContext("2d");
  pattern.fillStyle = style.getPropertyValue("--surface");
  pattern.fillRect(0, 0, 2 * side, 2 * side);
  pattern.fillStyle = style.getPropertyValue("--check");
  pattern.fillRect(0, 0, side, side);
  pattern.fillRect(side, side, side, side);
  context.fillStyle = context.createPattern(board, "repeat");
  context.fillRect(left, top, right - left, bottom - top);
}

/** Two rings, one of which is seen on any ground. */
function circle(context, view, at, radius, isThin) {
  const x = at.x * view.density, y = at.y * view.density;
  for (const [color, width] of [["rgb(0 0 0 / 0.55)", 3], ["#fff", 1.4]]) {
    context.strokeStyle = color;
    context.lineWidth = width * view.density;
    context.beginPath();
    context.arc(x, y, Math.max(radius, view.density), 0, 2 * Math.PI);
    context.stroke();
  }
  if (isThin) cross(context, view, at);
}

function cross(context, view, at) {
  const x = at.x * view.density, y = at.y * view.density, arm = 9 * view.density;
  for (const [color, width] of [["rgb(0 0 0 / 0.55)", 3], ["#fff", 1.4]]) {
    context.strokeStyle = color;
    context.lineWidth = width * view.density;
    context.beginPath();
    context.moveTo(x - arm, y);
    context.lineTo(x + arm, y);
    context.moveTo(x, y - arm);
    context.lineTo(x, y + arm);
    context.stroke();
  }
}

/** A path in the photo's coordinates. */
function outline(context, view, path, isClosed) {
  const unit = view.density;
  for (const [color, dash] of [["rgb(0 0 0 / 0.6)", []], ["#fff", [6 * unit, 5 * unit]]]) {
    context.strokeStyle = color;
    context.lineWidth = 1.6 * unit;
    context.setLineDash(dash);
    context.beginPath();
    for (const point of path) {
      context.lineTo(point.x * view.scale + view.x, point.y * view.scale + view.y);
    }
    if (isClosed) context.closePath();
    context.stroke();
  }
  context.setLineDash([]);
}
