// Fill the hole of a photo through a gatefill server. Needs Node 18 or newer, and no packages.
//
//   gatefill serve &
//   node examples/client.mjs photo.jpg mask.png filled.jpg [http://127.0.0.1:8731]
//
// A server that wants a token gets it from the variable GATEFILL_TOKEN.

import { readFile, writeFile } from "node:fs/promises";

const TRIES = 20;

/** The filled photo in the photo's own format. A busy server is asked again. */
export async function fill(url, photo, mask, fields = {}) {
  const headers = {};
  if (process.env.GATEFILL_TOKEN) headers.Authorization = `Bearer ${process.env.GATEFILL_TOKEN}`;
  for (let tries = 0; tries < TRIES; tries++) {
    const body = new FormData();
    body.append("image", new Blob([photo]), "photo");
    body.append("mask", new Blob([mask]), "mask");
    for (const [name, value] of Object.entries(fields)) body.append(name, value);
    const reply = await fetch(`${url}/api/v1/inpaint`, { method: "POST", body, headers });
    if (reply.ok) {
      for (const warning of JSON.parse(reply.headers.get("X-Gatefill-Warnings"))) {
        console.warn(`warning: ${warning}`);
      }
      return Buffer.from(await reply.arrayBuffer());
    }
    if (reply.status !== 503) throw new Error((await reply.json()).detail);
    const seconds = Number(reply.headers.get("Retry-After") ?? 1);
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  }
  throw new Error("the server is busy");
}

const [photo, mask, output, url = "http://127.0.0.1:8731"] = process.argv.slice(2);
if (!output) {
  console.error("usage: node client.mjs PHOTO MASK OUTPUT [URL]");
  process.exit(2);
}
try {
  await writeFile(output, await fill(url.replace(/\/$/, ""), await readFile(photo), await readFile(mask)));
} catch (error) {
  console.error(`the photo was not filled: ${error.message}`);
  process.exit(1);
}
