/** The panel beside the photo: methods with their properties, and the steps so far. */

import { find, icon, make } from "./notices.js";
import { chosen } from "./photo.js";
import { text } from "./texts.js";

/** @typedef {import("./editor.js").Editor} Editor */

const PROPERTIES = ["semantic", "non_local", "free_form", "user_guided"];

/** @param {Editor} editor @param {object[]} methods All methods there are. */
export function showMethods(editor, methods) {
  find("methods").replaceChildren(...editor.models.map((model) => card(editor, model)));
  const offered = new Set(editor.models.map((model) => model.name));
  const others = methods.filter((method) => !offered.has(method.name)).map((method) => method.title);
  find("more-methods").textContent = others.length
    ? text("needWeights", { names: others.join(", ") })
    : "";
}

function card(editor, model) {
  const input = make("input", {
    type: "radio", name: "model", value: model.model, checked: editor.model === model,
  });
  input.addEventListener("change", () => editor.choose(model.model));
  const properties = PROPERTIES.map((name) =>
    make(
      "li", { class: model[name] ? "yes" : "no", title: text(`${name}Help`) },
      ...(model[name] ? [icon("check")] : []),
      text(name),
      make("span", { class: "heard" }, `: ${text(model[name] ? "yes" : "no")}`),
    ),
  );
  return make(
    "label", { class: "method" }, input,
    make("b", {}, model.title),
    // What has no paper is described in the reader's language.
    make("small", {}, model.name === "hybrid" ? text("hybridIs") : model.paper),
    make("small", {}, model.weights ? text("weights", { name: model.weights }) : text("noWeights")),
    make("ul", {}, ...properties),
  );
}

/** @param {Editor} editor */
export function showSteps(editor) {
  const fills = editor.history?.fills() ?? [];
  const newest = editor.fills.length;
  const items = fills.map(({ fill, count, done }, index) => {
    const result = chosen(fill);
    const title = editor.models.find((model) => model.model === result.model)?.title ?? result.model;
    return step(
      editor, result.thumbnail, count, index + 1 === newest, done,
      text("step", { number: index + 1 }),
      text("stepHelp", { title, seconds: result.seconds.toFixed(1) }),
    );
  });
  if (editor.isOpen) {
    // Back to before the first fill; strokes painted for it stay.
    const first = fills.length ? fills[0].count && fills[0].count - 1 : editor.history.done;
    items.unshift(
      step(editor, editor.photo.firstThumbnail, first, newest === 0, true, text("original"), ""),
    );
  }
  find("steps").replaceChildren(...items);
  find("no-steps").hidden = fills.length > 0;
}

function step(editor, thumbnail, count, isCurrent, isDone, label, help) {
  const picture = document.createElement("canvas");
  picture.width = thumbnail.width;
  picture.height = thumbnail.height;
  picture.getContext("2d").drawImage(thumbnail, 0, 0);
  const button = make(
    "button", { "aria-current": isCurrent && "step", class: isDone ? "done" : "undone" },
    picture, label, ...(help ? [make("small", {}, help)] : []),
  );
  // Steps that were forgotten for want of memory are shown, but nothing leads back to them.
  button.disabled = count === null;
  if (button.disabled) button.title = text("tooOld");
  button.addEventListener("click", () => editor.goTo(count));
  return make("li", {}, button);
}
