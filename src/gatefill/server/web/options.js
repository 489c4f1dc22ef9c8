/** What is chosen in the panel and kept in the browser: filling at once, the soft edge. */

import { find } from "./notices.js";
import { keep, recall } from "./texts.js";

const AT_ONCE = "gatefill-at-once", SOFT_EDGE = "gatefill-soft-edge";

/**
 * @param {import("./editor.js").Editor} editor
 * @returns {{atOnce: boolean}} atOnce: whether a hole is filled as soon as the brush is lifted.
 */
export function linkOptions(editor) {
  const options = { atOnce: recall(AT_ONCE) === "yes" };
  find("at-once").checked = options.atOnce;
  find("at-once").addEventListener("change", ({ target }) => {
    options.atOnce = target.checked;
    keep(AT_ONCE, target.checked ? "yes" : "no");
  });
  const feather = () => {
    editor.jobs.feather = Number(find("soft-edge").value);
    find("soft-edge-value").textContent = `${editor.jobs.feather} px`;
  };
  find("soft-edge").value = Number(recall(SOFT_EDGE)) || 0;
  feather();
  find("soft-edge").addEventListener("input", ({ target }) => {
    feather();
    keep(SOFT_EDGE, target.value);
  });
  return options;
}
