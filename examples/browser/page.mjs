// Open, paint, fill, download. Nothing is sent anywhere.

import { Network, fill } from "./network.mjs";
import { text, translate } from "./texts.mjs";

const find = (id) => document.getElementById(id);
const photo = find("photo");
const marks = find("marks");
const ink = marks.getContext("2d", { willReadFrequently: true });
const history = []; // what fills replaced, each a list of parts
let name = "";
let painted = false;
let busy = false;

translate();
say(text("loading"));
const network = new Network();
network.ready.then(
  () => {
    say(text(photo.hidden ? "ready" : "paint"));
    document.body.dataset.ready = "";
    update();
  },
  (problem) => say(text("broken", { reason: problem.message })),
);
keepForOffline();

function say(words) {
  find("status").textContent = words;
}

function update() {
  find("fill").disabled = busy || !painted || !("ready" in document.body.dataset);
  find("undo").disabled = busy || !(painted || history.length);
  find("download").disabled = busy || photo.hidden;
  find("open").disabled = busy;
}

async function open(file) {
  if (busy) return;
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    say(text("unreadable", { name: file.name }));
    return;
  }
  for (const canvas of [photo, marks]) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
    canvas.hidden = false;
  }
  photo.getContext("2d", { willReadFrequently: true }).drawImage(bitmap, 0, 0);
  find("welcome").hidden = true;
  name = file.name.replace(/\.[^.]*$/, "");
  history.length = 0;
  painted = false;
  if ("ready" in document.body.dataset) say(text("paint"));
  update();
}

function clearMarks() {
  ink.clearRect(0, 0, marks.width, marks.height);
  painted = false;
}

/** The pixel under a pointer; the photo is as large as fits, in the middle of its element. */
function at(event) {
  const box = marks.getBoundingClientRect();
  const scale = Math.min(box.width / marks.width, box.height / marks.height);
  return {
    x: (event.clientX - box.left - (box.width - marks.width * scale) / 2) / scale,
    y: (event.clientY - box.top - (box.height - marks.height * scale) / 2) / scale,
    scale,
  };
}

let last = null;

function draw(event) {
  const point = at(event);
  ink.strokeStyle = "#e5484d";
  ink.lineCap = ink.lineJoin = "round";
  ink.lineWidth = find("brush").valueAsNumber / point.scale;
  ink.beginPath();
  ink.moveTo(last?.x ?? point.x, last?.y ?? point.y);
  ink.lineTo(point.x, point.y);
  ink.stroke();
  last = point;
  painted = true;
  update();
}

marks.addEventListener("pointerdown", (event) => {
  if (busy || event.button) return;
  marks.setPointerCapture(event.pointerId);
  draw(event);
});
marks.addEventListener("pointermove", (event) => {
  if (last) draw(event);
});
for (const kind of ["pointerup", "pointercancel"]) {
  marks.addEventListener(kind, () => {
    last = null;
  });
}

find("open").addEventListener("click", () => find("file").click());
find("file").addEventListener("change", ({ target }) => {
  if (target.files.length) open(target.files[0]);
  target.value = "";
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) open(event.dataTransfer.files[0]);
});

find("fill").addEventListener("click", async () => {
  busy = true;
  update();
  const started = performance.now();
  try {
    const before = await fill(network, photo, marks, (done, all) => say(text("filling", { done, all })));
    if (before) {
      history.push(before);
      clearMarks();
      say(text("filled", { seconds: ((performance.now() - started) / 1000).toFixed(1) }));
    } else {
      say(text("covered"));
    }
  } catch (problem) {
    say(text("broken", { reason: problem.message }));
  }
  busy = false;
  update();
});

find("undo").addEventListener("click", () => {
  if (painted) {
    clearMarks();
  } else {
    const context = photo.getContext("2d");
    for (const { left, top, pixels } of history.pop()) context.putImageData(pixels, left, top);
  }
  say(text("paint"));
  update();
});

find("download").addEventListener("click", () => {
  photo.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${name}_filled.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }, "image/png");
});

/** Install what answers when there is no network, and start again under it, isolated. */
async function keepForOffline() {
  if (!navigator.serviceWorker) return; // neither https nor this machine
  await navigator.serviceWorker.register("offline.js");
  await navigator.serviceWorker.ready;
  document.body.dataset.offline = "";
  const again = "gatefill-isolated";
  if (!crossOriginIsolated && photo.hidden && !sessionStorage.getItem(again)) {
    sessionStorage.setItem(again, "tried");
    location.reload();
  }
}
