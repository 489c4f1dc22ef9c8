/** The page put together: the editor's state, the stage, the panel, the dock and the keys. */

import * as api from "./api.js";
import { linkSize, showBusy, showHint, showSize } from "./dock.js";
import { Editor } from "./editor.js";
import { download, maskActions, openPhoto, showSamples, takeFiles } from "./files.js";
import { Input } from "./input.js";
import { listenToKeys, showShortcuts } from "./keys.js";
import { complain, find, icon, make, menu, notify, warn } from "./notices.js";
import { showMethods, showSteps } from "./panel.js";
import { Scene } from "./scene.js";
import { keep, otherLanguage, recall, startLanguage, text } from "./texts.js";
import { TOOLS, Tools } from "./tools.js";
import { View } from "./view.js";

const THEME = "gatefill-theme";
const FORMATS = { jpg: "JPEG", jpeg: "JPEG", png: "PNG", webp: "WebP", tif: "TIFF", tiff: "TIFF", bmp: "BMP",
  avif: "AVIF",
};

const editor = new Editor();
const tools = new Tools(editor);
const scene = new Scene(editor, tools);
const stage = find("stage");
const view = new View(stage, find("photo"), find("marks"), {
  photo: (context) => scene.photo(context, view),
  marks: (context) => scene.marks(context, view),
});
const input = new Input(stage, view, tools, () => editor.isOpen && scene.compare === null);
let methods = [];

// The stage

input.onhover = (at) => {
  scene.hover = at;
  const before = scene.look, now = scene.lookAt(view);
  if (before || now) showHint(editor, tools, now);
  view.refresh("marks");
};

view.onchange = () => {
  find("zoom-level").textContent = `${Math.round(view.scale * 100)} %`;
};

editor.addEventListener("draw", () => view.refresh("photo", "marks"));
editor.addEventListener("busy", () => {
  showBusy(editor);
  showHint(editor, tools, scene.look);
  view.refresh("marks");
});
editor.addEventListener("open", () => {
  document.body.classList.remove("empty");
  find("welcome").hidden = true;
  find("marks").hidden = false;
  compare(false);
  const { width, height } = editor.picture;
  // A brush that looks the same on photos of all sizes
  tools.resize(Math.sqrt(width * height) / 22);
  tools.choose("brush");
  requestAnimationFrame(() => view.show(editor.picture));
});
editor.addEventListener("change", () => showState());

function showState() {
  view.refresh();
  showSteps(editor);
  showHint(editor, tools, scene.look);
  find("undo").disabled = !editor.history.canUndo;
  find("redo").disabled = !editor.history.canRedo;
  find("compare").disabled = !editor.fills.length;
  if (!editor.fills.length) compare(false);
  if (!editor.isOpen) return;
  const { name } = editor.source;
  const { width, height } = editor.picture;
  find("file").textContent = `${name} · ${width} × ${height}`;
  const format = FORMATS[name.split(".").pop().toLowerCase()] ?? "PNG";
  find("download-same").textContent = text("downloadSame", { format });
}

// Tools

function showTools() {
  for (const button of find("tools").querySelectorAll("[role=radio]")) {
    const isChosen = button.dataset.tool === tools.name;
    button.setAttribute("aria-checked", String(isChosen));
    button.tabIndex = isChosen ? 0 : -1;
  }
  stage.classList.toggle("grab", tools.name === "hand");
  stage.classList.toggle("cross", tools.name === "look");
  showSize(tools);
  scene.lookAt(view);
  showHint(editor, tools, scene.look);
  view.refresh("marks");
}

function makeTools() {
  const buttons = Object.entries(TOOLS).map(([name, key]) => {
    const button = make(
      "button",
      { class: "plain", role: "radio", "data-tool": name, "data-label": name, "data-key": key.toUpperCase() },
      icon(name),
    );
    button.addEventListener("click", () => tools.choose(name));
    return button;
  });
  find("tools").append(...buttons.slice(0, 5), make("span", { class: "gap" }), ...buttons.slice(5));
  find("tools").addEventListener("keydown", (event) => {
    const way = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!way) return;
    event.preventDefault();
    const at = buttons.findIndex((button) => button.dataset.tool === tools.name);
    const next = buttons[(at + way + buttons.length) % buttons.length];
    tools.choose(next.dataset.tool);
    next.focus();
  });
}

tools.onchange = showTools;

// Commands, for buttons and keys alike

