/**
 * A photo with its steps as plain data, and back: to be kept where the page cannot lose it, and to
 * put photos aside that are not shown, since a record takes a hundredth of the memory.
 */

import { canvasOf } from "./layer.js";
import { COLORS, Photo, chosen } from "./photo.js";
import { pack, unpack } from "./pack.js";

/** @typedef {import("./types.js").Fill} Fill */
/** @typedef {{state: object, files: Record<string, unknown>}} Record  files: what is large and never
 *   changes, by name. */

/** @param {Photo} photo @returns {Promise<Record>} As it is now, an open stroke as a step. */
export async function recordOf(photo) {
  const { history } = photo;
  const files = { photo: photo.file };
  if (photo.upright) files.upright = photo.upright;
  const open = Object.entries(photo.layers).filter(([, layer]) => layer.isOpen);
  const steps = open.length
    ? [...history.steps.slice(0, history.done), { changes: open.map(([name, layer]) => openChange(name, layer)) }]
    : history.steps;
  // Everything is read in this turn of the event loop; only compressing takes longer.
  const state = {
    id: photo.id,
    name: photo.name,
    saved: photo.saved,
    thumbnail: pixelsOf(photo.thumbnail()),
    done: history.done + (open.length ? 1 : 0),
    settled: history.settled.map((fill) => plainFill(fill, files)),
    fills: steps.map((step) => step.fill && plainFill(step.fill, files)),
  };
  const layers = Object.keys(photo.layers).map(async (name) => [name, await packed(tilesAtFirst(photo, name))]);
  const changes = steps.map((step) => Promise.all(step.changes.map(async (change) => {
    const [before, after] = await Promise.all([packed(change.before), packed(change.after, change.isOpen)]);
    return { layer: change.layer, before, after };
  })));
  state.layers = Object.fromEntries(await Promise.all(layers));
  state.changes = await Promise.all(changes);
  return { state, files };
}

/** @param {Record} record @returns {Promise<Photo>} */
export async function photoOf({ state, files }) {
  const { id, name } = state;
  const file = files.photo, upright = files.upright ?? null;
  const photo = new Photo({ id, name, file, upright }, await createImageBitmap(upright ?? file));
  const known = new Map(); // tiles by their bytes: steps side by side share them
  for (const [layer, tiles] of Object.entries(state.layers)) {
    photo.layers[layer].restore(await unpacked(tiles, layer, known));
  }
  const { history } = photo;
  for (const fill of state.settled) {
    const found = fullFill(fill, files);
    await again(photo, found);
    history.settled.push(found);
  }
  for (const [index, changes] of state.changes.entries()) {
    const step = { changes: [], bytes: 0 };
    for (const { layer, before, after } of changes) {
      const change = {
        layer,
        before: await unpacked(before, layer, known),
        after: await unpacked(after, layer, known),
      };
      photo.layers[layer].restore(change.after);
      step.changes.push(change);
    }
    const fill = state.fills[index] && fullFill(state.fills[index], files);
    if (fill) Object.assign(step, await again(photo, fill));
    photo.addStep(step);
  }
  history.goTo(Math.min(history.steps.length, history.steps.length - state.changes.length + state.done));
  photo.saved = state.saved;
  return photo;
}

/** Paste a fill once more, its chosen result last. */
async function again(photo, fill) {
  let found;
  const others = fill.results.filter((result) => result !== chosen(fill));
  for (const result of [...others, chosen(fill)]) {
    const { patch } = result;
    if (found) photo.picture.restore(found.before, patch.left, patch.top);
    const pixels = await createImageBitmap(patch.file);
    found = photo.paste(patch, pixels);
    pixels.close();
    Object.assign(result, { thumbnail: found.thumbnail });
  }
  return { before: found.before, after: found.after, fill };
}

function pixelsOf(canvas) {
  return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
}

/** The small picture of a record. @param {Record} record @returns {HTMLCanvasElement} */
export function thumbnailOf({ state: { thumbnail } }) {
  const canvas = canvasOf(thumbnail.width, thumbnail.height);
  canvas.getContext("2d").putImageData(thumbnail, 0, 0);
  return canvas;
}

function openChange(layer, { before, tiles }) {
  return { layer, before, after: new Map([...before.keys()].map((key) => [key, tiles.get(key)])), isOpen: true };
}

/** The tiles of a layer before the first step that is known. */
function tilesAtFirst({ history, layers }, name) {
  const tiles = new Map([...layers[name].tiles, ...(layers[name].before ?? [])]);
  for (const step of history.steps.slice(0, history.done).reverse()) {
    for (const { layer, before } of step.changes) {
      if (layer === name) for (const [key, tile] of before) tiles.set(key, tile);
    }
  }
  return tiles;
}

async function packed(tiles, changes = false) {
  return Promise.all([...tiles].map(async ([key, tile]) => [key, await pack(tile, changes)]));
}

async function unpacked(tiles, layer, known) {
  const found = new Map();
  for (const [key, bytes] of tiles) {
    if (!known.has(bytes)) known.set(bytes, await unpack(bytes, COLORS[layer]));
    found.set(key, known.get(bytes));
  }
  return found;
}

const PARTS = ["mask", "sketch", "take", "avoid"];

/** A fill without what is large, which goes into `files`. @param {Fill} fill */
function plainFill({ id, drawn, results, chosen: index }, files) {
  const plain = { id, chosen: index, drawn: { ...drawn } };
  for (const part of PARTS.filter((name) => drawn[name])) {
    const { file, ...place } = drawn[part];
    files[`${id}/${part}`] = file;
    plain.drawn[part] = place;
  }
  plain.results = results.map(({ patch: { file, ...place }, attention, thumbnail: _, ...rest }, number) => {
    files[`${id}/patch/${number}`] = file;
    if (attention) files[`${id}/attention/${number}`] = attention;
    return { ...rest, patch: place };
  });
  return plain;
}

function fullFill({ id, drawn, results, chosen: index }, files) {
  const parts = PARTS.map((part) => [part, drawn[part] && { ...drawn[part], file: files[`${id}/${part}`] }]);
  return {
    id,
    chosen: index,
    drawn: { ...drawn, ...Object.fromEntries(parts) },
    results: results.map((result, number) => ({
      ...result,
      patch: { ...result.patch, file: files[`${id}/patch/${number}`] },
      attention: files[`${id}/attention/${number}`] ?? null,
    })),
  };
}
