/**
 * The photo as it is shown, at full size and at halves of it: photos of any size are drawn from
 * about as many pixels as the screen has. What is downloaded never comes from here.
 */

import { canvasOf } from "./layer.js";

/** @typedef {import("./types.js").Box} Box */

const SMALLEST = 700; // pixels of the longer side at which halving ends

export class Picture {
  /** @param {ImageBitmap|HTMLCanvasElement} image */
  constructor(image) {
    this.width = image.width;
    this.height = image.height;
    /** @type {HTMLCanvasElement[]} Each half as large as the one before. */
    this.levels = [canvasOf(this.width, this.height)];
    this.levels[0].getContext("2d").drawImage(image, 0, 0);
    while (Math.max(this.#last.width, this.#last.height) > 2 * SMALLEST) {
      const { width, height } = this.#last;
      this.levels.push(canvasOf(Math.ceil(width / 2), Math.ceil(height / 2)));
    }
    this.#refresh({ left: 0, top: 0, width: this.width, height: this.height });
  }

  get #last() {
    return this.levels[this.levels.length - 1];
  }

  /** Draw an image over the photo. */
  paste(image, left, top) {
    this.levels[0].getContext("2d").drawImage(image, left, top);
    this.#refresh({ left, top, width: image.width, height: image.height });
  }

  /** Put back what `cut` took. */
  restore(image, left, top) {
    this.levels[0].getContext("2d").clearRect(left, top, image.width, image.height);
    this.paste(image, left, top);
  }

  /** @param {Box} box @returns {HTMLCanvasElement} A copy of a part. */
  cut(box) {
    const canvas = canvasOf(box.width, box.height);
    canvas.getContext("2d").drawImage(this.levels[0], -box.left, -box.top);
    return canvas;
  }

  /** @returns {HTMLCanvasElement} A box, scaled and cropped to fill width x height. */
  thumbnail(box, width, height) {
    const canvas = canvasOf(width, height);
    const scale = Math.max(width / box.width, height / box.height);
    const across = width / scale, down = height / scale;
    const left = clamp(box.left + (box.width - across) / 2, 0, Math.max(0, this.width - across));
    const top = clamp(box.top + (box.height - down) / 2, 0, Math.max(0, this.height - down));
    const [source, factor] = this.#levelFor(scale);
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(
      source, left / factor, top / factor, across / factor, down / factor, 0, 0, width, height,
    );
    return canvas;
  }

  /**
   * Show the photo.
   * @param {CanvasRenderingContext2D} context
   * @param {{scale: number, x: number, y: number}} view The photo's place on the screen.
   */
  show(context, view) {
    const { width, height } = context.canvas;
    const [source, factor] = this.#levelFor(view.scale);
    // Only what is on the screen, in whole pixels of the level
    const left = Math.max(0, Math.floor(-view.x / view.scale / factor));
    const top = Math.max(0, Math.floor(-view.y / view.scale / factor));
    const right = Math.min(source.width, Math.ceil((width - view.x) / view.scale / factor));
    const bottom = Math.min(source.height, Math.ceil((height - view.y) / view.scale / factor));
    if (right <= left || bottom <= top) return;
    const size = factor * view.scale;
    // The last column of a halved photo may reach over the edge by a part of a pixel.
    const across = Math.min(right * factor, this.width) / factor - left;
    const down = Math.min(bottom * factor, this.height) / factor - top;
    context.imageSmoothingEnabled = view.scale < 3;
    context.imageSmoothingQuality = "medium";
    context.drawImage(
      source, left, top, across, down,
      left * size + view.x, top * size + view.y, across * size, down * size,
    );
  }

  /** The level that has as many pixels as the screen, and how many photo pixels one of them is. */
  #levelFor(scale) {
    let index = 0;
    while (index + 1 < this.levels.length && scale * 2 ** (index + 1) <= 1) index++;
    return [this.levels[index], 2 ** index];
  }

  #refresh(box) {
    for (let index = 1; index < this.levels.length; index++) {
      const factor = 2 ** index, from = this.levels[index - 1], to = this.levels[index];
      const left = Math.max(0, Math.floor(box.left / factor) - 1);
      const top = Math.max(0, Math.floor(box.top / factor) - 1);
      const right = Math.min(to.width, Math.ceil((box.left + box.width) / factor) + 1);
      const bottom = Math.min(to.height, Math.ceil((box.top + box.height) / factor) + 1);
      const context = to.getContext("2d");
      context.imageSmoothingQuality = "medium";
      context.clearRect(left, top, right - left, bottom - top);
      context.drawImage(
        from, 2 * left, 2 * top, 2 * (right - left), 2 * (bottom - top),
        left, top, right - left, bottom - top,
      );
    }
  }
}

export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
