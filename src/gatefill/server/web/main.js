/** The page put together: the editor's state, the stage, the panel, the dock and the keys. */

import * as api from "./api.js";
import { THEME, makeCommands } from "./commands.js";
import { Autosave } from "./autosave.js";
import { askToken, linkClosing } from "./dialogs.js";
import { linkSize, showBusy, showHint } from "./dock.js";
import { Editor } from "./editor.js";
import { openPhoto, showSamples, takeFiles } from "./files.js";
import { Input } from "./input.js";
import { listenToKeys, showShortcuts } from "./keys.js";
import { Kept } from "./kept.js";
import { complain, find, menu, notify } from "./notices.js";
import { selectObject } from "./object.js";
import { linkOptions } from "./options.js";
import { linkPalette, showTools } from "./palette.js";
import { showMethods, showSteps } from "./panel.js";
import { showResults } from "./results.js";
import { Scene } from "./scene.js";
import { showStrip } from "./strip.js";
import { otherLanguage, recall, startLanguage, text } from "./texts.js";
import { Tools } from "./tools.js";
import { View } from "./view.js";

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
const autosave = new Autosave(editor, await Kept.open());
const commands = makeCommands({ editor, tools, scene, view, input, autosave });
const options = linkOptions(editor);
commands.language = () => {
  otherLanguage();
  showWords();
};
let methods = [];
let isSized = false; // whether the brush fits the photos

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
  if (!editor.busy) fillAtOnce();
  showBusy(editor);
  showHint(editor, tools, scene.look);
  view.refresh("marks");
});
editor.addEventListener("open", () => {
  const { isOpen } = editor;
  document.body.classList.toggle("empty", !isOpen);
  find("welcome").hidden = isOpen;
  find("marks").hidden = !isOpen;
  commands.compare(false);
  tools.cancel();
  if (!isOpen) return;
  const { width, height } = editor.photo;
  // A brush that looks the same on photos of all sizes
  if (!isSized) tools.resize(Math.sqrt(width * height) / 22);
  isSized = true;
  requestAnimationFrame(() => view.show({ width, height }));
});
editor.addEventListener("photos", () => showStrip(editor, (ids) => autosave.forget(ids)));
editor.addEventListener("change", () => showState());

function showState() {
  view.refresh();
  showSteps(editor);
  showResults(editor);
  showHint(editor, tools, scene.look);
  find("undo").disabled = !editor.history?.canUndo;
  find("redo").disabled = !editor.history?.canRedo;
  find("compare").disabled = find("hold").disabled = !editor.fills.length;
  if (!editor.fills.length) commands.compare(false);
  if (!editor.isOpen) {
    find("file").textContent = "";
    return;
  }
  const { name, width, height } = editor.photo;
  find("file").textContent = `${name} · ${width} × ${height}`;
  const format = FORMATS[name.split(".").pop().toLowerCase()] ?? "PNG";
  find("download-same").textContent = text("downloadSame", { format });
}

/** Fill what was painted, if that is chosen; also what was painted while a fill ran. */
function fillAtOnce() {
  const { photo, busy } = editor;
  if (options.atOnce && !busy && !editor.jobs.failed && photo?.isPainted("mask") && !tools.isDrawing) commands.fill();
}

tools.ondone = () => {
  editor.jobs.failed = false;
  if (["brush", "box", "lasso"].includes(tools.name) && !tools.erasing) fillAtOnce();
};

tools.onobject = (path, erases) => selectObject(editor, path, erases);

tools.onchange = () => {
  showTools(tools);
  scene.lookAt(view);
  showHint(editor, tools, scene.look);
  view.refresh("marks");
};

function linkButtons() {
  for (const button of document.querySelectorAll("[data-command]")) {
    button.addEventListener("click", () => commands[button.dataset.command]());
  }
  const hold = find("hold");
  hold.addEventListener("pointerdown", () => commands.hold(true));
  for (const name of ["pointerup", "pointercancel", "pointerleave", "blur"]) {
    hold.addEventListener(name, () => commands.hold(false));
  }
  linkClosing();
  menu(find("download"), find("download-menu"));
  menu(find("mask-menu-toggle"), find("mask-menu"));
  find("compare-slider").addEventListener("input", () => commands.compare(true));
  stage.addEventListener("pointerdown", () => {
    commands.showPanel(false);
    find("marks").classList.add("by-pointer");
    find("marks").focus({ preventScroll: true });
  });
  find("marks").addEventListener("blur", (event) => event.target.classList.remove("by-pointer"));
}

/** Words that depend on the state, after the language has changed. */
function showWords() {
  showShortcuts();
  showMethods(editor, methods);
  showStrip(editor, (ids) => autosave.forget(ids));
  showState();
}

async function start() {
  const theme = recall(THEME);
  if (theme) document.documentElement.dataset.theme = theme;
  linkPalette(tools);
  showSamples(editor);
  startLanguage();
  linkButtons();
  linkSize(tools);
  takeFiles(editor);
  listenToKeys(commands, input);
  showTools(tools);
  showShortcuts();
  api.onToken(askToken);
  find("stays").hidden = !/^(localhost|127\.|\[::1\])/.test(location.hostname);
  try {
    const count = await autosave.restore();
    if (count) notify(text("restored", { count }));
  } catch (error) {
    complain(error);
  }
  showStrip(editor, (ids) => autosave.forget(ids));
  try {
    const known = await api.methods();
    methods = known.methods;
    editor.models = known.models;
    editor.model = known.models.find((model) => model.chosen) ?? known.models[0];
    showWords();
    const file = await api.openedFile();
    const same = file && (await editor.find(file));
    if (same) await editor.select(same);
    else if (file) await openPhoto(editor, file);
  } catch (error) {
    complain(error);
  }
  document.body.dataset.ready = "yes";
}

start();
