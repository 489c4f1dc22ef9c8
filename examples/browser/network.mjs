// The network as a function of pixels, and filling a photo by it, hole by hole.

import { views } from "./views.mjs";

/** The network in a worker of its own; `ready` is a promise. */
export class Network {
  constructor() {
    this.worker = new Worker(new URL("worker.mjs", import.meta.url), { type: "module" });
    this.ready = this.answer();
  }

  answer() {
    return new Promise((resolve, reject) => {
      this.worker.onmessage = ({ data }) => (data.problem ? reject(new Error(data.problem)) : resolve(data));
      this.worker.onerror = (event) => reject(new Error(event.message || "vendor/ is not complete"));
    });
  }

  /** Fill RGB pixels where `mask` is 255; both are bytes of width x height. */
  async run(photo, mask, width, height) {
    await this.ready;
    const answer = this.answer();
    this.worker.postMessage({ photo, mask, width, height }, [photo.buffer, mask.buffer]);
    return (await answer).filled;
  }
}

/**
 * Fill the holes of a photo in place.
 *
 * photo: a canvas. marks: a canvas of the same size, painted where the holes are. tell(done, all) is
 * called before each hole. Known pixels stay as they are. Returns what was there before, as
 * [{ left, top, pixels }]; null where no pixel of the photo is known.
 */
export async function fill(network, photo, marks, tell) {
  const { width, height } = photo;
  const context = photo.getContext("2d");
  const painted = marks.getContext("2d").getImageData(0, 0, width, height).data;
  const mask = new Uint8Array(width * height);
  for (let i = 0; i < mask.length; i++) mask[i] = painted[4 * i + 3] > 127 ? 1 : 0;
  if (!mask.includes(0)) return null;
  const parts = views(mask, width, height);
  const before = [];
  for (const [number, view] of parts.entries()) {
    tell(number + 1, parts.length);
    const pixels = context.getImageData(view.left, view.top, view.width, view.height);
    const hole = new Uint8Array(view.width * view.height);
    for (let y = 0; y < view.height; y++) {
      const start = (view.top + y) * width + view.left;
      hole.set(mask.subarray(start, start + view.width), y * view.width);
    }
    before.push({ left: view.left, top: view.top, pixels });
    const filled = await fillView(network, pixels, hole, view.scale);
    context.putImageData(filled, view.left, view.top);
  }
  return before;
}

/** A part of a photo, filled at the scale that the network sees. */
async function fillView(network, pixels, hole, scale) {
  const { width, height } = pixels;
  const small = { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
  const source = scale < 1 ? shrunk(pixels, hole, small) : { pixels, hole };
  const count = small.width * small.height;
  const photo = new Uint8Array(3 * count);
  const mask = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < 3; c++) photo[3 * i + c] = source.pixels.data[4 * i + c];
    mask[i] = source.hole[i] ? 255 : 0;
  }
  const found = await network.run(photo, mask, small.width, small.height);
  let filled = new ImageData(small.width, small.height);
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < 3; c++) filled.data[4 * i + c] = found[3 * i + c];
    filled.data[4 * i + 3] = 255;
  }
  if (scale < 1) filled = resized(filled, { width, height });
  const result = new ImageData(new Uint8ClampedArray(pixels.data), width, height);
  for (let i = 0; i < hole.length; i++) {
    if (hole[i]) result.data.set(filled.data.subarray(4 * i, 4 * i + 4), 4 * i);
  }
  return result;
}

/** Smaller pixels: known ones averaged without the hole, and hole wherever any of it is below. */
function shrunk(pixels, hole, size) {
  const { width, height } = pixels;
  const count = size.width * size.height;
  const sums = new Float64Array(4 * count);
  const gap = new Uint8Array(count);
  for (let y = 0; y < height; y++) {
    const row = Math.floor((y * size.height) / height) * size.width;
    for (let x = 0; x < width; x++) {
      const to = row + Math.floor((x * size.width) / width);
      const from = y * width + x;
      if (hole[from]) {
        gap[to] = 1;
      } else {
        for (let c = 0; c < 3; c++) sums[4 * to + c] += pixels.data[4 * from + c];
        sums[4 * to + 3]++;
      }
    }
  }
  const small = new ImageData(size.width, size.height);
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < 3; c++) small.data[4 * i + c] = sums[4 * i + c] / Math.max(sums[4 * i + 3], 1);
    small.data[4 * i + 3] = 255;
  }
  return { pixels: small, hole: gap };
}

function resized(pixels, size) {
  const from = new OffscreenCanvas(pixels.width, pixels.height);
  from.getContext("2d").putImageData(pixels, 0, 0);
  const to = new OffscreenCanvas(size.width, size.height).getContext("2d");
  to.imageSmoothingQuality = "high";
  to.drawImage(from, 0, 0, size.width, size.height);
  return to.getImageData(0, 0, size.width, size.height);
}
