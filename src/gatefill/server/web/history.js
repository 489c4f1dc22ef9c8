/** Steps that can be undone and redone, mask strokes and fills alike, within a limit of memory. */

/** @typedef {import("./types.js").Fill} Fill */
/** @typedef {import("./types.js").Step} Step */

const MOST = 200; // steps kept
const MEGABYTE = 2 ** 20;
/** Bytes of pixels that all steps may hold: a sixteenth of the machine's memory, as far as told. */
export const LIMIT = Math.min(Math.max((navigator.deviceMemory ?? 4) * 64, 128), 512) * MEGABYTE;

export class History {
  /**
   * @param {(step: Step, when: "before"|"after") => void} apply Puts the state beside a step into
   *   effect.
   * @param {number} limit Bytes; at least one step is kept, however large.
   */
  constructor(apply, limit = LIMIT) {
    this.apply = apply;
    this.limit = limit;
    /** @type {Step[]} */
    this.steps = [];
    this.done = 0; // how many of them are in effect
    /** @type {Fill[]} Fills that are too old to be undone; the photo is still made of them. */
    this.settled = [];
  }

  /** Bytes of pixels that the steps hold. */
  get bytes() {
    return this.steps.reduce((sum, step) => sum + step.bytes, 0);
  }

  /** Add a step that has just been done; what was undone before is gone. @param {Step} step */
  add(step) {
    this.steps.length = this.done;
    this.steps.push(step);
    this.done = this.steps.length;
    this.trim();
  }

  /** Forget the oldest steps until the rest keeps to the limits. */
  trim() {
    let bytes = this.bytes;
    while (this.steps.length > 1 && this.done > 1 && (bytes > this.limit || this.steps.length > MOST)) {
      const oldest = this.steps.shift();
      bytes -= oldest.bytes;
      this.done--;
      if (oldest.fill) this.settled.push(oldest.fill);
    }
  }

  get canUndo() {
    return this.done > 0;
  }

  get canRedo() {
    return this.done < this.steps.length;
  }

  /** Undo or redo until exactly the first `count` steps are in effect. */
  goTo(count) {
    while (this.done > count) this.apply(this.steps[--this.done], "before");
    while (this.done < count) this.apply(this.steps[this.done++], "after");
  }

  /**
   * All fills, the oldest first, with the number of steps in effect once each is done; no number
   * for those that are too old to be undone.
   * @returns {{fill: Fill, count: number|null, done: boolean}[]}
   */
  fills() {
    const settled = this.settled.map((fill) => ({ fill, count: null, done: true }));
    const steps = this.steps.flatMap((step, index) =>
      step.fill ? [{ fill: step.fill, count: index + 1, done: index < this.done }] : [],
    );
    return [...settled, ...steps];
  }
}
