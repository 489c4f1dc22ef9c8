/** 'Where did it look?': for a place that was filled, the places on the photo it came from. */

import { COLORS, chosen } from "./photo.js";

/** @typedef {import("./types.js").Fill} Fill */
/** @typedef {import("./types.js").Point} Point */

const NEIGHBORS = 26; // screen pixels around the pointer whose sources are hinted at
const RING = "#ffd54a";

/** Positions by cells, so that those near a point are found at once. */
const grids = new WeakMap();

function gridOf(attention) {
  let grid = grids.get(attention);
  if (!grid) {
    grid = new Map();
    for (let index = 0; index < attention.target.length / 2; index++) {
      const [row, column] = [attention.target[2 * index], attention.target[2 * index + 1]];
      const key = cell(column, attention) + "," + cell(row, attention);
      if (!grid.has(key)) grid.set(key, []);
      grid.get(key).push(index);
    }
    grids.set(attention, grid);
  }
  return grid;
}

function cell(value, attention) {
  return Math.floor(value / (2 * attention.spacing));
}

/** The positions within a distance of a point, nearest first. */
function near(attention, at, distance) {
  const grid = gridOf(attention), found = [];
  const reach = Math.ceil(distance / (2 * attention.spacing));
  const column = cell(at.x, attention), row = cell(at.y, attention);
  for (let down = -reach; down <= reach; down++) {
    for (let across = -reach; across <= reach; across++) {
      for (const index of grid.get(`${column + across},${row + down}`) ?? []) {
        const away = Math.hypot(
          attention.target[2 * index + 1] - at.x, attention.target[2 * index] - at.y,
        );
        if (away <= distance) found.push({ index, away });
      }
    }
  }
  return found.sort((one, other) => one.away - other.away);
}

/**
 * What the newest fill under a point looked at.
 * @param {Fill[]} fills
 * @param {Point} at in the photo
 * @returns {{fill: Fill, target: Point, sources: {at: Point, weight: number}[]}|null}
 */
export function lookedAt(fills, at) {
  for (const fill of [...fills].reverse()) {
    const { attention } = chosen(fill);
    if (!attention) continue;
    const [nearest] = near(attention, at, 2 * attention.spacing);
    if (nearest) return { fill, ...told(attention, nearest.index) };
  }
  return null;
}

function told(attention, index) {
  const sources = [];
  for (let place = 0; place < attention.places; place++) {
    const from = index * attention.places + place;
    sources.push({
      at: { x: attention.source[2 * from + 1], y: attention.source[2 * from] },
      weight: attention.weight[from],
    });
  }
  const target = { x: attention.target[2 * index + 1], y: attention.target[2 * index] };
  return { target, sources };
}

/**
 * Draw lines from a filled place to where it looked.
 * @param {CanvasRenderingContext2D} context
 * @param {import("./view.js").View} view
 * @param {ReturnType<typeof lookedAt>} look
 */
export function showLook(context, view, look) {
  const { attention } = chosen(look.fill);
  const unit = view.density;
  const place = (at) => ({ x: at.x * view.scale + view.x, y: at.y * view.scale + view.y });
  const here = place({ x: look.target.x + 0.5, y: look.target.y + 0.5 });
  const side = Math.max(attention.spacing * view.scale, 10 * unit);

  // The neighborhood: faint dots, so that one sees whether pieces were taken as a whole
  const around = near(attention, look.target, (NEIGHBORS * unit) / view.scale).slice(1, 60);
  context.globalAlpha = 0.75;
  for (const { index } of around) {
    const source = told(attention, index).sources[0].at;
    const there = place({ x: source.x + 0.5, y: source.y + 0.5 });
    dot(context, there, 2 * unit, RING);
  }

  context.globalAlpha = 1;
  const strongest = Math.max(...look.sources.map((source) => source.weight), 1e-9);
  for (const source of [...look.sources].reverse()) {
    const there = place({ x: source.at.x + 0.5, y: source.at.y + 0.5 });
    const share = source.weight / strongest;
    context.globalAlpha = 0.25 + 0.75 * share;
    line(context, here, there, unit * (0.8 + 1.2 * share));
    square(context, there, side, unit);
    if (look.sources.length > 1) percent(context, there, side, source.weight, unit);
  }
  context.globalAlpha = 1;
  dot(context, here, 5 * unit, COLORS.mask);
}

function line(context, from, to, width) {
  for (const [color, more] of [["rgb(0 0 0 / 0.55)", 2], [RING, 0]]) {
    context.strokeStyle = color;
    context.lineWidth = width + more;
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y);
    context.stroke();
  }
}

function square(context, at, side, unit) {
  for (const [color, width] of [["rgb(0 0 0 / 0.6)", 4], [RING, 2]]) {
    context.strokeStyle = color;
    context.lineWidth = width * unit;
    context.strokeRect(at.x - side / 2, at.y - side / 2, side, side);
  }
}

function dot(context, at, radius, color) {
  context.fillStyle = color;
  context.strokeStyle = "rgb(0 0 0 / 0.65)";
  context.lineWidth = Math.max(1, radius / 3);
  context.beginPath();
  context.arc(at.x, at.y, radius, 0, 2 * Math.PI);
  context.fill();
  context.stroke();
}

function percent(context, at, side, weight, unit) {
  const text = `${Math.round(weight * 100)}%`;
  context.font = `600 ${12 * unit}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.lineWidth = 3 * unit;
  context.strokeStyle = "rgb(0 0 0 / 0.75)";
  context.fillStyle = "#fff";
  context.strokeText(text, at.x, at.y - side / 2 - 5 * unit);
  context.fillText(text, at.x, at.y - side / 2 - 5 * unit);
}
