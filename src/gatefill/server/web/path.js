/** What a drawn path means: a box, a loop or a scribble. */

/** @typedef {import("./types.js").Point} Point */

export const FEWEST = 4; // pixels of a side of a box
const BENT = 1.25; // a path this much longer than the way between its ends is no drag of a box
const THIN = 0.03; // a box this thin, beside its length, is a line
const CLOSED = 0.25; // a path whose ends lie this near, of its length, is a loop around the object

function lengthOf(path) {
  return path.slice(1).reduce(
    (sum, point, index) => sum + Math.hypot(point.x - path[index].x, point.y - path[index].y), 0,
  );
}

function between(path) {
  const first = path[0], last = path.at(-1);
  return Math.hypot(last.x - first.x, last.y - first.y);
}

function isLoop(path) {
  return path.length > 8 && between(path) < CLOSED * lengthOf(path);
}

/** Whether a path was drawn over an object rather than around it. @param {Point[]} path */
export function isScribble(path) {
  if (path.length < 2 || isLoop(path)) return false;
  return (path.length > 8 && lengthOf(path) > BENT * between(path)) || isLine(path);
}

/** Whether a path leads nearly straight across or down, so that its ends span no box. */
function isLine(path) {
  const sides = ([one, other]) => [Math.abs(one.x - other.x), Math.abs(one.y - other.y)];
  const ends = sides([path[0], path.at(-1)]);
  const long = Math.max(...ends), short = Math.min(...ends);
  if (long < FEWEST) return false;
  const all = sides(extent(path))[ends.indexOf(short)];
  return short < Math.max(FEWEST, THIN * long) || all > 2 * short;
}

/** Two corners of the box that a path means. @param {Point[]} path @returns {[Point, Point]} */
export function endsOf(path) {
  if (!isLoop(path)) return [path[0], path.at(-1)];
  return extent(path);
}

/** Two corners of the smallest box around a path. */
function extent(path) {
  const xs = path.map((point) => point.x), ys = path.map((point) => point.y);
  return [
    { x: Math.min(...xs), y: Math.min(...ys) }, { x: Math.max(...xs), y: Math.max(...ys) },
  ];
}
