// Scores raw RGB bytes with an ONNX file in onnxruntime-web.
//   node onnx.mjs MODEL BYTES HEIGHT WIDTH
import fs from "node:fs";
import * as ort from "onnxruntime-web";

const [model, bytes, height, width] = process.argv.slice(2);
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(fs.readFileSync(model));
const levels = new Uint8Array(fs.readFileSync(bytes));
const images = new ort.Tensor("uint8", levels, [1, Number(height), Number(width), 3]);
const { score, spread, distance } = await session.run({ images });
const outputs = { score, spread, distance };
console.log(JSON.stringify(Object.fromEntries(Object.entries(outputs).map(([name, output]) => [name, output.data[0]]))));
