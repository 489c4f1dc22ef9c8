/**
 * Photos and steps kept in this browser (IndexedDB), so that a reload or a crash costs nothing.
 * Nothing leaves the machine; `forget` deletes all of it.
 */

const NAME = "gatefill";
const TAB = "gatefill-tab";
const ALIVE = 90_000; // milliseconds after which a page that is not heard of is taken for gone

/** @returns {Promise<unknown>} What a request of IndexedDB gives. */
function outcome(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function finished(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}

export class Kept {
  /** @param {IDBDatabase} database @param {string} tab Marks this page's photos. */
  constructor(database, tab) {
    this.database = database;
    this.tab = tab;
    this.written = new Map(); // by photo: the names of its files that are stored
  }

  /** @returns {Promise<Kept|null>} null where the browser refuses, as some private windows do. */
  static async open() {
    try {
      const request = indexedDB.open(NAME, 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore("states", { keyPath: "id" });
        request.result.createObjectStore("files");
      };
      return new Kept(await outcome(request), await ownTab());
    } catch {
      return null;
    }
  }

  /** Store a photo; files that are stored already are not written again. */
  async put({ state, files }) {
    const { id } = state;
    const written = this.written.get(id) ?? new Set();
    const transaction = this.database.transaction(["states", "files"], "readwrite");
    transaction.objectStore("states").put({ ...state, tab: this.tab });
    const store = transaction.objectStore("files");
    for (const [name, file] of Object.entries(files)) {
      if (!written.has(name)) store.put(file, [id, name]);
    }
    for (const name of written) if (!(name in files)) store.delete([id, name]);
    await finished(transaction);
    this.written.set(id, new Set(Object.keys(files)));
  }

  /**
   * The photos of this page, and of pages that are no longer there, which it takes over.
   * @returns {Promise<import("./record.js").Record[]>} The oldest first.
   */
  async all() {
    const seen = await outcome(this.database.transaction("states").objectStore("states").getAll());
    const before = new Map(seen.map(({ id, tab }) => [id, tab]));
    const others = await livingTabs();
    const transaction = this.database.transaction(["states", "files"], "readwrite");
    const states = transaction.objectStore("states");
    const found = [];
    for (const state of await outcome(states.getAll())) {
      if (state.tab !== this.tab) {
        // Another page that looked at the same moment may have taken it over since.
        if (others.has(state.tab) || state.tab !== before.get(state.id)) continue;
        states.put({ ...state, tab: this.tab });
      }
      const range = IDBKeyRange.bound([state.id], [state.id, []]);
      const store = transaction.objectStore("files");
      const [keys, values] = await Promise.all([
        outcome(store.getAllKeys(range)), outcome(store.getAll(range)),
      ]);
      const files = Object.fromEntries(keys.map(([, name], index) => [name, values[index]]));
      this.written.set(state.id, new Set(Object.keys(files)));
      found.push({ state, files });
    }
    return found.sort((one, other) => (one.state.id < other.state.id ? -1 : 1));
  }

  /** Delete photos. @param {string[]} ids */
  async forget(ids) {
    const transaction = this.database.transaction(["states", "files"], "readwrite");
    for (const id of ids) {
      transaction.objectStore("states").delete(id);
      transaction.objectStore("files").delete(IDBKeyRange.bound([id], [id, []]));
      this.written.delete(id);
    }
    await finished(transaction);
  }
}

/** The name of this page: it outlives reloads; a copy of the page gets another. */
async function ownTab() {
  const name = sessionStorage.getItem(TAB) ?? crypto.getRandomValues(new Uint32Array(3)).join("-");
  const own = (await held(name)) ? name : crypto.getRandomValues(new Uint32Array(3)).join("-");
  if (own !== name) await held(own);
  sessionStorage.setItem(TAB, own);
  return own;
}

/** Mark a name as in use for as long as this page lives. @returns {Promise<boolean>} Whether it was free. */
function held(name) {
  if (!navigator.locks) return Promise.resolve(beat(name));
  return new Promise((resolve) => {
    // A page that is being reloaded needs a moment to let go.
    const signal = AbortSignal.timeout(500);
    const hold = () => {
      resolve(true);
      return new Promise(() => {});
    };
    navigator.locks.request(`${TAB}-${name}`, { signal }, hold).catch(() => resolve(false));
  });
}

/**
 * Without a secure context there are no locks: then a page says every second in the browser's
 * storage that it lives. Pages in the background may do so once a minute only.
 */
function beat(name) {
  const mark = () => localStorage.setItem(`${TAB}-${name}`, String(Date.now()));
  mark();
  setInterval(mark, 1000);
  return true;
}

async function livingTabs() {
  if (navigator.locks) {
    const { held: locks } = await navigator.locks.query();
    return new Set(locks.map(({ name }) => name.replace(`${TAB}-`, "")));
  }
  const names = Object.keys(localStorage).filter((name) => name.startsWith(`${TAB}-`));
  const alive = names.filter((name) => Date.now() - Number(localStorage.getItem(name)) < ALIVE);
  return new Set(alive.map((name) => name.replace(`${TAB}-`, "")));
}
