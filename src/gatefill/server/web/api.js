/** Talking to the server: fills with progress, files, and errors with words for people. */

/** @typedef {import("./types.js").Attention} Attention */
/** @typedef {import("./types.js").Model} Model */
/** @typedef {import("./types.js").Patch} Patch */

export class ServerError extends Error {
  /**
   * @param {string} kind The short name that the server gives, or "offline".
   * @param {{code?: string, values?: object}} told By which the page finds its own words.
   */
  constructor(kind, detail, status = 0, retryAfter = 0, { code, values = {} } = {}) {
    super(detail);
    this.kind = kind;
    this.status = status;
    this.retryAfter = retryAfter;
    this.code = code;
    this.values = values;
  }
}

let renew = async () => false;

/** Say who gets a new token where the one before is not taken any more. @param {() => Promise<boolean>} ask */
export function onToken(ask) {
  renew = ask;
}

async function ask(path, options) {
  let reply;
  try {
    reply = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError("offline", "");
  }
  if (reply.ok) return reply;
  if (reply.status === 401 && (await renew())) return ask(path, options);
  const told = await reply.json().catch(() => ({}));
  const { error = "error", detail = reply.statusText } = told;
  throw new ServerError(error, detail, reply.status, Number(reply.headers.get("Retry-After")), told);
}

/** @returns {Promise<{models: import("./types.js").Model[], methods: object[]}>} */
export async function methods() {
  return (await ask("api/v1/methods")).json();
}

/** @returns {Promise<{max_bytes: number, max_pixels: number, version: string}>} */
export async function config() {
  return (await ask("api/v1/server-config")).json();
}

/** @returns {Promise<File|null>} The photo named on the command line. */
export async function openedFile() {
  const reply = await ask("api/v1/editor/opened");
  if (reply.status === 204) return null;
  const name = decodeURIComponent(reply.headers.get("X-Gatefill-Name") ?? "photo");
  return new File([await reply.blob()], name);
}

/** The form that holds the state of a photo. */
function form(photo, patches, more, places = {}) {
  const data = new FormData();
  data.append("photo", photo, "photo");
  for (const patch of patches) data.append("patch", patch.file, "patch.png");
  const layout = { ...places, patches: patches.map((patch) => [patch.left, patch.top]) };
  data.append("layout", JSON.stringify(layout));
  for (const [name, value] of Object.entries(more)) {
    if (value instanceof Blob) data.append(name, value, `${name}.png`);
    else if (value != null) data.append(name, value);
  }
  return data;
}

/**
 * A photo as the server sees it: upright, whatever the browser does with the file by itself.
 * @param {Blob} photo
 * @param {boolean} ifNeeded Leave the picture out where nothing turns the file.
 * @returns {Promise<{blob: Blob|null, width: number, height: number}>}
 */
export async function preview(photo, ifNeeded = false) {
  const body = form(photo, [], ifNeeded ? { if_needed: "true" } : {});
  const reply = await ask("api/v1/editor/preview", { method: "POST", body });
  const [width, height] = sides(reply.headers.get("X-Gatefill-Size"));
  return { blob: reply.status === 204 ? null : await reply.blob(), width, height };
}

/**
 * A mask from a file, read as a fill would read it.
 * @returns {Promise<{blob: Blob, warnings: object[], stretched: number[]|null}>} PNG of the photo's
 *   size, opaque where the hole is; the mask's own size if it was stretched.
 */
export async function readMask(photo, mask) {
  const reply = await ask("api/v1/editor/mask", { method: "POST", body: form(photo, [], { mask }) });
  const stretched = reply.headers.get("X-Gatefill-Stretched");
  return {
    blob: await reply.blob(),
    warnings: JSON.parse(reply.headers.get("X-Gatefill-Warnings") ?? "[]"),
    stretched: stretched && sides(stretched),
  };
}

