// Which parts of a photo the network sees, and at which scale.

const CELL = 8; // pixels; holes less than a cell or two apart are filled together
const MARGIN = 64; // least number of pixels around a hole
export const SIDE = 288; // longest side that the network sees, about what it was trained at

/** The boxes around the holes of a mask (1 = hole), each with its surroundings; no two overlap. */
export function views(mask, width, height) {
  let boxes = holes(mask, width, height).map((box) => {
    const margin = Math.max(MARGIN, box.right - box.left, box.bottom - box.top);
    return {
      left: Math.max(box.left - margin, 0),
      top: Math.max(box.top - margin, 0),
      right: Math.min(box.right + margin, width),
      bottom: Math.min(box.bottom + margin, height),
    };
  });
  for (let joined = true; joined; ) {
    joined = false;
    for (const box of boxes) {
      const other = boxes.find((each) => each !== box && overlap(each, box));
      if (!other) continue;
      boxes = boxes.filter((each) => each !== box && each !== other).concat(union(box, other));
      joined = true;
      break;
    }
  }
  return boxes.map((box) => {
    const size = { width: box.right - box.left, height: box.bottom - box.top };
    const scale = Math.min(1, SIDE / Math.max(size.width, size.height));
    return { ...size, left: box.left, top: box.top, scale };
  });
}

function overlap(a, b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

function union(a, b) {
  return {
    left: Math.min(a.left, b.left),
    top: Math.min(a.top, b.top),
    right: Math.max(a.right, b.right),
    bottom: Math.max(a.bottom, b.bottom),
  };
}

/** Boxes around groups of cells that touch each other and hold hole pixels. */
function holes(mask, width, height) {
  const columns = Math.ceil(width / CELL);
  const rows = Math.ceil(height / CELL);
  const cells = new Map(); // cell -> box of its hole pixels
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!mask[y * width + x]) continue;
      const cell = Math.floor(y / CELL) * columns + Math.floor(x / CELL);
      const pixel = { left: x, top: y, right: x + 1, bottom: y + 1 };
      const known = cells.get(cell);
      cells.set(cell, known ? union(known, pixel) : pixel);
    }
  }
  const found = [];
  for (const start of cells.keys()) {
    let box = null;
    const waiting = [start];
    while (waiting.length) {
      const cell = waiting.pop();
      const part = cells.get(cell);
      if (!part) continue;
      cells.delete(cell);
      box = box ? union(box, part) : part;
      const row = Math.floor(cell / columns);
      const column = cell % columns;
      for (let y = Math.max(row - 1, 0); y <= Math.min(row + 1, rows - 1); y++) {
        for (let x = Math.max(column - 1, 0); x <= Math.min(column + 1, columns - 1); x++) {
          waiting.push(y * columns + x);
        }
      }
    }
    if (box) found.push(box);
  }
  return found;
}
