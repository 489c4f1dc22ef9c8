/** Where the photo lies on the screen, and the two canvases it is drawn on. */

import { clamp } from "./picture.js";

/** @typedef {import("./types.js").Point} Point */

const LARGEST = 32; // screen pixels that a pixel of the photo may have
const MARGIN = 24; // screen pixels around a photo that fits

export class View {
  /**
   * @param {HTMLElement} stage The element the canvases fill.
   * @param {HTMLCanvasElement} photo For the photo and what is painted on it.
   * @param {HTMLCanvasElement} marks For what moves with the pointer.
   * @param {{photo: (context, view) => void, marks: (context, view) => void}} draw
   */
  constructor(stage, photo, marks, draw) {
    this.stage = stage;
    this.canvases = { photo, marks };
    this.contexts = { photo: photo.getContext("2d"), marks: marks.getContext("2d") };
    this.draw = draw;
    this.size = { width: 1, height: 1 }; // of the photo
    this.scale = 1; // screen pixels per pixel of the photo
    this.x = 0; // of the photo's corner on the screen
    this.y = 0;
    this.fitted = true;
    this.stale = new Set();
    this.onchange = () => {};
    new ResizeObserver(() => this.#resize()).observe(stage);
    this.#resize();
  }

  /** Screen pixels per CSS pixel. */
  get density() {
    return Math.min(window.devicePixelRatio || 1, 2);
  }

  /** @param {{width: number, height: number}} size */
  show(size) {
    this.size = { width: size.width, height: size.height };
    this.fit();
  }

  fit() {
    const { width, height } = this.canvases.photo;
    const margin = MARGIN * this.density;
    this.scale = Math.min(
      Math.max(width - 2 * margin, 32) / this.size.width,
      Math.max(height - 2 * margin, 32) / this.size.height,
      4 * this.density,
    );
    this.x = (width - this.size.width * this.scale) / 2;
    this.y = (height - this.size.height * this.scale) / 2;
    this.fitted = true;
    this.#moved();
  }

  /** Zoom so that the place under `at` (CSS pixels of the stage) stays where it is. */
  zoom(factor, at = null) {
    const { width, height } = this.canvases.photo;
    const x = at ? at.x * this.density : width / 2, y = at ? at.y * this.density : height / 2;
    const least = Math.min(16 / Math.max(this.size.width, this.size.height), 1);
    const scale = clamp(this.scale * factor, least, LARGEST * this.density);
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.fitted = false;
    this.#moved();
  }

  /** One pixel of the photo on one of the screen. */
  actualSize() {
    this.zoom(1 / this.scale);
  }

  /** @param {number} across CSS pixels */
  pan(across, down) {
    this.x += across * this.density;
    this.y += down * this.density;
    this.fitted = false;
    this.#moved();
  }

  /** @param {Point} at CSS pixels of the stage @returns {Point} pixels of the photo */
  toPhoto(at) {
    return {
      x: (at.x * this.density - this.x) / this.scale,
      y: (at.y * this.density - this.y) / this.scale,
    };
  }

  /** @param {Point} at pixels of the photo @returns {Point} CSS pixels of the stage */
  toStage(at) {
    return {
      x: (at.x * this.scale + this.x) / this.density,
      y: (at.y * this.scale + this.y) / this.density,
    };
  }

  /** Draw "photo" or "marks" anew before the next frame. */
  refresh(...names) {
    if (!this.stale.size) requestAnimationFrame(() => this.#paint());
    for (const name of names.length ? names : ["photo", "marks"]) this.stale.add(name);
  }

  #paint() {
    const names = [...this.stale];
    this.stale.clear();
    for (const name of names) {
      const context = this.contexts[name];
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, context.canvas.width, context.canvas.height);
      this.draw[name](context, this);
    }
  }

  #moved() {
    // A bit of the photo always stays on the screen.
    const { width, height } = this.canvases.photo;
    const keep = 48 * this.density;
    this.x = clamp(this.x, keep - this.size.width * this.scale, width - keep);
    this.y = clamp(this.y, keep - this.size.height * this.scale, height - keep);
    this.refresh();
    this.onchange();
  }

  #resize() {
    const box = this.stage.getBoundingClientRect();
    for (const canvas of Object.values(this.canvases)) {
      canvas.width = Math.max(1, Math.round(box.width * this.density));
      canvas.height = Math.max(1, Math.round(box.height * this.density));
    }
    if (this.fitted) this.fit();
    else this.#moved();
  }
}
