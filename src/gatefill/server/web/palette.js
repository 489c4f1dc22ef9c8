/** The tools as buttons. */

import { showSize } from "./dock.js";
import { find, icon, make } from "./notices.js";
import { TOOLS } from "./tools.js";

/** @typedef {import("./tools.js").Tools} Tools */

const GAPS = ["sketch", "look"]; // tools before which a line stands

/** @param {Tools} tools */
export function linkPalette(tools) {
  const buttons = Object.entries(TOOLS).map(([name, key]) => {
    const button = make(
      "button",
      { class: "plain", role: "radio", "data-tool": name, "data-label": name, "data-key": key.toUpperCase() },
      icon(name),
    );
    button.addEventListener("click", () => tools.choose(name));
    return button;
  });
  for (const button of buttons) {
    if (GAPS.includes(button.dataset.tool)) find("tools").append(make("span", { class: "gap" }));
    find("tools").append(button);
  }
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

/** @param {Tools} tools */
export function showTools(tools) {
  for (const button of find("tools").querySelectorAll("[role=radio]")) {
    const isChosen = button.dataset.tool === tools.name;
    button.setAttribute("aria-checked", String(isChosen));
    button.tabIndex = isChosen ? 0 : -1;
  }
  find("stage").classList.toggle("grab", tools.name === "hand");
  find("stage").classList.toggle("cross", ["look", "object"].includes(tools.name));
  showSize(tools);
}
