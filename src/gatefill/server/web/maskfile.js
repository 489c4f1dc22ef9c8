/** Whether a file is a mask of a photo rather than another photo. */

const SIDE = 400; // pixels of the longer side that is looked at
const SAME_SHAPE = 0.02; // by how much the aspect ratio may differ
const GRAY = 12; // how far the channels of black, gray and white may lie apart
const EDGE = 32; // how far from black or white a pixel of a mask may be
const MOST = 0.03; // share of soft pixels along the edges

/**
 * A mask has the photo's shape and is black and white, or white on clear.
 * @param {Blob} file
 * @param {{width: number, height: number}} photo
 * @returns {Promise<boolean>}
 */
export async function looksLikeMask(file, photo) {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return false;
  try {
    const ratio = bitmap.width / bitmap.height / (photo.width / photo.height);
    return Math.abs(ratio - 1) <= SAME_SHAPE && isBlackAndWhite(bitmap);
  } finally {
    bitmap.close();
  }
}

function isBlackAndWhite(bitmap) {
  const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const width = Math.max(1, Math.round(bitmap.width * scale));
  const height = Math.max(1, Math.round(bitmap.height * scale));
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.imageSmoothingEnabled = false; // no grays that the file has not
  context.drawImage(bitmap, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  let black = 0, white = 0;
  for (let index = 0; index < data.length; index += 4) {
    const [red, green, blue, alpha] = data.subarray(index, index + 4);
    const least = Math.min(red, green, blue), most = Math.max(red, green, blue);
    if (alpha < 8) black++; // clear around white
    else if (most - least > GRAY) continue;
    else if (most <= EDGE) black++;
    else if (least >= 255 - EDGE) white++;
  }
  const all = width * height;
  return black > 0 && white > 0 && black + white >= (1 - MOST) * all;
}
