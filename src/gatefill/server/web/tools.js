/** What the pointer does: each tool is told where it goes down, moves and comes up. */

import { grown } from "./layer.js";
import { endsOf, isScribble } from "./path.js";
import { clamp } from "./picture.js";

/** @typedef {import("./editor.js").Editor} Editor */
/** @typedef {import("./types.js").Point} Point */

export const SMALLEST_BRUSH = 1, LARGEST_BRUSH = 600;
const SKETCH_SHARE = 0.12; // the pencil's width beside the brush's

/** Names of all tools, in the order of the palette, with their keys. */
export const TOOLS = {
  brush: "b", eraser: "e", box: "r", lasso: "l", object: "m",
  sketch: "s", take: "t", avoid: "n", look: "w", hand: "h",
};
/** The layers that tools with a brush draw on. */
const DRAWN = {
  brush: ["mask"], eraser: ["mask", "sketch", "take", "avoid"],
  sketch: ["sketch"], take: ["take"], avoid: ["avoid"],
};

export class Tools {
  /** @param {Editor} editor */
  constructor(editor) {
    this.editor = editor;
    this.name = "brush";
    this.size = 40; // the brush's width in pixels of the photo
    this.last = null; // where the open stroke is
    this.ends = new WeakMap(); // where the strokes of steps ended, for straight lines
    this.outline = []; // of the open box or lasso
    this.erasing = false;
    this.onchange = () => {};
    this.ondone = () => {}; // something was drawn
    this.onobject = () => {}; // a box was dragged around an object, or a line drawn over it
  }

  choose(name) {
    this.cancel();
    this.name = name;
    this.onchange();
  }

  resize(size) {
    this.size = clamp(Math.round(size), SMALLEST_BRUSH, LARGEST_BRUSH);
    this.onchange();
  }

  /** Larger or smaller by a step that follows the size. */
  step(direction) {
    this.resize(this.size + direction * Math.max(1, Math.round(this.size * 0.15)));
  }

  /** The width of what is drawn now, or null for tools without. */
  get width() {
    if (this.name === "sketch") return Math.max(1, Math.round(this.size * SKETCH_SHARE));
    return this.name in DRAWN ? this.size : null;
  }

  get draws() {
    return this.name !== "look" && this.name !== "hand";
  }

  /** Whether a stroke, a box or a lasso is open. */
  get isDrawing() {
    return this.last !== null;
  }

  get #names() {
    return DRAWN[this.name];
  }

  /**
   * @param {Point} at in the photo
   * @param {boolean} erases With Alt, tools take away.
   * @param {boolean} straight With Shift, a brush draws a line from where it was last.
   */
  down(at, erases, straight = false) {
    if (this.isDrawing || !this.editor.isOpen) return;
    this.erasing = erases || this.name === "eraser";
    this.last = at;
    this.outline = [at];
    if (this.width === null) return;
    for (const name of this.#names) this.editor.layers[name].begin();
    this.#stroke((straight && this.#end) || at, at);
  }

  /** Where the newest stroke of this tool ended that is in effect. @returns {Point|null} */
  get #end() {
    const { steps, done } = this.editor.photo.history;
    const strokes = steps.slice(0, done).map((step) => this.ends.get(step));
    return strokes.findLast((stroke) => stroke?.tool === this.name)?.at ?? null;
  }

  /** @param {Point} at */
  move(at) {
    if (!this.last) return;
    if (this.width !== null) this.#stroke(this.last, at);
    else this.outline.push(at);
    this.last = at;
  }

  up() {
    if (!this.last) return;
    const { last, outline } = this;
    this.last = null;
    this.outline = [];
    if (this.width !== null) this.#commit(last);
    else if (this.name === "box") this.#fillPath(corners(outline[0], last));
    else if (this.name === "lasso" && outline.length > 2) this.#fillPath(outline);
    else if (this.name === "object") this.onobject(outline, this.erasing);
    this.ondone();
  }

  #commit(end) {
    this.editor.commit(this.#names);
    const { steps, done } = this.editor.photo.history;
    this.ends.set(steps[done - 1], { at: end, tool: this.name });
  }

  /** Give up what is being drawn. */
  cancel() {
    if (!this.last) return;
    this.last = null;
    this.outline = [];
    if (this.width !== null) this.editor.rollBack(this.#names);
  }

  /** The outline of the open box or lasso, as points of a closed path. */
  get path() {
    if (!this.last || this.width !== null) return [];
    if (this.name === "object" && !isScribble(this.outline)) return corners(...endsOf(this.outline));
    return this.name === "box" ? corners(this.outline[0], this.last) : this.outline;
  }

  /** Whether what is drawn is a line over an object. */
  get scribbles() {
    return this.name === "object" && isScribble(this.outline);
  }

  #stroke(from, to) {
    const { width, editor } = this;
    for (const name of this.#names) {
      const layer = editor.layers[name];
      layer.draw(
        around([from, to], width / 2 + 2, layer),
        (context) => {
          this.#ink(context, layer);
          context.lineWidth = width;
          context.lineCap = "round";
          context.beginPath();
          context.moveTo(from.x, from.y);
          // A line of no length is not drawn everywhere; a dot is.
          context.lineTo(to.x + (from.x === to.x && from.y === to.y ? 0.01 : 0), to.y);
          context.stroke();
        },
        this.erasing,
      );
    }
    editor.touched();
  }

  #fillPath(points) {
    this.editor.edit("mask", (layer) => {
      layer.draw(
        around(points, 2, layer),
        (context) => {
          this.#ink(context, layer);
          context.beginPath();
          for (const point of points) context.lineTo(point.x, point.y);
          context.closePath();
          context.fill();
        },
        this.erasing,
      );
    });
    this.editor.touched();
  }

  #ink(context, layer) {
    context.strokeStyle = context.fillStyle = layer.color;
    context.globalCompositeOperation = this.erasing ? "destination-out" : "source-over";
  }
}

/** The corners of a box between two points, on whole pixels. */
function corners(from, to) {
  const left = Math.floor(Math.min(from.x, to.x)), right = Math.ceil(Math.max(from.x, to.x));
  const top = Math.floor(Math.min(from.y, to.y)), bottom = Math.ceil(Math.max(from.y, to.y));
  return [
    { x: left, y: top }, { x: right, y: top }, { x: right, y: bottom }, { x: left, y: bottom },
  ];
}

/** The box around points, with a margin, inside a layer. */
function around(points, margin, layer) {
  const left = Math.min(...points.map((point) => point.x));
  const top = Math.min(...points.map((point) => point.y));
  const right = Math.max(...points.map((point) => point.x));
  const bottom = Math.max(...points.map((point) => point.y));
  const box = { left, top, width: right - left, height: bottom - top };
  return grown(box, margin, layer.width, layer.height);
}
