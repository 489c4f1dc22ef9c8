/** What a drawn path means: a box, a loop or a scribble. */

/** @typedef {import("./types.js").Point} Point */

const BENT = 1.25; // a path this much longer than the way between its ends is no drag of a box
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
  return path.length > 8 && !isLoop(path) && lengthOf(path) > BENT * between(path);
}

/** Two corners of the box that a path means. @param {Point[]} path @returns {[Point, Point]} */
export function endsOf(path) {
  if (!isLoop(path)) return [path[0], path.at(-1)];
  const xs = path.map((point) => point.x), ys = path.map((point) => point.y);
  return [
    { x: Math.min(...xs), y: Math.min(...ys) }, { x: Math.max(...xs), y: Math.max(...ys) },
  ];
}
