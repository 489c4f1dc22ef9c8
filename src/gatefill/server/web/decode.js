/** Files as pixels, as the server sees them, and small enough for it. */

import * as api from "./api.js";

const SHARE = 0.7; // of the largest request that a photo may take: its fills are sent with it
const QUALITY = 0.95; // of JPEGs that are made here

/**
 * Browsers do not agree on which formats EXIF turns: where a file is turned, or the browser does
 * not know it, the server's own picture is shown. A file that the server cannot fill is refused;
 * one that is too large for it is made smaller where the browser can read it.
 * @param {Blob} file
 * @returns {Promise<{file: Blob, bitmap: ImageBitmap, upright: Blob|null, shrunk: object|null}>}
 *   The file to edit, what to show, the server's picture if that is it, and the sizes (from, to) of
 *   a file that was made smaller. Raises ServerError.
 */
export async function decoded(file) {
  const own = await createImageBitmap(file).catch(() => null);
  const limits = await api.config();
  const isLarge = own && own.width * own.height > limits.max_pixels;
  if (file.size > SHARE * limits.max_bytes || isLarge) {
    if (!own) throw new api.ServerError("too large", `${Math.round(file.size / 2 ** 20)} MB`, 413, 0, { code: "server.too_large" });
    return smaller(own, file, limits);
  }
  const seen = await api.preview(file, true);
  const same = own && own.width === seen.width && own.height === seen.height;
  if (same && !seen.blob) return { file, bitmap: own, upright: null, shrunk: null };
  own?.close();
  const upright = seen.blob ?? (await api.preview(file)).blob;
  return { file, bitmap: await createImageBitmap(upright), upright, shrunk: null };
}

/** A photo that fits into the server's limits, as a new file. */
async function smaller(bitmap, file, { max_bytes: maxBytes, max_pixels: maxPixels }) {
  const from = `${bitmap.width} × ${bitmap.height}`;
  // A JPEG of this quality has less than a byte per pixel, a PNG at most four.
  const isClear = !["image/jpeg", "image/bmp"].includes(file.type);
  const bytes = isClear ? 4 : 1;
  const pixels = Math.min(maxPixels, (SHARE * maxBytes) / bytes);
  const scale = Math.min(1, Math.sqrt(pixels / (bitmap.width * bitmap.height)));
  const width = Math.max(1, Math.floor(bitmap.width * scale));
  const height = Math.max(1, Math.floor(bitmap.height * scale));
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  const kind = isClear ? { type: "image/png" } : { type: "image/jpeg", quality: QUALITY };
  const made = await canvas.convertToBlob(kind);
  await api.preview(made, true); // whether the server takes it
  return {
    file: made, bitmap: await createImageBitmap(made), upright: null, shrunk: { from, to: `${width} × ${height}` },
  };
}
