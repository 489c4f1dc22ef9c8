/** One opened photo: its pixels as shown, the layers that are painted on, and its history. */

import { History } from "./history.js";
import { Layer, grown } from "./layer.js";
import { Picture } from "./picture.js";

/** @typedef {import("./types.js").Box} Box */
/** @typedef {import("./types.js").Fill} Fill */
/** @typedef {import("./types.js").Patch} Patch */
/** @typedef {import("./types.js").Result} Result */

/** Names of the layers, with the colors they are drawn in. */
export const COLORS = { mask: "#ff4f64", sketch: "#12b5ff", take: "#37c871", avoid: "#ff9f1c" };
const THUMBNAIL = { width: 168, height: 112 };
const TILE_BYTES = 512 * 512 * 4;

export class Photo {
  /**
   * @param {{id: string, name: string, file: Blob, upright: Blob|null}} source The file, never
   *   changed, and the picture of it to show where browsers would show another.
   * @param {ImageBitmap} bitmap What is shown of it.
   */
  constructor(source, bitmap) {
    Object.assign(this, source);
    this.bitmap = bitmap;
    this.width = bitmap.width;
    this.height = bitmap.height;
    this.picture = new Picture(bitmap);
    /** @type {Record<string, Layer>} */
    this.layers = {};
    for (const [name, color] of Object.entries(COLORS)) {
      this.layers[name] = new Layer(this.width, this.height, color);
    }
    this.history = new History((step, when) => this.#apply(step, when));
    this.saved = true; // whether all of it was downloaded
    this.changes = 0; // how often it was changed
    this.firstThumbnail = this.picture.thumbnail(this.whole, THUMBNAIL.width, THUMBNAIL.height);
    this.waiting = []; // what is to be done once no stroke is open
  }

  /** @returns {Box} */
  get whole() {
    return { left: 0, top: 0, width: this.width, height: this.height };
  }

  /** The photo as it was opened, to compare with. @returns {Picture} */
  get original() {
    this.unfilled ??= new Picture(this.bitmap);
    return this.unfilled;
  }

  /** Fills in effect, the oldest first. @returns {Fill[]} */
  get fills() {
    return this.history.fills().filter((each) => each.done).map((each) => each.fill);
  }

  /** The new pixels of all fills in effect. @returns {Patch[]} */
  get patches() {
    return this.fills.map((fill) => chosen(fill).patch);
  }

  /** Whether a stroke is being drawn. Nothing else changes the photo until it ends. */
  get isDrawing() {
    return Object.values(this.layers).some((layer) => layer.isOpen);
  }

  /** Whether something is painted for a fill to come, which no file has. */
  get isBegun() {
    return this.isPainted("mask") || this.isPainted("sketch");
  }

  /** Whether the painted hole, or anything else, is on a layer. */
  isPainted(name) {
    return !this.layers[name].isEmpty;
  }

  /**
   * Change a layer in one step that can be undone; not while a stroke is drawn.
   * @param {string} name
   * @param {(layer: Layer) => void} change What draws on it.
   */
  edit(name, change) {
    if (this.isDrawing) return;
    this.layers[name].begin();
    change(this.layers[name]);
    this.commit([name]);
  }

  /** Make one step of what was drawn on layers since their `begin`. @param {string[]} names */
  commit(names) {
    const changes = this.#changes(names);
    if (changes.length) this.addStep({ changes });
    while (this.waiting.length) this.waiting.shift()();
    return changes.length > 0;
  }

  /** Take back what was drawn on layers since their `begin`. @param {string[]} names */
  rollBack(names) {
    for (const { layer, before } of this.#changes(names)) this.layers[layer].restore(before);
    while (this.waiting.length) this.waiting.shift()();
  }

  #changes(names) {
    return names.flatMap((name) => {
      const change = this.layers[name].isOpen ? this.layers[name].commit() : null;
      return change ? [{ layer: name, ...change }] : [];
    });
  }

  #changed() {
    this.saved = false;
    this.changes++;
  }

