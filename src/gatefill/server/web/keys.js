/** Keyboard shortcuts, and the list of them. */

import { find, make } from "./notices.js";
import { keyName, text } from "./texts.js";
import { TOOLS } from "./tools.js";

/** Steps of the pointer with arrow keys, CSS pixels. */
const STEP = 8, LONG_STEP = 40;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * @param {Record<string, () => void>} commands By name; see `keyed` for who calls which.
 * @param {import("./input.js").Input} input
 */
export function listenToKeys(commands, input) {
  const tools = Object.fromEntries(Object.entries(TOOLS).map(([name, key]) => [key, name]));
  const keyed = {
    "?": commands.help, "[": commands.smaller, "]": commands.larger, "0": commands.fit,
    "1": commands.actualSize, "+": commands.zoomIn, "=": commands.zoomIn, "-": commands.zoomOut,
    c: commands.compare, v: commands.another, i: commands.invert, g: commands.grow, Delete: commands.clear,
    Backspace: commands.clear, Enter: commands.fill, Escape: commands.escape, x: commands.dab,
  };
  const withControl = {
    z: commands.undo, y: commands.redo, s: commands.download, o: commands.open,
  };

  document.addEventListener("keydown", (event) => {
    const { target } = event;
    const typing = target.closest("dialog[open], input[type=text], textarea");
    if (typing || document.querySelector("dialog[open]")) return;
    const key = keyOf(event);
    // While a stroke is drawn nothing else may change the photo.
    if (input.drawing !== null && !["Escape", "[", "]"].includes(key)) {
      event.preventDefault();
      return;
    }
    const onControl = target.closest("button, a, input, [role=radio]");
    if (event.ctrlKey || event.metaKey) {
      const command = event.shiftKey && key === "z" ? commands.redo : withControl[key];
      if (!command) return;
      event.preventDefault();
      command();
    } else if (key === " " && !onControl) {
      event.preventDefault();
      input.holdSpace(true);
    } else if (ARROWS[key] && !onControl) {
      event.preventDefault();
      const [across, down] = ARROWS[key], step = event.shiftKey ? LONG_STEP : STEP;
      commands.movePointer(across * step, down * step);
    } else if (!event.altKey) {
      // Enter on a button presses the button.
      if (onControl && (key === "Enter" || key === " " || ARROWS[key])) return;
      if (key === "o") {
        commands.hold(true);
        return;
      }
      const shifted = event.shiftKey && key === "g" ? commands.shrink : keyed[key];
      if (shifted) {
        event.preventDefault();
        shifted();
      } else if (tools[key]) commands.tool(tools[key]);
    }
  });
  document.addEventListener("keyup", (event) => {
    if (event.key === " ") input.holdSpace(false);
    if (keyOf(event) === "o") commands.hold(false);
  });
  window.addEventListener("blur", () => {
    input.holdSpace(false);
    commands.hold(false);
  });
}

/** The key; by its place on the keyboard where a layout or an input method has no Latin letters. */
function keyOf({ key, code }) {
  const letter = /^Key[A-Z]$/.test(code) && !/^[ -~]$/.test(key) ? code.at(-1) : key;
  return letter.length === 1 ? letter.toLowerCase() : letter;
}

/** Fill the dialog's list. */
export function showShortcuts() {
  const rows = [
    ...Object.entries(TOOLS).map(([name, key]) => [[key.toUpperCase()], text(name)]),
    [["[", "]"], text("keyBrackets")],
    [[text("keyShiftWheel")], text("keyBrackets")],
    [["Alt"], text("keyAlt")],
    [["Enter"], text("fill")],
    [["Esc"], text("keyEscape")],
    [["Ctrl+Z", "Ctrl+Shift+Z"], `${text("undo")}, ${text("redo")}`],
    [["C"], text("compare")],
    [["O"], text("hold")],
    [["V"], text("another")],
    [["Shift"], text("keyStraight")],
    [["I"], text("invert")],
    [["G", "Shift+G"], `${text("grow")}, ${text("shrink")}`],
    [["Del"], text("clear")],
    [[text("keyWheel")], text("keyWheelHelp")],
    [["Space"], text("keySpace")],
    [["0", "1", "+", "−"], text("keyZoom")],
    [[text("keyArrows")], text("keyArrowsHelp")],
    [["Ctrl+O", "Ctrl+S"], `${text("openPhoto")}, ${text("download")}`],
  ];
  const items = rows.flatMap(([keys, meaning]) => [
    make("dt", {}, ...keys.flatMap((key, index) => [index ? " " : "", make("kbd", {}, keyName(key))])),
    make("dd", {}, meaning),
  ]);
  find("shortcuts").replaceChildren(...items);
}
