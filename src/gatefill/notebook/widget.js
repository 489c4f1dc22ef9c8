/**
 * The widget's page: the editor's own modules (SOURCES, by name), put together for a cell of a
 * notebook. Python sends the photo and the fills; what is painted goes the other way.
 */

const IMPORT = /(from\s+|import\()"(\.[\w./]+)"/g;

/** Import one of the editor's modules, those that it needs first. @returns {Promise<string>} Its address. */
function addressOf(name, known) {
  known[name] ??= (() => {
    const folder = name.includes("/") ? name.replace(/[^/]+$/, "") : "";
    const source = SOURCES[name].replace(/\/\*[\s\S]*?\*\//g, ""); // types are imported in comments
    const led = source.replace(IMPORT, (_, start, path) =>
      `${start}"${addressOf(folder + path.replace("./", ""), known)}"`,
    );
    return URL.createObjectURL(new Blob([led], { type: "text/javascript" }));
  })();
  return known[name];
}

const known = {};
const modules = Promise.all(
  ["photo", "tools", "scene", "view", "input", "texts/en", "texts/ko"].map(
    (name) => import(/* @vite-ignore */ addressOf(`${name}.js`, known)),
  ),
);

/** What the editor's tools and scene ask of an editor, for one photo. */
class Easel extends EventTarget {
  constructor(photo) {
    super();
    this.photo = photo;
    this.isOpen = true;
  }

  get picture() {
    return this.photo.picture;
  }

  get layers() {
    return this.photo.layers;
  }

  get fills() {
    return this.photo.fills;
  }

  edit(name, change) {
    this.photo.edit(name, change);
    this.changed();
  }

  commit(names) {
    this.photo.commit(names);
    this.changed();
  }

  rollBack(names) {
    this.photo.rollBack(names);
    this.changed();
  }

  touched() {
    this.dispatchEvent(new Event("draw"));
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }
}

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

async function render({ model, el }) {
  const [{ Photo }, { Tools }, { Scene }, { View }, { Input }, en, ko] = await modules;
  const words = (navigator.language.startsWith("ko") ? ko : en).default;
  const say = (name, values = {}) =>
    words[name].replace(/\{(\w+)\}/g, (_, word) => String(values[word] ?? ""));

  const file = new Blob([model.get("_image")], { type: "image/png" });
  const photo = new Photo({ id: "widget", name: "photo", file, upright: null }, await createImageBitmap(file));
  const easel = new Easel(photo);
  const tools = new Tools(easel);
  const scene = new Scene(easel, tools);
  tools.resize(Math.sqrt(photo.width * photo.height) / 22);

  const canvases = [make("canvas"), make("canvas")];
  const stage = make("div", { class: "gatefill-stage" }, ...canvases);
  const status = make("span", { class: "gatefill-status", role: "status" }, say("hintPaint"));
  const bar = make("div", { class: "gatefill-bar", role: "toolbar" });
  el.classList.add("gatefill-widget");
  el.style.setProperty("--gatefill-height", `${model.get("height")}px`);
  el.tabIndex = 0;
  el.replaceChildren(bar, stage);

  const view = new View(stage, ...canvases, {
    photo: (context) => scene.photo(context, view),
    marks: (context) => scene.marks(context, view),
  });
  const id = crypto.randomUUID(); // of this view: the same photo may be shown in several cells
  let waiting = null; // what was painted for the fill that runs
  const input = new Input(stage, view, tools, () => !scene.holding);
  input.onhover = (at) => {
    scene.hover = at;
    view.refresh("marks");
  };

  function button(label, act) {
    const made = make("button", { type: "button" }, label);
    made.addEventListener("click", act);
    bar.append(made);
    return made;
  }
  const choices = Object.fromEntries(
    ["brush", "eraser", "box", "lasso", "hand"].map((name) => [
      name, button(say(name), () => tools.choose(name)),
    ]),
  );
  const size = make("input", { type: "range", min: 2, max: 300, "aria-label": say("size") });
  size.value = String(tools.size);
  size.addEventListener("input", () => tools.resize(Number(size.value)));
  bar.append(size);
  const undo = button(say("undo"), () => goTo(photo.history.done - 1));
  const redo = button(say("redo"), () => goTo(photo.history.done + 1));
  const compare = button(say("compare"), () => {
    scene.holding = !scene.holding;
    showState();
  });
  const fill = button(say("fill"), () => ask());
  fill.className = "gatefill-fill";
  bar.append(status);

  function showState() {
    for (const [name, each] of Object.entries(choices)) {
      each.setAttribute("aria-pressed", String(tools.name === name));
    }
    size.value = String(tools.size);
    stage.style.cursor = tools.name === "hand" ? "grab" : "none";
    compare.setAttribute("aria-pressed", String(scene.holding));
    undo.disabled = waiting !== null || !photo.history.canUndo;
    redo.disabled = waiting !== null || !photo.history.canRedo;
    fill.disabled = waiting !== null || !photo.isPainted("mask");
    view.refresh();
  }

  function goTo(count) {
    if (waiting || !photo.goTo(count)) return;
    tell();
    showState();
  }

  /** Say to Python how many fills are in effect. */
  function tell() {
    model.set("fills", photo.fills.length);
    model.save_changes();
  }

  async function ask() {
    const layer = photo.layers.mask;
    const box = layer.bounds();
    if (!box || waiting) return;
    waiting = { painted: { mask: layer.cut(box) } };
    status.textContent = say("working", { percent: 0 });
    showState();
    const drawn = await (await layer.toPng(box)).arrayBuffer();
    tell();
    model.send({ kind: "fill", left: box.left, top: box.top }, undefined, [drawn]);
  }

  /** Put a fill into the photo as a step. */
  async function show({ left, top, model: name = "", seconds = 0 }, data, painted = {}) {
    const patch = { file: new Blob([data], { type: "image/png" }), left, top };
    const pixels = await createImageBitmap(patch.file);
    const box = { left, top, width: pixels.width, height: pixels.height };
    const result = { patch, attention: null, model: name, seed: null, seconds };
    const drawn = { mask: null, sketch: null, take: null, avoid: null, feather: 0 };
    photo.fill({ id: String(photo.history.steps.length), drawn, results: [result], chosen: 0 }, pixels, painted, box);
  }

  async function receive(message, buffers) {
    if (message.kind === "progress") {
      status.textContent = say("working", { percent: Math.round(100 * message.share) });
    } else if (message.kind === "failed") {
      status.textContent = message.text;
      waiting = null;
    } else if (message.kind === "opened" && message.view === id) {
      for (const [number, place] of message.places.entries()) await show(place, buffers[number]);
    } else if (message.kind === "filled") {
      const painted = waiting?.painted ?? {}; // another view's: nothing is taken off this one's mask
      await show(message, buffers[0], painted);
      waiting = null;
      const seconds = message.seconds.toFixed(1);
      status.textContent = [say("filled", { seconds }), ...message.warnings].join(" ");
    }
    showState();
  }

  el.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      goTo(photo.history.done + (event.shiftKey ? 1 : -1));
    } else if (event.key === "Enter" && event.target === el) ask();
    else return;
    event.preventDefault();
    event.stopPropagation(); // the notebook has keys of its own
  });
  tools.onchange = showState;
  easel.addEventListener("draw", () => view.refresh());
  easel.addEventListener("change", showState);
  model.on("msg:custom", receive);
  view.show(photo);
  showState();
  model.send({ kind: "open", view: id });
  return () => {
    model.off("msg:custom", receive);
    photo.close();
  };
}

export default { render };
