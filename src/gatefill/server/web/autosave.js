/** Keeps every change in this browser, a moment after it was made. */

import { Kept } from "./kept.js";
import { notify } from "./notices.js";
import { recordOf } from "./record.js";
import { text } from "./texts.js";

/** @typedef {import("./editor.js").Editor} Editor */

const DELAY = 300; // milliseconds after the last change
const LONGEST = 1500; // and at most so many after the first that is not kept

export class Autosave {
  /** @param {Editor} editor @param {Kept|null} kept null where the browser keeps nothing. */
  constructor(editor, kept) {
    this.editor = editor;
    this.kept = kept;
    this.timer = null;
    this.first = 0; // when the first change was made that is not kept
    this.turn = Promise.resolve();
    this.changed = new Set(); // photos that are not kept as they are now
    this.pending = false; // whether something is not kept yet
    for (const event of ["change", "draw"]) editor.addEventListener(event, () => this.#touch());
    window.addEventListener("beforeunload", (event) => {
      if (this.pending && !editor.saved) event.preventDefault();
    });
    document.addEventListener("visibilitychange", () => document.hidden && this.#save());
  }

  /** Open what was kept before. @returns {Promise<number>} How many photos there were. */
  async restore() {
    const records = (await this.kept?.all()) ?? [];
    await this.editor.restore(records);
    return records.length;
  }

  /** Delete photos, or all of them. @param {string[]|null} ids */
  async forget(ids = null) {
    await this.turn;
    if (!this.kept) return;
    await this.kept.forget(ids ?? (await this.kept.all()).map(({ state }) => state.id));
  }

  #touch() {
    if (!this.editor.isOpen) return;
    if (!this.pending) this.first = performance.now();
    this.#show(true);
    for (const slot of this.editor.slots) if (slot.photo) this.changed.add(slot);
    clearTimeout(this.timer);
    const left = this.first + LONGEST - performance.now();
    this.timer = setTimeout(() => this.#save(), Math.max(0, Math.min(DELAY, left)));
  }

  #save() {
    clearTimeout(this.timer);
    if (!this.kept || !this.pending) return;
    this.turn = this.turn.then(async () => {
      this.#show(false);
      try {
        for (const slot of this.changed) {
          this.changed.delete(slot);
          const record = slot.photo ? await recordOf(slot.photo) : slot.record;
          if (this.editor.slots.includes(slot)) await this.kept.put(record);
        }
      } catch (error) {
        this.#show(true);
        if (!this.told) notify(text("notKept"));
        this.told = true;
        if (error.name !== "QuotaExceededError") console.warn(error);
      }
      document.body.dataset.kept = this.pending ? "no" : "yes";
    });
  }

  #show(pending) {
    this.pending = pending;
    if (pending) document.body.dataset.kept = "no";
  }
}
