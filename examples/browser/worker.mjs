// Runs the network beside the page, so that the page goes on answering.

import * as ort from "./vendor/ort.wasm.min.mjs";

ort.env.wasm.wasmPaths = new URL("vendor/", import.meta.url).href;
// Threads share memory, which browsers give to isolated pages only; see offline.js.
ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, 4) : 1;

const session = ort.InferenceSession.create(new URL("vendor/network.onnx", import.meta.url).href);
session.then(
  () => postMessage({ ready: true }),
  (problem) => postMessage({ problem: String(problem) }),
);

onmessage = async ({ data }) => {
  const { photo, mask, width, height } = data;
  try {
    const { filled } = await (await session).run({
      photo: new ort.Tensor("uint8", photo, [height, width, 3]),
      mask: new ort.Tensor("uint8", mask, [height, width]),
    });
    postMessage({ filled: filled.data });
  } catch (problem) {
    postMessage({ problem: String(problem) });
  }
};
