// Makes a folder that any static host serves:
//   npm run build                       the default preset, into web/dist
//   npm run build -- MODEL.onnx FOLDER  another one, elsewhere
// and, before, what of it `reiqa web` serves from the package:
//   npm run runtime
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import zlib from "node:zlib";

const WEB = path.dirname(fileURLToPath(import.meta.url));
const PACKAGE = path.join(WEB, "..", "reiqa_tf");
const RUNTIME = path.join(WEB, "node_modules", "onnxruntime-web", "dist");
const PAGE = path.join(WEB, "page");

const ON_CPU = ["ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"];
const ON_GPU = [
  "ort.jspi.min.mjs",
  "ort-wasm-simd-threaded.jspi.mjs",
  "ort-wasm-simd-threaded.jspi.wasm",
];

/** Copies files of the runtime; what is large is packed, for hosts that would send it as it is. */
function copyRuntime(names, folder) {
  fs.mkdirSync(folder, { recursive: true });
  for (const name of names) {
    const contents = fs.readFileSync(path.join(RUNTIME, name));
    if (name.endsWith(".wasm")) {
      fs.writeFileSync(path.join(folder, `${name}.gz`), zlib.gzipSync(contents, { level: 9 }));
    } else {
      // Without the address of a source map that is not here.
      const text = contents.toString().replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n");
      fs.writeFileSync(path.join(folder, name), text);
    }
  }
}

function defaultModel() {
  const text = fs.readFileSync(path.join(PACKAGE, "presets", "__init__.py"), "utf8");
  const [, preset] = text.match(/^DEFAULT = "(\w+)"$/m);
  return path.join(PACKAGE, "presets", "shipped", preset, "exports", "model.onnx");
}

function filesIn(folder) {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .map((name) => name.split(path.sep).join("/"))
    .sort();
}

/** Replaces a line of a file, which must have it. */
function rewrite(file, before, after) {
  const text = fs.readFileSync(file, "utf8");
  if (!text.includes(before)) throw new Error(`${file}: has no "${before}"`);
  fs.writeFileSync(file, text.replace(before, after));
}

function build(model = defaultModel(), folder = path.join(WEB, "dist")) {
  fs.rmSync(folder, { recursive: true, force: true });
  fs.cpSync(PAGE, folder, { recursive: true });
  fs.copyFileSync(path.join(PACKAGE, "albums", "page.css"), path.join(folder, "album.css"));
  fs.copyFileSync(path.join(PACKAGE, "albums", "pieces.js"), path.join(folder, "pieces.js"));
  fs.copyFileSync(model, path.join(folder, "model.onnx"));
  copyRuntime([...ON_CPU, ...ON_GPU], path.join(folder, "runtime"));
  for (const name of ["OFFLINE", "WEBGPU"]) {
    rewrite(path.join(folder, "settings.js"), `${name} = false`, `${name} = true`);
  }
  const digests = {};
  for (const name of filesIn(folder)) {
    if (name === "service_worker.js") continue;
    const contents = fs.readFileSync(path.join(folder, name));
    digests[name] = crypto.createHash("sha256").update(contents).digest("hex");
  }
  const list = JSON.stringify(digests, null, 2);
  rewrite(path.join(folder, "service_worker.js"), "FILES = {}", `FILES = ${list}`);
  console.log(`${folder}: ${filesIn(folder).length} files`);
}

const [task, ...rest] = process.argv.slice(2);
if (task === "runtime") copyRuntime(ON_CPU, path.join(PAGE, "runtime"));
else build(...rest.map((name) => path.resolve(process.env.INIT_CWD ?? ".", name)));
