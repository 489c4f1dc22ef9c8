/** Fills: asking the server for them, one at a time, while painting goes on. */

import * as api from "./api.js";
import { grown } from "./layer.js";
import { chosen } from "./photo.js";

/** @typedef {import("./editor.js").Editor} Editor */
/** @typedef {import("./types.js").Drawn} Drawn */
/** @typedef {import("./types.js").Result} Result */

const FRINGE = 2; // pixels around a hole that its soft rim may reach

export class Fills {
  /** @param {Editor} editor */
  constructor(editor) {
    this.editor = editor;
    this.feather = 0; // width of the soft edge of fills to come
    /** @type {{photo: object, state: string, share: number, controller: AbortController}|null} */
    this.busy = null;
    this.failed = false; // whether the last one failed or was canceled
  }

  cancel() {
    this.busy?.controller.abort();
  }

  /**
   * Fill the hole that is painted; it becomes a step. Raises ServerError.
   * @returns {Promise<{result: Result, warnings: object[]}|null>} null where it was canceled or
   *   nothing is painted.
   */
  async fill() {
    const { photo, model } = this.editor;
    const box = photo?.layers.mask.bounds();
    if (this.busy || !box || photo.isDrawing) return null;
    return this.#working(photo, async (signal) => {
      const around = grown(box, FRINGE, photo.width, photo.height);
      const painted = { mask: whole(photo.layers.mask.cut(around)) };
      if (photo.isPainted("sketch")) painted.sketch = whole(photo.layers.sketch.cut(around));
      const drawn = await this.#drawn(photo, box);
      const found = await this.#asked(photo.file, photo.patches, drawn, model, null, signal);
      const pixels = await createImageBitmap(found.result.patch.file);
      await photo.still();
      const id = crypto.getRandomValues(new Uint32Array(2)).join("-");
      photo.fill({ id, drawn, results: [found.result], chosen: 0 }, pixels, painted, around);
      pixels.close();
      return found;
    });
  }

  /** Another result for the newest fill, on the same mask. Raises ServerError. */
  async another() {
    const { photo } = this.editor;
    const fill = photo?.lastFill?.fill;
    if (this.busy || !fill || photo.isDrawing) return null;
    const { model, seed } = nextTry(fill, this.editor);
    return this.#working(photo, async (signal) => {
      const before = photo.fills.slice(0, photo.fills.indexOf(fill));
      const patches = before.map((each) => chosen(each).patch);
      const found = await this.#asked(photo.file, patches, fill.drawn, model, seed, signal);
      // It may have been undone meanwhile, if a result was chosen; then the new one is dropped.
      if (photo.lastFill?.fill.id === fill.id) await this.show(found.result);
      return found;
    });
  }

  /** Show another result of the newest fill. @param {Result} result */
  async show(result, photo = this.busy?.photo ?? this.editor.photo) {
    const pixels = await createImageBitmap(result.patch.file);
    await photo.still();
    photo.show(result, pixels);
    pixels.close();
    this.editor.changed();
  }

  /** Do work for a photo, which can be canceled. */
  async #working(photo, work) {
    const controller = new AbortController();
    this.busy = { photo, state: "waiting", share: 0, controller };
    this.editor.worked();
    this.failed = true;
    try {
      const found = await work(controller.signal);
      this.failed = false;
      return found;
    } catch (error) {
      if (error.name === "AbortError") return null;
      throw error;
    } finally {
      this.busy = null;
      this.editor.worked();
      this.editor.changed();
    }
  }

  /** @returns {Promise<Drawn>} What is painted now, as files. */
  async #drawn(photo, box) {
    const part = async (name, at) => {
      const place = at ?? photo.layers[name].bounds();
      if (!photo.isPainted(name) || !place) return null;
      return { file: await photo.layers[name].toPng(place), left: place.left, top: place.top };
    };
    const [mask, sketch, take, avoid] = await Promise.all([
      part("mask", box), part("sketch", box), part("take"), part("avoid"),
    ]);
    return { mask, sketch, take, avoid, feather: this.feather };
  }

  /** Ask for a fill, and again for as long as the server says that it is busy. */
  async #asked(photo, patches, drawn, model, seed, signal) {
    const request = { photo, patches, drawn, model, seed };
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
    this.editor.worked();
  }
}

/**
 * What to try next: the method chosen now; if the fill has a result of it, another seed; where there
 * are no seeds, another method.
 * @param {import("./types.js").Fill} fill
 * @param {Editor} editor
 */
function nextTry(fill, { models, model }) {
  const results = (of) => fill.results.filter((result) => result.model === of.model);
  const fresh = [model, ...(model.seeded ? [] : models)].find((each) => !results(each).length);
  if (fresh) return { model: fresh, seed: null };
  const seeded = [model, ...models].find((each) => each.seeded) ?? model;
  return { model: seeded, seed: Math.max(0, ...results(seeded).map((result) => result.seed ?? 0)) + 1 };
}

/** The same shape without a soft rim: nothing of what was painted is to stay behind. */
function whole(canvas) {
  const context = canvas.getContext("2d");
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let index = 3; index < pixels.data.length; index += 4) {
    if (pixels.data[index]) pixels.data[index] = 255;
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
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
