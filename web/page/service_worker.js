// Keeps the page, its runtime and the model for offline use, and adds the headers that threads need
// where the server cannot.

const FILES = {}; // path: SHA-256. `npm run build` fills it in.

const CACHE = "reiqa";
const LARGE = /\.(gz|onnx)$/; // kept when they are first fetched, not twice
const HEADERS = {
  // As in index.html; workers have a policy of their own.
  "Content-Security-Policy":
    "default-src 'none'; connect-src 'self'; img-src 'self' blob: data:; media-src blob:; " +
    "style-src 'self' 'unsafe-inline'; script-src 'self' 'wasm-unsafe-eval'; " +
    "worker-src 'self'; base-uri 'none'; form-action 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

/** Where a file lies in the cache: under its contents, so that what has not changed stays. */
const keyOf = (path) => new URL(`${path}?${FILES[path]}`, self.registration.scope).href;

async function install() {
  const cache = await caches.open(CACHE);
  const small = Object.keys(FILES).filter((path) => !LARGE.test(path));
  await Promise.all(
    small.map(async (path) => {
      if (await cache.match(keyOf(path))) return;
      const response = await fetch(path, { cache: "no-cache" });
      if (!response.ok) throw new Error(`${path}: ${response.status}`);
      await cache.put(keyOf(path), response);
    }),
  );
  await self.skipWaiting();
}

async function activate() {
  const cache = await caches.open(CACHE);
  const known = new Set(Object.keys(FILES).map(keyOf));
  for (const { url } of await cache.keys()) {
    if (!known.has(url)) await cache.delete(url);
  }
  await self.clients.claim();
}

async function respond(event, path) {
  const cache = await caches.open(CACHE);
  let response = await cache.match(keyOf(path));
  if (!response) {
    response = await fetch(path, { cache: "no-cache" });
    if (!response.ok) return response;
    event.waitUntil(cache.put(keyOf(path), response.clone()));
  }
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(response.body, { status: response.status, headers });
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
  const { scope } = self.registration;
  const address = new URL(event.request.url);
  const url = address.origin + address.pathname;
  if (event.request.method !== "GET" || !url.startsWith(scope)) return;
  const path = url.slice(scope.length) || "index.html";
  if (path in FILES) event.respondWith(respond(event, path));
});
