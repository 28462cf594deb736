// What this copy of the page has. `npm run build` writes its own; these are those of `reiqa web`.

/** Whether a service worker keeps everything for offline use; on one's own machine nothing is far. */
export const OFFLINE = false;

/** Whether the runtime for WebGPU lies beside that for WebAssembly. */
export const WEBGPU = false;
