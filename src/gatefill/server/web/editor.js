/** The photos that are open, the one that is shown, and everything that may be done to it. */

import { ServerError } from "./api.js";
import { decoded } from "./decode.js";
import { Fills } from "./fills.js";
import { Photo } from "./photo.js";
import { photoOf, recordOf, thumbnailOf } from "./record.js";

/** @typedef {import("./types.js").Fill} Fill */
/** @typedef {import("./types.js").Model} Model */

/**
 * @typedef {object} Slot  An open photo; as a record where it is not shown.
 * @property {string} id
 * @property {string} name
 * @property {Photo|null} photo
 * @property {import("./record.js").Record|null} record
 * @property {HTMLCanvasElement} thumbnail
 * @property {boolean} saved
 */

/**
 * Events: "open" (another photo is shown), "photos" (the list of them changed), "change" (anything
 * to be shown anew), "draw" (a stroke went on), "busy" (a fill begins, moves on or ends).
 */
export class Editor extends EventTarget {
  constructor() {
    super();
    /** @type {Slot[]} */
    this.slots = [];
    /** @type {Slot|null} */
    this.slot = null;
    /** @type {Model[]} */
    this.models = [];
    /** @type {Model|null} */
    this.model = null;
    this.jobs = new Fills(this);
    this.turn = Promise.resolve(); // photos are shown one after the other
  }

  /** @returns {Photo|null} The photo that is shown. */
  get photo() {
    return this.slot?.photo ?? null;
  }

  get isOpen() {
    return this.photo !== null;
  }

  get busy() {
    return this.jobs.busy;
  }

  get picture() {
    return this.photo?.picture ?? null;
  }

  get layers() {
    return this.photo?.layers ?? {};
  }

  get history() {
    return this.photo?.history ?? null;
  }

  /** Fills in effect, the oldest first. @returns {Fill[]} */
  get fills() {
    return this.photo?.fills ?? [];
  }

  /** Whether all of every photo was downloaded. */
  get saved() {
    return this.slots.every((slot) => slot.photo?.saved ?? slot.saved);
  }

