const data = JSON.parse(document.getElementById("data").textContent);
const metricNamed = Object.fromEntries(data.metrics.map((metric) => [metric.name, metric]));
const labels = data.methods.map((method) => method.label);
const choice = { mask: "all", metric: "hole_l1" };

// Small helpers. Texts go in as text, never as HTML: photos may be called anything.

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in node && typeof value === "function") node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function drawn(name, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

const byId = (id) => document.getElementById(id);
const color = (label) => `var(--m${labels.indexOf(label) % 8})`;
const dot = (label) => element("span", { class: "dot", style: `background:${color(label)}` });
const maskName = (mask) => (mask === "all" ? "all kinds" : mask.replaceAll("_", " "));
const binName = (bin) => (bin === "all" ? "all" : `${bin.replace("-", "–")} %`);

function shown(value, metric, signed = false) {
  if (value === null || value === undefined) return "–";
  const text = Math.abs(value).toFixed(metric.unit ? 2 : 4);
  const zero = Number(text) === 0;
  return (value < 0 && !zero ? "−" : signed && !zero ? "+" : "") + text;
}

function range(item, metric, signed = false) {
  if (item.low === null) return "one photo";
  const between = signed ? " to " : "–";
  return shown(item.low, metric, signed) + between + shown(item.high, metric, signed);
}

function heading(metric) {
  const arrow = { lower: "lower is better", higher: "higher is better", neither: "like the truth" };
  const unit = metric.unit ? `${metric.unit}, ` : "";
  return [metric.title, element("small", {}, unit + arrow[metric.better])];
}

// Means by mask, bin, method and metric.
const means = new Map();
const place = (mask, bin, method, metric) => JSON.stringify([mask, bin, method, metric]);
for (const item of data.summary) {
  means.set(place(item.mask, item.bin, item.method, item.metric), item);
}
const mean = (bin, method, metric) => means.get(place(choice.mask, bin, method, metric));
const maskKinds = [...new Set(data.summary.map((item) => item.mask))];
const usedMetrics = data.metrics.filter((metric) =>
  data.summary.some((item) => item.metric === metric.name));

function bestOf(values, better) {
  const there = values.filter((value) => value !== null && value !== undefined);
  if (!there.length || better === "neither") return null;
  return better === "lower" ? Math.min(...there) : Math.max(...there);
}

// A table whose rows can be sorted by the numbers (or texts) in `data-value` of their cells.
function fillTable(id, head, rows, foot = []) {
  const table = byId(id);
  const kept = table.dataset.sorted ? JSON.parse(table.dataset.sorted) : null;
  const body = element("tbody", {}, ...rows);
  const sortBy = (column, down) => {
    const value = (row) => row.children[column].dataset.value;
    const order = [...body.children].filter((row) => !row.classList.contains("truth"));
    order.sort((one, other) => {
      const [first, second] = [value(one), value(other)];
      if (first === "" || second === "") return (first === "") - (second === "");
      const gap = isNaN(first) || isNaN(second) ? first.localeCompare(second) : first - second;
      return down ? -gap : gap;
    });
    body.prepend(...order);
    [...table.tHead.rows[0].children].forEach((cell, index) => {
      if (index === column) cell.setAttribute("aria-sort", down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
    table.dataset.sorted = JSON.stringify([column, down]);
  };
  const cells = head.map((content, column) => {
    const button = element("button", { type: "button" }, ...[content].flat().slice(0, 1));
    const cell = element("th", { scope: "col" }, button, ...[content].flat().slice(1));
    if (rows[0]?.children[column].classList.contains("text")) cell.className = "text";
    button.onclick = () => sortBy(column, cell.getAttribute("aria-sort") === "ascending");
    return cell;
  });
  body.append(...foot);
  table.replaceChildren(element("thead", {}, element("tr", {}, ...cells)), body);
  if (kept && kept[0] < head.length) sortBy(...kept);
}

const cell = (value, ...content) => element("td", { "data-value": value ?? "" }, ...content);
const methodCell = (label) =>
  element("th", { scope: "row", "data-value": label, class: "text" }, dot(label), label);

function drawErrors() {
  const best = Object.fromEntries(usedMetrics.map((metric) => [metric.name,
    bestOf(labels.map((label) => mean("all", label, metric.name)?.mean), metric.better)]));
  const fid = Object.fromEntries(data.sets.filter((item) => item.mask === choice.mask)
    .map((item) => [item.method, item]));
  const bestFid = bestOf(Object.values(fid).map((item) => item.value), "lower");
  const rows = labels.map((label) => {
    const cells = usedMetrics.map((metric) => {
      const item = mean("all", label, metric.name);
      if (!item) return cell("", "–");
      const node = cell(item.mean, shown(item.mean, metric),
        element("small", {}, range(item, metric)));
      if (item.mean === best[metric.name]) node.className = "best";
      return node;
    });
    if (data.sets.length) {
      const node = cell(fid[label]?.value, fid[label] ? fid[label].value.toFixed(1) : "–");
      if (fid[label] && fid[label].value === bestFid) node.className = "best";
      cells.push(node);
    }
    const filled = mean("all", label, "hole_l1")?.cases ?? 0;
    return element("tr", {}, methodCell(label), ...cells, cell(filled, String(filled)));
  });
  const variations = data.truth_tv[choice.mask];
  const truth = element("tr", { class: "truth" },
    element("th", { scope: "row", class: "text" }, "the truth"),
    ...usedMetrics.map((metric) =>
      element("td", {}, metric.name === "tv" ? shown(variations, metric) : "")),
    ...(data.sets.length ? [element("td", {}, "")] : []), element("td", {}, ""));
  const set = data.sets.length ? [["FID", element("small", {}, "lower is better")]] : [];
  fillTable("error-table", ["Method", ...usedMetrics.map(heading), ...set, "Cases"], rows, [truth]);
}

function drawShares() {
  const metric = metricNamed[choice.metric];
  const bins = data.bins.filter((bin) => labels.some((label) => mean(bin, label, metric.name)));
  const series = labels.map((label) => ({
    label, points: bins.map((bin) => mean(bin, label, metric.name)),
  }));
  byId("plot").replaceChildren(plot(series, bins, metric));
  byId("legend").replaceChildren(
    ...labels.map((label) => element("span", {}, dot(label), label)));
  const rows = bins.map((bin) => {
    const items = labels.map((label) => mean(bin, label, metric.name));
    const best = bestOf(items.map((item) => item?.mean), metric.better);
    const count = Math.max(...items.map((item) => item?.cases ?? 0));
    return element("tr", {},
      element("th", { scope: "row", "data-value": parseInt(bin, 10) }, binName(bin)),
      ...items.map((item) => {
        if (!item) return cell("", "–");
        const node = cell(item.mean, shown(item.mean, metric),
          element("small", {}, range(item, metric)));
        if (item.mean === best) node.className = "best";
        return node;
      }),
      cell(count, String(count)));
  });
  fillTable("share-table", ["Hole share", ...labels, "Cases"], rows);
}

// Round values for the ticks of an axis.
function ticks(low, high) {
  const rough = (high - low) / 5 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step / 1e6; value += step) {
    found.push(Number(value.toPrecision(10)));
  }
  return found;
}

function plot(series, bins, metric) {
  const size = { width: 860, height: 340, left: 62, right: 16, top: 14, bottom: 50 };
  const all = series.flatMap(({ points }) => points.filter(Boolean))
    .flatMap((point) => [point.mean, point.low ?? point.mean, point.high ?? point.mean]);
  let [low, high] = [Math.min(...all), Math.max(...all)];
  if (metric.better !== "higher") low = Math.min(low, 0);
  const room = (high - low || 1) * 0.05;
  [low, high] = [low === 0 ? 0 : low - room, high + room];
  const inner = size.width - size.left - size.right;
  const x = (index, shift = 0) => size.left + (inner * (index + 0.5)) / bins.length + shift;
  const y = (value) => size.height - size.bottom -
    ((value - low) / (high - low)) * (size.height - size.top - size.bottom);
  const svg = drawn("svg", { viewBox: `0 0 ${size.width} ${size.height}`, role: "img" },
    drawn("title", {}, `${metric.title} against hole share`));
  for (const value of ticks(low, high)) {
    svg.append(
      drawn("line", { class: "grid", x1: size.left, x2: size.width - size.right,
        y1: y(value), y2: y(value) }),
      drawn("text", { x: size.left - 8, y: y(value) + 4, "text-anchor": "end" }, String(value)));
  }
  bins.forEach((bin, index) => svg.append(drawn("text",
    { x: x(index), y: size.height - 28, "text-anchor": "middle" }, binName(bin))));
  svg.append(
    drawn("text", { x: size.left + inner / 2, y: size.height - 6, "text-anchor": "middle" },
      "hole share of the photo"),
    drawn("text", { transform: `translate(14 ${(size.height - size.bottom) / 2 + 7}) rotate(-90)`,
      "text-anchor": "middle" }, metric.title + (metric.unit ? `, ${metric.unit}` : "")));
  series.forEach(({ label, points }, number) => {
    const shift = (number - (series.length - 1) / 2) * 5;
    const there = points.map((point, index) => [point, index]).filter(([point]) => point);
    const line = there.map(([point, index]) => `${x(index, shift)},${y(point.mean)}`).join(" ");
    svg.append(drawn("polyline", { points: line, fill: "none", style: `stroke:${color(label)}`,
      "stroke-width": 2, "stroke-opacity": 0.75 }));
    for (const [point, index] of there) {
      if (point.low !== null) {
        svg.append(drawn("line", { x1: x(index, shift), x2: x(index, shift), y1: y(point.low),
          y2: y(point.high), style: `stroke:${color(label)}`, "stroke-width": 1.5 }));
      }
      svg.append(drawn("circle", { cx: x(index, shift), cy: y(point.mean), r: 4,
        style: `fill:${color(label)}` }, drawn("title", {},
        `${label}, ${binName(bins[index])}: ${shown(point.mean, metric)} ${metric.unit}, ` +
        `${point.cases} cases`)));
    }
  });
  return svg;
}

function drawPairs() {
  const metric = metricNamed[choice.metric];
  const found = {};
  for (const pair of data.pairs) {
    if (pair.mask !== choice.mask || pair.metric !== metric.name) continue;
    const turned = { ...pair, mean: -pair.mean, low: pair.high === null ? null : -pair.high,
      high: pair.low === null ? null : -pair.low };
    found[JSON.stringify([pair.a, pair.b])] = pair;
    found[JSON.stringify([pair.b, pair.a])] = turned;
  }
  const rows = labels.map((one) => element("tr", {}, methodCell(one), ...labels.map((other) => {
    const pair = found[JSON.stringify([one, other])];
    if (!pair) return cell("", one === other ? "" : "–");
    const node = cell(pair.mean, shown(pair.mean, metric, true),
      element("small", {}, range(pair, metric, true)));
    if (pair.better) node.className = pair.better === one ? "good" : "bad";
    return node;
  })));
  const unit = metric.unit ? `${metric.title}, ${metric.unit}` : metric.title;
  fillTable("pair-table", [unit, ...labels.map((label) => `less ${label}`)], rows);
}

function drawCases() {
  const metric = metricNamed[choice.metric];
  const inside = data.cases.filter((item) => choice.mask === "all" || item.mask === choice.mask);
  const rows = inside.map((item) => {
    const values = labels.map((label) => item.results[label]?.values?.[metric.name]);
    const best = bestOf(values, metric.better);
    return element("tr", {},
      element("td", { class: "text", "data-value": item.photo }, item.photo),
      cell(item.mask, maskName(item.mask)),
      cell(item.share, `${(100 * item.share).toFixed(1)} %`),
      ...values.map((value, index) => {
        const failed = item.results[labels[index]]?.failed;
        const node = cell(value, failed ? "failed" : shown(value, metric));
        if (failed) node.title = failed;
        if (value !== undefined && value !== null && value === best) node.className = "best";
        return node;
      }));
  });
  fillTable("case-table", ["Photo", "Mask", "Hole share", ...labels], rows);
  byId("cases-note").textContent = data.cases_in_all > data.cases.length
    ? `The first ${data.cases.length} of ${data.cases_in_all} cases; all are in results.csv.`
    : "Every photo with every mask; the same is in results.csv with all metrics.";
}

// The rest

function drawCost() {
  const run = data.run;
  byId("machine").textContent =
    `${run.processor}, ${run.cores} cores, ${run.system}, Python ${run.python}` +
    (run.threads ? `, OMP_NUM_THREADS=${run.threads}` : "") +
    ". Each method in a process of its own, one at a time, warm. Memory is the highest that the " +
    "whole process held, Python and libraries included; idle is before the method was loaded.";
  const mega = (bytes) => (bytes ? `${Math.round(bytes / 2 ** 20)}` : "–");
  const rows = run.timing.map((item) => element("tr", {}, methodCell(item.method),
    cell(item.median_seconds, item.median_seconds.toFixed(3)),
    cell(item.p90_seconds, item.p90_seconds.toFixed(3)),
    cell(item.total_seconds, item.total_seconds.toFixed(1)),
    cell(item.peak_bytes, mega(item.peak_bytes)), cell(item.idle_bytes, mega(item.idle_bytes))));
  fillTable("cost-table", ["Method", "Median, s", "90 % below, s", "All cases, s",
    "Peak memory, MiB", "Idle, MiB"], rows);
}

function drawProperties() {
  const yes = (has) => has === null ? cell(-1, "unknown") : cell(has ? 1 : 0, has ? "yes" : "no");
  const text = (value) => element("td", { class: "text", "data-value": value }, value);
  fillTable("property-table", ["Method", "Semantic", "Non-local", "Free-form", "User-guided",
    "Paper", "Version"], data.methods.map((method) => element("tr", {}, methodCell(method.label),
    yes(method.semantic), yes(method.non_local), yes(method.free_form), yes(method.user_guided),
    text(method.paper), text(method.version))));
}

function listed(title, lines) {
  return element("div", { class: "note" }, title,
    element("ul", {}, ...lines.map((line) => element("li", {}, line))));
}

function drawTexts() {
  const config = data.config;
  const photos = config.photos.length - data.problems.length;
  const size = config.size === "native" ? "their own size" : `${config.size} x ${config.size} pixels`;
  byId("about").textContent = `${photos} photos at ${size}, ${config.masks.length} kinds of masks ` +
    `(${config.masks.map(maskName).join(", ")}), ${data.cases_in_all} cases, seed ${config.seed}. ` +
    `gatefill ${config.gatefill}, ${data.run.written.slice(0, 10)}.`;
  byId("short").replaceChildren(...data.short.map((line) => element("li", {}, line)));
  byId("command").textContent = data.command;
  byId("definitions").replaceChildren(...usedMetrics.flatMap((metric) =>
    [element("dt", {}, metric.title), element("dd", {}, metric.definition)]));
  const notes = data.missing.map((line) => element("p", { class: "note" }, line));
  for (const method of data.methods.filter((item) => item.failures.length)) {
    notes.push(listed(`${method.label} failed on ${method.failures.length} cases, which its means ` +
      "leave out:", method.failures.slice(0, 50).map((item) =>
      `${item.photo}, ${maskName(item.mask)}: ${item.reason}`)));
  }
  byId("warnings").replaceChildren(...notes);
  if (data.problems.length) {
    byId("problems").replaceChildren(listed(`Files that took no part: ${data.problems.length}`,
      data.problems.map((item) => `${item.photo}: ${item.reason}`)));
  }
}

function drawChosen() {
  drawErrors(); drawShares(); drawPairs(); drawCases();
}

for (const select of document.querySelectorAll("select[data-choice]")) {
  const kind = select.dataset.choice;
  const options = kind === "mask" ? maskKinds.map((mask) => [mask, maskName(mask)])
    : usedMetrics.map((metric) => [metric.name, metric.title]);
  select.append(...options.map(([value, text]) => element("option", { value }, text)));
  select.value = choice[kind];
  select.onchange = () => {
    choice[kind] = select.value;
    for (const other of document.querySelectorAll(`select[data-choice=${kind}]`)) {
      other.value = select.value;
    }
    drawChosen();
  };
}
drawTexts(); drawChosen(); drawPictures(); drawCost(); drawProperties();
document.documentElement.dataset.ready = "yes";
