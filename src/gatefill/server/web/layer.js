/**
 * A layer one paints on, as large as the photo, kept as tiles: a stroke touches a few of them, an
 * undo step holds only those, and what nobody painted on costs nothing.
 *
 * A tile is absent (empty), FULL, or a canvas that is never changed once its step is committed.
 */

/** @typedef {import("./types.js").Box} Box */

export const SIDE = 512;
export const FULL = "full";

/** @returns {HTMLCanvasElement} */
export function canvasOf(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

/** A context whose pixels are read back often, kept in main memory. */
function paper(canvas) {
  return canvas.getContext("2d", { willReadFrequently: true });
}

export class Layer {
  /** @param {string} color What marks are drawn and shown in. */
  constructor(width, height, color) {
    this.width = width;
    this.height = height;
    this.color = color;
    this.columns = Math.ceil(width / SIDE);
    this.rows = Math.ceil(height / SIDE);
    /** @type {Map<number, HTMLCanvasElement|"full">} */
    this.tiles = new Map();
    /** @type {Map<number, HTMLCanvasElement|"full"|undefined>|null} The tiles before the open step. */
    this.before = null;
  }

  get isEmpty() {
    return this.tiles.size === 0;
  }

  /** Whether a step is open. */
  get isOpen() {
    return this.before !== null;
  }

  /** Begin a step; what is drawn until `commit` is undone in one go. */
  begin() {
    if (this.isOpen) throw new Error("a step is open already");
    this.before = new Map();
  }

  /**
   * End the step. Empty tiles are dropped.
   * @returns {{before: Map, after: Map}|null} What `restore` takes; null where nothing changed.
   */
  commit() {
    const before = this.before ?? new Map();
    this.before = null;
    const after = new Map();
    for (const key of before.keys()) {
      const tile = this.tiles.get(key);
      if (tile && tile !== FULL && !boundsOf(tile)) this.tiles.delete(key);
      after.set(key, this.tiles.get(key));
    }
    return before.size ? { before, after } : null;
  }

  /** @param {Map} tiles Part of what `commit` returned. */
  restore(tiles) {
    for (const [key, tile] of tiles) {
      if (tile) this.tiles.set(key, tile);
      else this.tiles.delete(key);
    }
  }

  /**
   * Draw on every tile that `box` touches.
   * @param {Box} box
   * @param {(context: CanvasRenderingContext2D) => void} draw In the photo's coordinates.
   * @param {boolean} erases Tiles on which nothing stands may be left out.
   */
  draw(box, draw, erases = false) {
    for (const key of this.#touched(box)) {
      if (erases && !this.tiles.get(key)) continue;
      const context = paper(this.#writable(key));
      context.save();
      context.setTransform(1, 0, 0, 1, -this.#left(key), -this.#top(key));
      draw(context);
      context.restore();
    }
  }

  clear() {
    for (const key of [...this.tiles.keys()]) this.#set(key, undefined);
  }

  invert() {
    for (let key = 0; key < this.rows * this.columns; key++) {
      const tile = this.tiles.get(key);
      if (!tile) this.#set(key, FULL);
      else if (tile === FULL) this.#set(key, undefined);
      else {
        const inverse = canvasOf(SIDE, SIDE);
        const context = paper(inverse);
        context.fillStyle = this.color;
        context.fillRect(0, 0, SIDE, SIDE);
        context.globalCompositeOperation = "destination-out";
        context.drawImage(tile, 0, 0);
        context.globalCompositeOperation = "source-over"; // the tile may be drawn on again
        this.#set(key, inverse);
      }
    }
  }

  /** Widen (or with a negative radius narrow) what is painted by so many pixels on all sides. */
  grow(radius) {
    if (radius < 0) {
      this.invert();
      this.grow(-radius);
      this.invert();
      return;
    }
    const bounds = this.bounds();
    if (!bounds || !radius) return;
    const box = grown(bounds, radius, this.width, this.height);
    // Copies of the shape on a circle leave no gap as long as it was widened by as much before.
    for (let done = 0; done < radius; ) {
      const step = Math.min(radius - done, done + 1);
      const shape = this.cut(box);
      const points = Math.max(8, Math.ceil(step * 4));
      this.draw(box, (context) => {
        for (let index = 0; index < points; index++) {
          const angle = (2 * Math.PI * index) / points;
          const across = Math.round(Math.cos(angle) * step);
          const down = Math.round(Math.sin(angle) * step);
          context.drawImage(shape, box.left + across, box.top + down);
        }
      });
      done += step;
    }
  }

  /** @returns {Box|null} The smallest box around everything painted, inside the photo. */
  bounds() {
    let left = Infinity, top = Infinity, right = -Infinity, bottom = -Infinity;
    for (const [key, tile] of this.tiles) {
      const inner = tile === FULL ? { left: 0, top: 0, width: SIDE, height: SIDE } : boundsOf(tile);
      if (!inner) continue;
      left = Math.min(left, this.#left(key) + inner.left);
      top = Math.min(top, this.#top(key) + inner.top);
      right = Math.max(right, this.#left(key) + inner.left + inner.width);
      bottom = Math.max(bottom, this.#top(key) + inner.top + inner.height);
    }
    right = Math.min(right, this.width);
    bottom = Math.min(bottom, this.height);
    return right > left && bottom > top ? { left, top, width: right - left, height: bottom - top } : null;
  }

  /** @returns {HTMLCanvasElement} A copy of what is painted in a box. */
  cut(box) {
    const canvas = canvasOf(box.width, box.height);
    const context = paper(canvas);
    context.fillStyle = this.color;
    for (const key of this.#touched(box)) {
      const tile = this.tiles.get(key);
      const left = this.#left(key) - box.left, top = this.#top(key) - box.top;
      if (tile === FULL) context.fillRect(left, top, SIDE, SIDE);
      else if (tile) context.drawImage(tile, left, top);
    }
    return canvas;
  }

  /** @returns {Promise<Blob>} The box as PNG: opaque white where painted, else `ground` or clear. */
  async toPng(box, ground = null) {
    const canvas = this.cut(box);
    const context = paper(canvas);
    const pixels = context.getImageData(0, 0, box.width, box.height);
    const words = new Uint32Array(pixels.data.buffer);
    const empty = ground === "black" ? 0xff000000 : 0;
    for (let index = 0; index < words.length; index++) {
      words[index] = words[index] >>> 24 > 127 ? 0xffffffff : empty;
    }
    context.putImageData(pixels, 0, 0);
    return new Promise((resolve, reject) => {
      canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no memory"))), "image/png");
    });
  }

  /**
   * Show the layer.
   * @param {CanvasRenderingContext2D} context
   * @param {{scale: number, x: number, y: number}} view The photo's place on the screen.
   */
  show(context, view) {
    context.fillStyle = this.color;
    const place = (pixels, offset) => Math.round(pixels * view.scale + offset);
    for (const [key, tile] of this.tiles) {
      const width = Math.min(SIDE, this.width - this.#left(key));
      const height = Math.min(SIDE, this.height - this.#top(key));
      // Rounded edges: neighbors meet without a seam.
      const left = place(this.#left(key), view.x), top = place(this.#top(key), view.y);
      const right = place(this.#left(key) + width, view.x);
      const bottom = place(this.#top(key) + height, view.y);
      if (right < 0 || bottom < 0 || left > context.canvas.width || top > context.canvas.height) continue;
      if (tile === FULL) context.fillRect(left, top, right - left, bottom - top);
      else context.drawImage(tile, 0, 0, width, height, left, top, right - left, bottom - top);
    }
  }

  #left(key) {
    return (key % this.columns) * SIDE;
  }

  #top(key) {
    return Math.floor(key / this.columns) * SIDE;
  }

  #touched(box) {
    const keys = [];
    const first = (value) => Math.max(0, Math.floor(value / SIDE));
    const lastColumn = Math.min(this.columns - 1, Math.floor((box.left + box.width) / SIDE));
    const lastRow = Math.min(this.rows - 1, Math.floor((box.top + box.height) / SIDE));
    for (let row = first(box.top); row <= lastRow; row++) {
      for (let column = first(box.left); column <= lastColumn; column++) {
        keys.push(row * this.columns + column);
      }
    }
    return keys;
  }

  /** A tile of the open step, copied before it is changed for the first time. */
  #writable(key) {
    const tile = this.tiles.get(key);
    if (this.before.has(key) && tile && tile !== FULL) return tile;
    const copy = canvasOf(SIDE, SIDE);
    const context = paper(copy);
    if (tile === FULL) {
      context.fillStyle = this.color;
      context.fillRect(0, 0, SIDE, SIDE);
    } else if (tile) context.drawImage(tile, 0, 0);
    this.#set(key, copy);
    return copy;
  }

  #set(key, tile) {
    if (!this.before.has(key)) this.before.set(key, this.tiles.get(key));
    if (tile) this.tiles.set(key, tile);
    else this.tiles.delete(key);
  }
}

/** @returns {Box} */
export function grown(box, margin, width, height) {
  const left = Math.max(0, Math.floor(box.left - margin));
  const top = Math.max(0, Math.floor(box.top - margin));
  const right = Math.min(width, Math.ceil(box.left + box.width + margin));
  const bottom = Math.min(height, Math.ceil(box.top + box.height + margin));
  return { left, top, width: Math.max(0, right - left), height: Math.max(0, bottom - top) };
}

/** The box around the pixels of a canvas that count as painted, or null. */
function boundsOf(canvas) {
  const { width, height } = canvas;
  const words = new Uint32Array(paper(canvas).getImageData(0, 0, width, height).data.buffer);
  let left = width, right = -1, top = -1, bottom = -1;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (words[y * width + x] >>> 24 <= 127) continue;
      if (top < 0) top = y;
      bottom = y;
      if (x < left) left = x;
      if (x > right) right = x;
    }
  }
  return right < 0 ? null : { left, top, width: right - left + 1, height: bottom - top + 1 };
}
