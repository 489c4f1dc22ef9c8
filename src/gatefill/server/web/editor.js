/** The state of a photo being edited, and everything that may be done to it. */

import * as api from "./api.js";
import { History } from "./history.js";
import { Layer, grown } from "./layer.js";
import { Picture } from "./picture.js";

/** @typedef {import("./types.js").Box} Box */
/** @typedef {import("./types.js").Fill} Fill */
/** @typedef {import("./types.js").Model} Model */

export const MASK_COLOR = "#ff4f64";
export const SKETCH_COLOR = "#12b5ff";
const THUMBNAIL = { width: 168, height: 112 };

/**
 * Events: "open" (another photo), "change" (anything to be drawn or shown anew), "busy" (a fill
 * begins, moves on or ends).
 */
export class Editor extends EventTarget {
  constructor() {
    super();
    /** @type {{name: string, file: Blob}|null} The opened file, never changed. */
    this.source = null;
    /** @type {Picture|null} */
    this.picture = null;
    /** @type {Layer|null} */
    this.mask = null;
    /** @type {Layer|null} */
    this.sketch = null;
    this.history = new History();
    /** @type {Model[]} */
    this.models = [];
    /** @type {Model|null} */
    this.model = null;
    /** @type {{state: string, share: number, controller: AbortController}|null} */
    this.busy = null;
    this.saved = true;
  }

  get isOpen() {
    return this.picture !== null;
  }

  /** Fills in effect, the oldest first. @returns {Fill[]} */
  get fills() {
    return this.history.fills().filter((each) => each.done).map((each) => each.fill);
  }

  /**
   * Open a photo; everything before is gone.
   * @param {Blob} file
   * @param {string} name
   */
  async open(file, name) {
    const bitmap = await decoded(file);
    this.source = { name, file };
    this.bitmap?.close();
    this.bitmap = bitmap;
    this.unfilled = null;
    this.picture = new Picture(bitmap);
    this.mask = new Layer(bitmap.width, bitmap.height, MASK_COLOR);
    this.sketch = new Layer(bitmap.width, bitmap.height, SKETCH_COLOR);
    this.history = new History();
    this.saved = true;
    this.firstThumbnail = this.picture.thumbnail(
      { left: 0, top: 0, width: bitmap.width, height: bitmap.height },
      THUMBNAIL.width, THUMBNAIL.height,
    );
    this.#tell("open");
    this.#tell("change");
  }

  /** The photo as it was opened, to compare with. @returns {Picture} */
  get original() {
    this.unfilled ??= new Picture(this.bitmap);
    return this.unfilled;
  }

  /**
   * Change a layer in one step that can be undone.
   * @param {Layer} layer
   * @param {() => void} change What draws on it.
   */
  edit(layer, change) {
    layer.begin();
    change();
    this.commit(layer);
  }

  /** Make one step of what was drawn on layers since their `begin`. */
  commit(...layers) {
    const changes = layers.map((layer) => [layer, layer.commit()]).filter(([, change]) => change);
    if (!changes.length) return;
    this.history.add({
      kind: "mask",
      undo: () => changes.forEach(([layer, change]) => layer.restore(change.before)),
      redo: () => changes.forEach(([layer, change]) => layer.restore(change.after)),
    });
    this.#tell("change");
  }

  /** Say that something was drawn that is no step yet. */
  touched() {
    this.#tell("draw");
  }

  undo() {
    this.goTo(this.history.done - 1);
  }

  redo() {
    this.goTo(this.history.done + 1);
  }

  /** Put the first `count` steps in effect. */
  goTo(count) {
    if (this.busy || count < 0 || count > this.history.steps.length) return;
    this.history.goTo(count);
    this.saved = false;
    this.#tell("change");
  }

  /** @param {string} name */
  choose(name) {
    this.model = this.models.find((model) => model.model === name) ?? this.model;
    this.#tell("change");
  }

