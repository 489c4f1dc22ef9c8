/** Tiles of layers as compressed bytes, to be kept where canvases cannot. */

import { FULL, SIDE, canvasOf } from "./layer.js";

/** @typedef {Uint8Array|"full"|null} Packed  A tile: its alpha, compressed. */

const packed = new WeakMap(); // by canvas; a committed tile never changes

/** @returns {Promise<Packed>} @param {boolean} changes Whether the tile may be drawn on again. */
export async function pack(tile, changes = false) {
  if (!tile || tile === FULL) return tile ?? null;
  if (changes) return compressed(tile);
  if (!packed.has(tile)) packed.set(tile, compressed(tile));
  return packed.get(tile);
}

/** @param {Packed} bytes @param {string} color @returns {Promise<HTMLCanvasElement|"full"|undefined>} */
export async function unpack(bytes, color) {
  if (!bytes || bytes === FULL) return bytes ?? undefined;
  const alpha = await through(bytes, new DecompressionStream("deflate-raw"));
  const tile = canvasOf(SIDE, SIDE);
  const context = tile.getContext("2d", { willReadFrequently: true });
  context.fillStyle = color;
  context.fillRect(0, 0, SIDE, SIDE);
  const pixels = context.getImageData(0, 0, SIDE, SIDE);
  for (let index = 0; index < alpha.length; index++) pixels.data[4 * index + 3] = alpha[index];
  context.putImageData(pixels, 0, 0);
  return tile;
}

function compressed(tile) {
  const { data } = tile.getContext("2d").getImageData(0, 0, SIDE, SIDE);
  const alpha = new Uint8Array(SIDE * SIDE);
  for (let index = 0; index < alpha.length; index++) alpha[index] = data[4 * index + 3];
  return through(alpha, new CompressionStream("deflate-raw"));
}

async function through(bytes, stream) {
  const out = new Response(new Blob([bytes]).stream().pipeThrough(stream));
  return new Uint8Array(await out.arrayBuffer());
}