/** The transparent part of the edited photo. @returns {Promise<{blob: Blob, warnings: object[]}>} */
export async function transparent(photo, patches) {
  const body = form(photo, patches, {});
  const reply = await ask("api/v1/editor/transparent", { method: "POST", body });
  return { blob: await reply.blob(), warnings: [] };
}

/** The edited photo with transparent margins, as a file. @returns {Promise<Blob>} */
export async function extend(photo, patches, margins) {
  const body = form(photo, patches, margins);
  return (await ask("api/v1/editor/extend", { method: "POST", body })).blob();
}

/**
 * What the server finds in the edited photo, as a layer.
 * @param {"object"|"people"|"text"|"dust"} kind
 * @param {{box?: string, scribble?: import("./types.js").Part, grow?: number}} where
 * @returns {Promise<{blob: Blob, warnings: object[]}>}
 */
export async function select(photo, patches, kind, { box = null, scribble = null, grow = null } = {}) {
  const places = scribble ? { mask: [scribble.left, scribble.top] } : {};
  const body = form(photo, patches, { box, grow, sketch: scribble?.file }, places);
  const reply = await ask(`api/v1/editor/select/${kind}`, { method: "POST", body });
  return { blob: await reply.blob(), warnings: [] };
}

function sides(words) {
  return words.split("x").map(Number);
}

/** @returns {Promise<{blob: Blob, suffix: string}>} The edited photo as a file. */
export async function compose(photo, patches, format, quality = null) {
  const body = form(photo, patches, { format, quality });
  const reply = await ask("api/v1/editor/compose", { method: "POST", body });
  return { blob: await reply.blob(), suffix: reply.headers.get("X-Gatefill-Suffix") ?? ".png" };
}

/**
 * Fill a hole.
 * @param {{photo: Blob, patches: Patch[], drawn: import("./types.js").Drawn, model: Model,
 *   seed: number|null}} request
 * @param {(event: {state: string, share?: number}) => void} progress
 * @param {AbortSignal} signal Aborting it cancels the fill.
 */
export async function fill(request, progress, signal) {
  const { photo, patches, drawn, model, seed } = request;
  const { mask, take, avoid, feather } = drawn;
  const files = { mask: mask.file };
  const places = { mask: [mask.left, mask.top] };
  if (model.takes_sketch) files.sketch = drawn.sketch?.file;
  for (const [name, part] of Object.entries(model.takes_search ? { take, avoid } : {})) {
    if (!part) continue;
    files[name] = part.file;
    places[name] = [part.left, part.top];
  }
  const options = { model: model.model, seed, feather: feather || null };
  const body = form(photo, patches, { ...files, ...options }, places);
  const reply = await ask("api/v1/editor/fill", { method: "POST", body, signal });
  for await (const event of lines(reply.body)) {
    if (event.state === "failed") {
      throw new ServerError(event.error, event.detail, event.status, 0, event);
    }
    if (event.state === "done") return { result: done(event, seed), warnings: event.warnings };
    progress(event);
  }
  throw new ServerError("offline", "");
}

/** @returns {import("./types.js").Result} */
function done(event, seed) {
  return {
    patch: {
      file: new Blob([bytes(event.patch)], { type: "image/png" }),
      left: event.left,
      top: event.top,
    },
    attention: event.attention && attention(event.attention),
    seconds: event.seconds,
    model: event.model,
    seed,
  };
}

/** @returns {Attention} */
function attention(told) {
  return {
    spacing: told.spacing,
    places: told.places,
    target: new Int32Array(bytes(told.target).buffer),
    source: new Int32Array(bytes(told.source).buffer),
    weight: new Float32Array(bytes(told.weight).buffer),
  };
}

function bytes(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/** The lines of JSON in a stream, one after the other. */
async function* lines(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done: ended } = await reader.read();
      if (ended) return;
      const parts = (rest + value).split("\n");
      rest = parts.pop();
      for (const part of parts) yield JSON.parse(part);
    }
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError("offline", "");
  }
}
