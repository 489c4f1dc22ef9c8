/** Steps that can be undone and redone, mask strokes and fills alike. */

/** @typedef {import("./types.js").Step} Step */

const MOST = 200; // steps kept; the oldest mask strokes go first

export class History {
  constructor() {
    /** @type {Step[]} */
    this.steps = [];
    this.done = 0; // how many of them are in effect
  }

  /** Add a step that has just been done; what was undone before is gone. */
  add(step) {
    this.steps.length = this.done;
    this.steps.push(step);
    if (this.steps.length > MOST) {
      const oldest = this.steps.findIndex((each) => each.kind === "mask");
      // Fills are never dropped: the photo is made of them.
      if (oldest >= 0 && oldest < this.steps.findIndex((each) => each.kind === "fill")) {
        this.steps.splice(oldest, 1);
      }
    }
    this.done = this.steps.length;
  }

  get canUndo() {
    return this.done > 0;
  }

  get canRedo() {
    return this.done < this.steps.length;
  }

  undo() {
    if (this.canUndo) this.steps[--this.done].undo();
  }

  redo() {
    if (this.canRedo) this.steps[this.done++].redo();
  }

  /** Undo or redo until exactly the first `count` steps are in effect. */
  goTo(count) {
    while (this.done > count) this.undo();
    while (this.done < count) this.redo();
  }

  /** All fills, with the number of steps in effect once each is done. */
  fills() {
    return this.steps.flatMap((step, index) =>
      step.fill ? [{ fill: step.fill, count: index + 1, done: index < this.done }] : [],
    );
  }
}
