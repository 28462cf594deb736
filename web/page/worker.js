// Scores photos beside the page, which so stays fluid.

import { judge, readContract } from "./contract.js";
import { diagnose, mapColors } from "./diagnosis.js";
import { canvasIsFaithful, PhotoError, readImage, withOpacity } from "./reading.js";
import { WEBGPU } from "./settings.js";

const MOST_THREADS = 4; // more help no photo of this size, and phones' other cores are slow ones
const WANTED = ["score", "spread", "distance"];
const EXPLAINING = ["map", "diagnosis"];
const THUMBNAIL_QUALITY = 0.88;

const asked = new URL(self.location).searchParams.get("runtime"); // for measuring; else the fastest

/** Fetches a file and says how far it is. */
async function fetched(path, progress) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
  const total = Number(response.headers.get("Content-Length")) || 0;
  const parts = [];
  let loaded = 0;
  const reader = response.body.getReader();
  for (let step = await reader.read(); !step.done; step = await reader.read()) {
    parts.push(step.value);
    loaded += step.value.length;
    progress(path, loaded, total);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** Some servers unpack what is named .gz on its way. */
async function unpacked(bytes) {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function hasGpu() {
  if (asked === "wasm" || !WEBGPU || !("gpu" in navigator)) return false;
  if (!("Suspending" in WebAssembly)) return false; // what its runtime waits with
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  // One without a graphics card computes more slowly than WebAssembly does.
  return adapter !== null && (asked === "webgpu" || !adapter.info?.isFallbackAdapter);
}

const RUNTIMES = {
  webgpu: ["./runtime/ort.jspi.min.mjs", "./runtime/ort-wasm-simd-threaded.jspi.wasm.gz"],
  wasm: ["./runtime/ort.wasm.min.mjs", "./runtime/ort-wasm-simd-threaded.wasm.gz"],
};

/** The runtime, ready to open a model. */
async function opened(name, progress) {
  const [script, binary] = RUNTIMES[name];
  const [ort, wasm] = await Promise.all([
    import(script),
    fetched(binary, progress).then(unpacked),
  ]);
  ort.env.logLevel = "error";
  ort.env.wasm.wasmBinary = wasm;
  ort.env.wasm.numThreads = self.crossOriginIsolated
    ? Math.min(MOST_THREADS, navigator.hardwareConcurrency)
    : 1;
  return ort;
}

async function start() {
  if (!canvasIsFaithful()) {
    throw new Error(
      "This browser alters the pixels that pages read of pictures, against being recognised, so " +
        "that scores would be wrong. Allow this page to read them (canvas data), then reload it.",
    );
  }
  const sizes = new Map();
  const progress = (path, loaded, total) => {
    sizes.set(path, { loaded, total });
    const known = [...sizes.values()];
    const sum = (key) => known.reduce((all, size) => all + size[key], 0);
    // Of a file whose size is unknown nobody can say how much of it there is.
    const whole = known.length === 2 && known.every((size) => size.total) ? sum("total") : 0;
    postMessage({ kind: "loading", loaded: sum("loaded"), total: whole });
  };
  const model = fetched("./model.onnx", progress);
  model.catch(() => {}); // it is waited for below
  let name = (await hasGpu()) ? "webgpu" : "wasm";
  let session;
  let ort;
  for (;;) {
    try {
      ort = await opened(name, progress);
      const bytes = await model;
      session = await ort.InferenceSession.create(bytes, {
        executionProviders: [name],
        logSeverityLevel: 3, // errors: that WebGPU leaves shapes to the processor is none
      });
      break;
    } catch (error) {
      if (name === "wasm") throw error;
      name = "wasm"; // a graphics card that cannot do it
    }
  }
  const contract = readContract(await model);
  const explains =
    contract.families && EXPLAINING.every((output) => session.outputNames.includes(output));
  const threads = ort.env.wasm.numThreads;
  postMessage({
    kind: "ready",
    contract,
    explains: Boolean(explains),
    runtime:
      name === "webgpu"
        ? "WebGPU"
        : `WebAssembly, ${threads} thread${threads === 1 ? "" : "s"}`,
  });
  return { ort, session, contract, wanted: explains ? [...WANTED, ...EXPLAINING] : WANTED };
}

async function scored(file, { ort, session, contract, wanted }) {
  const image = await readImage(file, contract.workingSize);
  const images = new ort.Tensor("uint8", image.pixels, [1, image.height, image.width, 3]);
  const outputs = await session.run({ images }, wanted);
  const [score, spread, distance] = WANTED.map((output) => outputs[output].data[0]);
  if (!Number.isFinite(score)) throw new PhotoError("the model has no number for it.");
  const found = judge(contract, score, spread, distance);
  if (outputs.diagnosis) {
    Object.assign(found, diagnose(contract, outputs.diagnosis.data));
    found.map = mapColors(outputs.map.data);
  }
  found.picture = await picture(image);
  return found;
}

/** What the page shows of a photo: as it was scored, so that no large file is decoded again. */
function picture(image) {
  const canvas = new OffscreenCanvas(image.width, image.height);
  canvas.getContext("2d").putImageData(withOpacity(image), 0, 0);
  return canvas.convertToBlob({ type: "image/jpeg", quality: THUMBNAIL_QUALITY });
}

const ready = start();
ready.catch((error) => postMessage({ kind: "broken", problem: error.message }));

let last = Promise.resolve(); // photos one after the other
let forgotten = 0; // photos with smaller numbers were removed before their turn

self.addEventListener("message", ({ data: { id, file, forget } }) => {
  if (forget !== undefined) {
    forgotten = forget;
    return;
  }
  last = last.then(async () => {
    const scorer = await ready.catch(() => null);
    if (!scorer || id < forgotten) return;
    try {
      postMessage({ kind: "scored", id, ...(await scored(file, scorer)) });
    } catch (error) {
      const problem = error instanceof PhotoError ? error.message : `failed (${error.message}).`;
      postMessage({ kind: "failed", id, problem });
    }
  });
});