async function fill() {
  if (!editor.isOpen || editor.busy) return;
  compare(false);
  if (!editor.mask.bounds()) {
    notify(text("paintFirst"));
    return;
  }
  try {
    const before = editor.fills.length;
    const warnings = await editor.fill();
    if (warnings === null) notify(text("canceled"));
    else if (editor.fills.length > before) {
      const seconds = editor.fills.at(-1).seconds.toFixed(1);
      find("hint").textContent = text("filled", { seconds });
    }
    for (const warning of warnings ?? []) warn(warning);
  } catch (error) {
    complain(error);
  }
}

function compare(on = scene.compare === null) {
  const shown = on && editor.fills.length > 0;
  scene.compare = shown ? Number(find("compare-slider").value) / 100 : null;
  find("divider").hidden = !shown;
  find("divider").style.setProperty("--share", `${(scene.compare ?? 0) * 100}%`);
  find("compare").setAttribute("aria-pressed", String(Boolean(shown)));
  if (shown) find("compare-slider").focus();
  view.refresh();
}

function showPanel(shown) {
  find("panel").classList.toggle("shown", shown);
  find("panel-toggle").setAttribute("aria-expanded", String(shown));
}

function switchTheme() {
  const isDark = document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = isDark ? "light" : "dark";
  keep(THEME, document.documentElement.dataset.theme);
  view.refresh();
}

function movePointer(across, down) {
  if (!editor.isOpen) return;
  const box = stage.getBoundingClientRect();
  const from = scene.hover ?? { x: box.width / 2, y: box.height / 2 };
  input.onhover({
    x: Math.min(Math.max(from.x + across, 0), box.width),
    y: Math.min(Math.max(from.y + down, 0), box.height),
  });
}

function dab() {
  if (!editor.isOpen || editor.busy || !scene.hover || tools.width === null) return;
  tools.down(view.toPhoto(scene.hover), false);
  tools.up();
}

const mask = maskActions(editor);
const commands = {
  ...mask, fill, movePointer, dab,
  undo: () => editor.undo(),
  redo: () => editor.redo(),
  compare: () => compare(),
  download: () => editor.isOpen && download(editor, "same"),
  open: () => find("file-input").click(),
  help: () => find("help-dialog").showModal(),
  tool: (name) => tools.choose(name),
  smaller: () => tools.step(-1),
  larger: () => tools.step(1),
  fit: () => view.fit(),
  actualSize: () => view.actualSize(),
  zoomIn: () => view.zoom(1.4),
  zoomOut: () => view.zoom(1 / 1.4),
  escape: () => {
    if (editor.busy) editor.cancel();
    tools.cancel();
    showPanel(false);
    if (scene.compare !== null) compare(false);
    view.refresh();
  },
};

function linkButtons() {
  const click = (id, command) => find(id).addEventListener("click", command);
  click("undo", commands.undo);
  click("redo", commands.redo);
  click("compare", commands.compare);
  click("help", commands.help);
  click("fill", fill);
  click("cancel", () => editor.cancel());
  click("zoom-in", commands.zoomIn);
  click("zoom-out", commands.zoomOut);
  click("fit", commands.fit);
  click("theme", switchTheme);
  click("download-same", () => download(editor, "same"));
  click("download-png", () => download(editor, "png"));
  click("panel-toggle", () => showPanel(!find("panel").classList.contains("shown")));
  click("language", () => {
    otherLanguage();
    showWords();
  });
  for (const button of document.querySelectorAll("[data-mask]")) {
    button.addEventListener("click", mask[button.dataset.mask]);
  }
  menu(find("download"), find("download-menu"));
  menu(find("mask-menu-toggle"), find("mask-menu"));
  find("compare-slider").addEventListener("input", () => compare(true));
  stage.addEventListener("pointerdown", () => {
    showPanel(false);
    find("marks").classList.add("by-pointer");
    find("marks").focus({ preventScroll: true });
  });
  find("marks").addEventListener("blur", (event) => event.target.classList.remove("by-pointer"));
}

/** Words that depend on the state, after the language has changed. */
function showWords() {
  showShortcuts();
  showMethods(editor, methods);
  showState();
}

async function start() {
  const theme = recall(THEME);
  if (theme) document.documentElement.dataset.theme = theme;
  makeTools();
  showSamples(editor);
  startLanguage();
  linkButtons();
  linkSize(tools);
  takeFiles(editor);
  listenToKeys(commands, input);
  showTools();
  showShortcuts();
  find("stays").hidden = !/^(localhost|127\.|\[::1\])/.test(location.hostname);
  try {
    const known = await api.methods();
    methods = known.methods;
    editor.models = known.models;
    editor.model = known.models.find((model) => model.chosen) ?? known.models[0];
    showWords();
    const file = await api.openedFile();
    if (file) await openPhoto(editor, file);
  } catch (error) {
    complain(error);
  }
  document.body.dataset.ready = "yes";
}

start();
