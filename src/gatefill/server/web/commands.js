/** What buttons and keys do. */

import { ask } from "./dialogs.js";
import { copy, download, linkDownloads } from "./download.js";
import { linkExtending } from "./extend.js";
import { maskActions } from "./files.js";
import { complain, find, notify, warn } from "./notices.js";
import { select } from "./object.js";
import { TOGETHER, fillDialog } from "./results.js";
import { keep, text } from "./texts.js";

export const THEME = "gatefill-theme";

/**
 * @param {{editor: import("./editor.js").Editor, tools: import("./tools.js").Tools,
 *   scene: import("./scene.js").Scene, view: import("./view.js").View,
 *   input: import("./input.js").Input, autosave: import("./autosave.js").Autosave}} parts
 * @returns {Record<string, (...values) => void>} By name.
 */
export function makeCommands({ editor, tools, scene, view, input, autosave }) {
  /** Run a fill and tell how it went. @param {() => Promise<object|null>} work */
  async function told(work) {
    try {
      const found = await work();
      if (found === null) notify(text("canceled"));
      else find("hint").textContent = text("filled", { seconds: found.result.seconds.toFixed(1) });
      for (const warning of found?.warnings ?? []) warn(warning);
    } catch (error) {
      complain(error);
    }
  }

  async function fill() {
    if (!editor.isOpen || editor.busy || tools.isDrawing) return;
    compare(false);
    if (!editor.layers.mask.bounds()) notify(text("paintFirst"));
    else await told(() => editor.jobs.fill());
  }

  async function another() {
    if (!editor.photo?.lastFill || editor.busy || tools.isDrawing) return;
    compare(false);
    await told(() => editor.jobs.another());
  }

  /** Show several results side by side, and make those that are not there yet. */
  async function more() {
    const { photo } = editor;
    if (!photo?.lastFill || editor.busy || tools.isDrawing) return;
    compare(false);
    const dialog = find("results-dialog");
    await fillDialog(editor);
    dialog.showModal();
    dialog.addEventListener("close", () => editor.cancel(), { once: true });
    const wanted = Math.max(TOGETHER, photo.lastFill.fill.results.length + 1);
    while (dialog.open && photo.lastFill.fill.results.length < wanted) {
      try {
        if ((await editor.jobs.another()) === null) break;
      } catch (error) {
        dialog.close();
        complain(error);
      }
    }
  }

  /** Show the opened photo for as long as a key or button is held. */
  function hold(on) {
    if (scene.holding === on || !editor.isOpen) return;
    scene.holding = on;
    find("hold").setAttribute("aria-pressed", String(on));
    view.refresh();
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

  function showPanel(shown = !find("panel").classList.contains("shown")) {
    find("panel").classList.toggle("shown", shown);
    find("panel-toggle").setAttribute("aria-expanded", String(shown));
  }

  function theme() {
    const { dataset } = document.documentElement;
    const isDark = dataset.theme
      ? dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    dataset.theme = isDark ? "light" : "dark";
    keep(THEME, dataset.theme);
    view.refresh();
  }

  function movePointer(across, down) {
    if (!editor.isOpen) return;
    const box = find("stage").getBoundingClientRect();
    const from = scene.hover ?? { x: box.width / 2, y: box.height / 2 };
    input.onhover({
      x: Math.min(Math.max(from.x + across, 0), box.width),
      y: Math.min(Math.max(from.y + down, 0), box.height),
    });
  }

  function dab() {
    if (!editor.isOpen || !scene.hover || tools.width === null) return;
    tools.down(view.toPhoto(scene.hover), false);
    tools.up();
  }

  /** Close all photos, and delete what this browser keeps. */
  async function forget() {
    if (!(await ask(text("forgetQuestion"), text("forgetYes")))) return;
    editor.cancel();
    while (editor.slots.length) await editor.close(editor.slots[0]);
    await autosave.forget();
    notify(text("forgotten"));
  }

  return {
    ...maskActions(editor),
    fill, another, more, hold, compare, showPanel, theme, movePointer, dab, forget,
    extend: linkExtending(editor, fill),
    selectPeople: () => select(editor, "people"),
    selectText: () => select(editor, "text"),
    selectDust: () => select(editor, "dust"),
    undo: () => editor.undo(),
    redo: () => editor.redo(),
    cancel: () => editor.cancel(),
    download: () => download(editor, "same"),
    downloadPng: () => download(editor, "png"),
    downloadAs: linkDownloads(editor),
    copy: () => copy(editor),
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
      if (tools.isDrawing) tools.cancel();
      else if (editor.busy) editor.cancel();
      showPanel(false);
      if (scene.compare !== null) compare(false);
      view.refresh();
    },
  };
}
