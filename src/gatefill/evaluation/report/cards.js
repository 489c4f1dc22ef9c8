// The cards with pictures; page.js holds what they share.

function card(item) {
  const sides = ["truth", "given", ...labels.filter((label) => item.pictures[label])];
  const name = (side) => ({ truth: "truth", given: "with the hole" })[side] ?? side;
  const state = { left: "given", right: sides[2] ?? "truth" };
  const [under, over] = [element("img", { alt: "" }), element("img", { alt: "", class: "top" })];
  const [leftName, rightName] = [element("span", { class: "left" }), element("span", { class: "right" })];
  const slider = element("input", { type: "range", min: 0, max: 100, value: 50, step: 0.5,
    "aria-label": "How much of the left picture is seen" });
  const view = element("div", { class: "view", style: "--at:50%" },
    under, over, element("div", { class: "bar" }), leftName, rightName, slider);
  slider.oninput = () => view.style.setProperty("--at", `${slider.value}%`);
  const select = element("select", { "aria-label": "Left picture" },
    ...sides.map((side) => element("option", { value: side }, name(side))));
  select.value = state.left;
  const buttons = sides.slice(2).concat("truth").map((side) => {
    const value = item.values[side];
    const button = element("button", { type: "button", title: name(side) },
      element("img", { alt: name(side), src: item.pictures[side] }),
      name(side), element("br"), value === undefined || value === null ? "" : `${value.toFixed(2)} %`);
    button.onclick = () => { state.right = side; draw(); };
    return [side, button];
  });
  const draw = () => {
    under.src = item.pictures[state.left];
    over.src = item.pictures[state.right];
    [under.alt, over.alt] = [name(state.left), name(state.right)];
    [leftName.textContent, rightName.textContent] = [name(state.left), name(state.right)];
    for (const [side, button] of buttons) button.setAttribute("aria-pressed", side === state.right);
  };
  select.onchange = () => { state.left = select.value; draw(); };
  draw();
  view.style.aspectRatio = `${item.width} / ${item.height}`;
  const share = `${(100 * item.share).toFixed(1)} %`;
  return element("figure", { class: "card", "data-tags": JSON.stringify(item.tags) }, view,
    element("figcaption", {}, `${item.photo}, ${maskName(item.mask)}, hole ${share}`,
      element("div", { class: "tags" }, item.tags.join(", "))),
    element("div", { class: "strip" }, ...buttons.map(([, button]) => button)),
    element("div", { class: "strip" }, element("label", { class: "faint" }, "left: ", select)));
}

function drawPictures() {
  const cards = data.pictures.map(card);
  byId("cards").replaceChildren(...cards);
  const tags = [...new Set(data.pictures.flatMap((item) => item.tags))].sort(
    (one, other) => (other === "sample") - (one === "sample") || one.localeCompare(other));
  const select = element("select", {}, element("option", { value: "" }, `all ${cards.length}`),
    ...tags.map((tag) => element("option", { value: tag }, tag === "sample" ? "samples" : tag)));
  select.onchange = () => {
    for (const node of cards) {
      node.hidden = select.value !== "" && !JSON.parse(node.dataset.tags).includes(select.value);
      node.style.display = node.hidden ? "none" : "";
    }
  };
  if (tags.includes("sample")) select.value = "sample";
  select.onchange();
  byId("filters").replaceChildren(element("label", {}, "Show ", select));
}