  /** Wait until no stroke is open. @returns {Promise<void>} */
  still() {
    return this.isDrawing ? new Promise((resolve) => this.waiting.push(resolve)) : Promise.resolve();
  }

  /** Put the first `count` steps in effect, unless a stroke is being drawn. */
  goTo(count) {
    if (this.isDrawing || count < 0 || count > this.history.steps.length) return false;
    this.history.goTo(count);
    this.#changed();
    return true;
  }

  /**
   * Put a fill into the photo as a step; what was painted for it is done with, what was painted
   * since stays.
   * @param {Fill} fill
   * @param {ImageBitmap} pixels Of its chosen result.
   * @param {Record<string, HTMLCanvasElement>} painted What to take off the layers, at `box`.
   * @param {Box} box
   */
  fill(fill, pixels, painted, box) {
    const changes = this.#taken(painted, box);
    const { before, after, thumbnail } = this.paste(chosen(fill).patch, pixels);
    Object.assign(chosen(fill), { thumbnail });
    this.addStep({ changes, fill, before, after });
  }

  /** Add a step that has just been done. */
  addStep(step) {
    const { changes, before } = step;
    const fill = before ? 8 * before.width * before.height : 0;
    this.history.add({ ...step, bytes: bytesOf(changes) + fill });
    this.#changed();
  }

  #taken(painted, box) {
    const names = Object.keys(painted);
    for (const name of names) {
      this.layers[name].begin();
      this.layers[name].draw(box, (context) => {
        context.globalCompositeOperation = "destination-out";
        context.drawImage(painted[name], box.left, box.top);
      }, true);
    }
    return this.#changes(names);
  }

  /** Paste new pixels; return those under them, those shown now, and a small picture. */
  paste(patch, pixels) {
    const { left, top } = patch;
    const box = { left, top, width: pixels.width, height: pixels.height };
    const before = this.picture.cut(box);
    this.picture.paste(pixels, left, top);
    return { before, after: this.picture.cut(box), thumbnail: this.#thumbnail(box) };
  }

  #thumbnail(box) {
    const around = grown(box, Math.max(box.width, box.height) / 3, this.width, this.height);
    return this.picture.thumbnail(around, THUMBNAIL.width, THUMBNAIL.height);
  }

  /** The step of the newest fill in effect, if it can be changed. @returns {import("./types.js").Step|null} */
  get lastFill() {
    const { steps, done } = this.history;
    return steps.slice(0, done).findLast((step) => step.fill) ?? null;
  }

  /**
   * Show another result of the newest fill.
   * @param {Result} result One of its results, or a new one.
   * @param {ImageBitmap} pixels
   */
  show(result, pixels) {
    const step = this.lastFill;
    const { fill, before } = step;
    const results = fill.results.includes(result) ? fill.results : [...fill.results, result];
    const { left, top } = chosen(fill).patch;
    this.picture.restore(before, left, top);
    const { after, thumbnail } = this.paste(result.patch, pixels);
    Object.assign(result, { thumbnail });
    step.fill = { ...fill, results, chosen: results.indexOf(result) };
    step.after = after;
    // Fills that were undone were made on the result that was shown before.
    this.history.steps.length = this.history.done;
    this.#changed();
  }

  #apply(step, when) {
    for (const change of step.changes) this.layers[change.layer].restore(change[when]);
    if (!step.fill) return;
    const { left, top } = chosen(step.fill).patch;
    this.picture.restore(step[when], left, top);
  }

  /** A small picture of it as it is now. */
  thumbnail() {
    return this.picture.thumbnail(this.whole, THUMBNAIL.width, THUMBNAIL.height);
  }

  /** Let go of what is large. */
  close() {
    this.bitmap.close();
  }
}

/** The result of a fill that the photo shows. @param {Fill} fill @returns {Result} */
export function chosen(fill) {
  return fill.results[fill.chosen];
}

/** Bytes of the tiles that a step holds beside those of the step before. */
function bytesOf(changes) {
  const tiles = changes.flatMap((change) => [...change.after.values(), ...change.before.values()]);
  return new Set(tiles.filter((tile) => tile instanceof HTMLCanvasElement)).size * TILE_BYTES;
}