  /**
   * Open a photo beside those that are open, and show it.
   * @param {Blob} file
   * @param {string} name
   * @returns {Promise<{from: string, to: string}|null>} Its sizes if it had to be made smaller.
   */
  async open(file, name) {
    // A copy in memory: the file on the disk may change, or go.
    const copy = new Blob([await file.arrayBuffer()], { type: file.type });
    const { file: kept, bitmap, upright, shrunk } = await decoded(copy);
    const photo = new Photo({ id: newId(), name, file: kept, upright }, bitmap);
    await this.#inTurn(async () => {
      await this.#putAside();
      this.#show(this.#add(photo));
    });
    return shrunk;
  }

  /** Take photos over that were kept, and show the last of them. */
  async restore(records) {
    this.slots.push(...records.map((record) => ({
      id: record.state.id,
      name: record.state.name,
      photo: null,
      record,
      thumbnail: thumbnailOf(record),
      saved: record.state.saved,
    })));
    if (records.length) await this.select(this.slots.at(-1));
  }

  #add(photo) {
    const slot = {
      id: photo.id, name: photo.name, photo, record: null, thumbnail: photo.thumbnail(), saved: photo.saved,
    };
    this.slots.push(slot);
    return slot;
  }

  /** The slot of a file that is open already, with the same bytes. @param {File} file */
  async find(file) {
    const bytes = async (blob) => new Uint8Array(await blob.arrayBuffer());
    const wanted = await bytes(file);
    for (const slot of this.slots) {
      const own = slot.photo?.file ?? slot.record.files.photo;
      if (slot.name !== file.name || own.size !== file.size) continue;
      if ((await bytes(own)).every((byte, index) => byte === wanted[index])) return slot;
    }
    return null;
  }

  /** Show another of the open photos. @param {Slot} slot */
  async select(slot) {
    await this.#inTurn(async () => {
      if (slot === this.slot || !this.slots.includes(slot)) return;
      const photo = slot.photo ?? (await awakened(slot));
      await this.#putAside();
      Object.assign(slot, { photo, record: null });
      this.#show(slot);
    });
  }

  /** Close a photo; what was not downloaded of it is lost. @param {Slot} slot */
  async close(slot) {
    await this.#inTurn(async () => {
      if (this.busy?.photo === slot.photo) this.cancel();
      const at = this.slots.indexOf(slot);
      if (at < 0) return;
      this.slots.splice(at, 1);
      slot.photo?.close();
      if (slot !== this.slot) {
        this.#tell("photos");
        return;
      }
      const next = this.slots[Math.min(at, this.slots.length - 1)] ?? null;
      if (next && !next.photo) Object.assign(next, { photo: await awakened(next), record: null });
      this.#show(next);
    });
  }

  #inTurn(work) {
    const done = this.turn.then(work);
    this.turn = done.catch(() => {});
    return done;
  }

  /** Let the photo that is shown rest as a record, once nothing is being done to it. */
  async #putAside() {
    const { slot } = this;
    if (!slot) return;
    await slot.photo.still();
    slot.thumbnail = slot.photo.thumbnail();
    if (this.busy?.photo !== slot.photo) await this.#rest(slot);
  }

  async #rest(slot) {
    slot.saved = slot.photo.saved;
    slot.record = await recordOf(slot.photo);
    slot.photo.close();
    slot.photo = null;
  }

  /** @param {Slot|null} slot */
  #show(slot) {
    this.slot = slot;
    this.#tell("open");
    this.#tell("photos");
    this.#tell("change");
  }

  /** Change a layer of the photo in one step. @param {string} name */
  edit(name, change) {
    if (!this.isOpen || this.photo.isDrawing) return;
    this.photo.edit(name, change);
    this.#tell("change");
  }

  /** Make one step of what was drawn. @param {string[]} names Of layers. */
  commit(names) {
    if (this.photo.commit(names)) this.#tell("change");
    this.#tell("draw");
  }

  /** Give up what was drawn. @param {string[]} names Of layers. */
  rollBack(names) {
    this.photo?.rollBack(names);
    this.#tell("draw");
  }

  /** Say that something was drawn that is no step yet. */
  touched() {
    this.#tell("draw");
  }

  /** Say that a photo was changed. */
  changed() {
    this.#tell("change");
  }

  /** Say how far a fill is. */
  worked() {
    this.#tell("busy");
  }

  undo() {
    this.goTo((this.history?.done ?? 0) - 1);
  }

  redo() {
    this.goTo((this.history?.done ?? 0) + 1);
  }

  /** Put the first `count` steps in effect. A fill that runs belongs to the fills before it. */
  goTo(count) {
    if (!this.isOpen) return;
    const { steps, done } = this.history;
    const passed = steps.slice(Math.min(count, done), Math.max(count, done));
    if (this.busy?.photo === this.photo && passed.some((step) => step.fill)) return;
    if (this.photo.goTo(count)) this.#tell("change");
  }

  /** @param {string} name */
  choose(name) {
    this.model = this.models.find((model) => model.model === name) ?? this.model;
    this.#tell("change");
  }

  cancel() {
    this.jobs.cancel();
  }

  #tell(name) {
    this.dispatchEvent(new Event(name));
  }
}

/** The photo of a slot that rests. Raises ServerError where what was kept is damaged. */
async function awakened({ name, record }) {
  try {
    return await photoOf(record);
  } catch (error) {
    console.warn(error);
    throw new ServerError("damaged", name);
  }
}

/** A name that sorts by age. */
function newId() {
  return `${Date.now()}-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
}

/** @returns {string} The file's name without its suffix. */
export function stem(name) {
  return name.replace(/\.[^.]+$/, "") || "photo";
}
