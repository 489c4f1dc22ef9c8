/** Pointers, fingers and the wheel on the stage: drawing, panning, zooming. */

/** @typedef {import("./tools.js").Tools} Tools */
/** @typedef {import("./view.js").View} View */

const WHEEL_ZOOM = 0.0016; // per CSS pixel of wheel

export class Input {
  /**
   * @param {HTMLElement} stage
   * @param {View} view
   * @param {Tools} tools
   * @param {() => boolean} ready Whether there is a photo to draw on.
   */
  constructor(stage, view, tools, ready) {
    this.stage = stage;
    this.view = view;
    this.tools = tools;
    this.ready = ready;
    this.pointers = new Map(); // pointers that are down, by id: where they are
    this.drawing = null; // the id of the one that draws
    this.panning = null; // the id of the one that pans
    this.space = false; // held
    this.hover = null; // where the pointer is, CSS pixels of the stage
    this.onhover = () => {};
    const on = (name, handler, options) => stage.addEventListener(name, handler.bind(this), options);
    on("pointerdown", this.#down);
    on("pointermove", this.#move);
    on("pointerup", this.#up);
    on("pointercancel", this.#cancel);
    on("pointerleave", () => this.#hovered(null));
    on("wheel", this.#wheel, { passive: false });
    on("contextmenu", (event) => event.preventDefault());
  }

  /** Space held down turns every tool into the hand. */
  holdSpace(held) {
    this.space = held;
    this.stage.classList.toggle("grab", held || this.tools.name === "hand");
  }

  #at(event) {
    const box = this.stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  #down(event) {
    if (!this.ready() || event.target.closest("button, input, label")) return;
    this.stage.setPointerCapture(event.pointerId);
    const at = this.#at(event);
    this.pointers.set(event.pointerId, at);
    this.#hovered(at);
    if (this.pointers.size === 2) {
      // A second finger: the first one did not mean to draw.
      this.tools.cancel();
      this.drawing = null;
      this.panning = null;
      return;
    }
    const pans = this.space || event.button === 1 || !this.tools.draws;
    if (pans && !(this.tools.name === "look" && event.button === 0 && !this.space)) {
      this.panning = event.pointerId;
    } else if (this.tools.draws && (event.button === 0 || event.button === 5)) {
      this.drawing = event.pointerId;
      // Button 5 is the other end of a pen.
      this.tools.down(this.view.toPhoto(at), event.altKey || event.button === 5, event.shiftKey);
    }
  }

  #move(event) {
    if (!this.ready()) return;
    const at = this.#at(event);
    const before = this.pointers.get(event.pointerId);
    if (before) {
      if (this.pointers.size === 2) this.#pinch(event.pointerId, before, at);
      else if (this.panning === event.pointerId) this.view.pan(at.x - before.x, at.y - before.y);
      else if (this.drawing === event.pointerId) this.#draw(event);
      this.pointers.set(event.pointerId, at);
    }
    this.#hovered(at);
  }

  /** All places since the last frame, so that fast strokes stay round. */
  #draw(event) {
    const all = event.getCoalescedEvents?.() ?? [];
    for (const each of all.length ? all : [event]) {
      this.tools.move(this.view.toPhoto(this.#at(each)));
    }
  }

  #pinch(id, before, at) {
    const [other] = [...this.pointers].filter(([each]) => each !== id).map(([, place]) => place);
    const apart = (one) => Math.max(Math.hypot(one.x - other.x, one.y - other.y), 1);
    this.view.pan((at.x - before.x) / 2, (at.y - before.y) / 2);
    this.view.zoom(apart(at) / apart(before), {
      x: (at.x + other.x) / 2, y: (at.y + other.y) / 2,
    });
  }

  #up(event) {
    this.pointers.delete(event.pointerId);
    if (this.drawing === event.pointerId) this.tools.up();
    if (this.drawing === event.pointerId) this.drawing = null;
    if (this.panning === event.pointerId) this.panning = null;
    // A finger that was lifted hovers nowhere.
    this.#hovered(event.pointerType === "touch" && this.tools.name !== "look" ? null : this.#at(event));
  }

  #cancel(event) {
    this.pointers.delete(event.pointerId);
    if (this.drawing === event.pointerId) this.tools.cancel();
    this.drawing = this.panning = null;
  }

  #wheel(event) {
    if (!this.ready()) return;
    event.preventDefault();
    const pixels = event.deltaMode === 1 ? event.deltaY * 30 : event.deltaY || event.deltaX;
    if (event.altKey || event.shiftKey) {
      this.tools.step(-Math.sign(pixels || event.deltaX));
    } else {
      const speed = event.ctrlKey ? 6 : 1; // a pinch on a touchpad
      this.view.zoom(Math.exp(-pixels * WHEEL_ZOOM * speed), this.#at(event));
    }
  }

  #hovered(at) {
    this.hover = at;
    this.onhover(at);
  }
}