  /**
   * Fill the hole that is painted; it becomes a step. Raises ServerError.
   * @returns {Promise<string[]|null>} Warnings; null where it was canceled or nothing is painted.
   */
  async fill() {
    const box = this.mask?.bounds();
    if (this.busy || !box) return null;
    const controller = new AbortController();
    this.busy = { state: "waiting", share: 0, controller };
    this.#tell("busy");
    try {
      const sketched = this.model?.takes_sketch && !this.sketch.isEmpty;
      const request = {
        photo: this.source.file,
        patches: this.fills.map((fill) => fill.patch),
        mask: await this.mask.toPng(box),
        sketch: sketched ? await this.sketch.toPng(box) : null,
        left: box.left,
        top: box.top,
        model: this.model?.model ?? "",
      };
      const found = await this.#asked(request, controller.signal);
      const pixels = await createImageBitmap(found.patch.file);
      this.#apply(found, pixels);
      return found.warnings;
    } catch (error) {
      if (error.name === "AbortError") return null;
      throw error;
    } finally {
      this.busy = null;
      this.#tell("busy");
    }
  }

  cancel() {
    this.busy?.controller.abort();
  }

  /** Ask for a fill, and again for as long as the server says that it is busy. */
  async #asked(request, signal) {
    for (let tries = 0; ; tries++) {
      try {
        return await api.fill(request, (event) => this.#progress(event), signal);
      } catch (error) {
        if (error.kind !== "busy" || tries >= 20) throw error;
        this.#progress({ state: "queue" });
        await pause(1000 * Math.min(error.retryAfter || 1, 10), signal);
      }
    }
  }

  #progress(event) {
    if (!this.busy) return;
    Object.assign(this.busy, { state: event.state, share: event.share ?? this.busy.share });
    this.#tell("busy");
  }

  /** Put a fill into the photo as a step; what was painted is done with. */
  #apply(found, pixels) {
    const { left, top } = found.patch;
    const box = { left, top, width: pixels.width, height: pixels.height };
    const { picture, mask, sketch } = this;
    const before = picture.cut(box);
    picture.paste(pixels, left, top);
    const after = picture.cut(box);
    pixels.close();
    for (const layer of [mask, sketch]) layer.begin();
    for (const layer of [mask, sketch]) layer.clear();
    const cleared = [mask, sketch].map((layer) => [layer, layer.commit()]).filter(([, change]) => change);
    const around = grown(box, Math.max(box.width, box.height) / 3, picture.width, picture.height);
    /** @type {Fill} */
    const fill = {
      patch: found.patch,
      box,
      attention: found.attention,
      model: found.model,
      seconds: found.seconds,
      thumbnail: picture.thumbnail(around, THUMBNAIL.width, THUMBNAIL.height),
    };
    this.history.add({
      kind: "fill",
      fill,
      undo: () => {
        picture.restore(before, left, top);
        for (const [layer, change] of cleared) layer.restore(change.before);
      },
      redo: () => {
        picture.restore(after, left, top);
        for (const [layer, change] of cleared) layer.restore(change.after);
      },
    });
    this.saved = false;
    this.#tell("change");
  }

  /** The edited photo as a file, made by the server from the opened one. Raises ServerError. */
  async download(format) {
    const { blob, suffix } = await api.compose(
      this.source.file, this.fills.map((fill) => fill.patch), format,
    );
    this.saved = true;
    return { blob, name: `${stem(this.source.name)}_filled${suffix}` };
  }

  #tell(name) {
    this.dispatchEvent(new Event(name));
  }
}

/**
 * A file as pixels, as the server sees them. Browsers do not agree on which formats EXIF turns:
 * where a file is turned, or the browser does not know it, the server's own picture is shown.
 */
async function decoded(file) {
  const [bitmap, seen] = await Promise.all([
    createImageBitmap(file).catch(() => null), api.preview(file, true),
  ]);
  const same = bitmap && bitmap.width === seen.width && bitmap.height === seen.height;
  if (same && !seen.blob) return bitmap;
  bitmap?.close();
  return createImageBitmap(seen.blob ?? (await api.preview(file)).blob);
}

/** @returns {string} The file's name without its suffix. */
export function stem(name) {
  return name.replace(/\.[^.]+$/, "") || "photo";
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("canceled", "AbortError"));
    });
  });
}

