// Goes through a built site in headless Chromium, as a visitor who leaves out no link:
//   node visit_site.mjs ../build/site
//
// It begins at the start page, opens every page that a link leads to once, and looks up every anchor
// in the page as the browser shows it. Reported are links and anchors that lead nowhere, pages that
// no link leads to, errors in the console, requests that fail or go to another host, pictures that
// are not shown, and pages that are wider than the screen of a phone. Exit code 1 if there is
// anything. Without Chromium it says so, and exits with 0.
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { findChromium, withChromium } from "./chromium.mjs";

const TABS = 2; // pages that are open at the same time
const TIMEOUT = 300_000; // milliseconds, for machines that do much else besides
const PHONE = { width: 360, height: 800 };
const TYPES = {
  ".css": "text/css",
  ".gz": "application/octet-stream",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".mjs": "text/javascript",
  ".svg": "image/svg+xml",
};

/** Serves a folder as static hosts do: `index.html` for folders, 404.html for what is not there. */
function serve(folder) {
  const server = http.createServer((request, response) => {
    const name = decodeURIComponent(new URL(request.url, "http://host").pathname);
    let file = path.join(folder, name);
    if (fs.statSync(file, { throwIfNoEntry: false })?.isDirectory()) {
      if (!name.endsWith("/")) {
        response.writeHead(301, { Location: `${name}/` }).end();
        return;
      }
      file = path.join(file, "index.html");
    }
    const isThere = fs.existsSync(file);
    if (!isThere) file = path.join(folder, "404.html");
    const type = TYPES[path.extname(file)];
    const headers = { "Cache-Control": "max-age=600", ...(type && { "Content-Type": type }) };
    response.writeHead(isThere ? 200 : 404, headers);
    response.end(fs.existsSync(file) ? fs.readFileSync(file) : "");
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

/** What a page has and asks for, as the browser shows it. */
function read() {
  const anchors = [...document.querySelectorAll("[id], a[name]")];
  return {
    anchors: anchors.map((element) => element.id || element.getAttribute("name")),
    links: [...document.querySelectorAll("a[href]")].map((link) => link.href),
    blank: [...document.images]
      .filter((image) => image.src && image.complete && image.naturalWidth === 0)
      .map((image) => image.src),
    width: document.documentElement.scrollWidth,
    isBroken: document.documentElement.dataset.broken ?? null, // said by the page for photos
  };
}

/** Whether the page for photos has its model; it loads itself twice. Others have started at once. */
function hasStarted() {
  const { ready, broken } = document.documentElement.dataset;
  return ready || broken || !document.querySelector("script[src='page.js']");
}

/** Opens a page and returns what is in it, and what is wrong with it. */
async function visit(tab, address, origin) {
  const problems = [];
  const note = {
    console(message) {
      if (message.type() === "error") problems.push(`console: ${message.text()}`);
    },
    pageerror: (error) => problems.push(`error: ${error.message}`),
    request(request) {
      const url = request.url();
      if (!/^(data|blob):/.test(url) && !url.startsWith(origin)) {
        problems.push(`asks another host: ${url}`);
      }
    },
    requestfailed(request) {
      problems.push(`request failed: ${request.url()}: ${request.failure()?.errorText}`);
    },
    response(response) {
      if (response.status() >= 400) problems.push(`${response.status()}: ${response.url()}`);
    },
  };
  for (const [event, listener] of Object.entries(note)) tab.on(event, listener);
  await tab.goto(address, { waitUntil: "load" });
  // Polled, since nothing is drawn in a tab behind another.
  if (!(await tab.evaluate(hasStarted))) await tab.waitForFunction(hasStarted, { polling: 50 });
  const page = await tab.evaluate(read);
  for (const [event, listener] of Object.entries(note)) tab.off(event, listener);
  for (const source of page.blank) problems.push(`picture is not shown: ${source}`);
  if (page.width > PHONE.width) problems.push(`${page.width} px wide on ${PHONE.width} px`);
  return { ...page, problems };
}

/** Addresses of all pages of a folder, but for the one that is shown in place of those missing. */
function pagesIn(folder, origin) {
  return fs
    .readdirSync(folder, { recursive: true })
    .map((name) => name.split(path.sep).join("/"))
    .filter((name) => /(^|\/)index\.html$/.test(name))
    .map((name) => origin + encodeURI(name.replace(/index\.html$/, "")));
}

/** Goes wherever links lead, and returns lines about what is wrong, and how much was looked at. */
async function walk(browser, folder, origin) {
  const pages = new Map(); // address: what `visit` returned
  const statuses = new Map(); // address of what is no page: its HTTP status
  const found = []; // [page, link]
  const waiting = [origin];
  const seen = new Set(waiting);
  const opening = new Set();

  async function look(tab, address) {
    const response = await fetch(address, { method: "HEAD" });
    const isPage = response.headers.get("Content-Type")?.startsWith("text/html");
    if (!response.ok || !isPage) {
      statuses.set(address, response.status);
      return;
    }
    const page = await visit(tab, address, origin);
    pages.set(address, page);
    for (const link of new Set(page.links)) {
      if (!link.startsWith(origin)) continue;
      found.push([address, link]);
      const target = pageOf(link);
      if (seen.has(target)) continue;
      seen.add(target);
      waiting.push(target);
    }
  }

  async function work() {
    const tab = await browser.newPage();
    tab.setDefaultTimeout(TIMEOUT);
    await tab.setViewport(PHONE);
    while (waiting.length || opening.size) {
      const address = waiting.shift();
      if (!address) {
        await Promise.race(opening); // it may find more
        continue;
      }
      const done = look(tab, address).finally(() => opening.delete(done));
      opening.add(done);
      await done;
    }
    await tab.close();
  }

  await Promise.all(Array.from({ length: TABS }, work));
  const problems = [];
  const short = (address) => address.slice(origin.length) || "start page";
  for (const [address, page] of pages) {
    if (page.isBroken) page.problems.push(page.isBroken);
    for (const problem of new Set(page.problems)) problems.push(`${short(address)}: ${problem}`);
  }
  for (const [from, link] of found) {
    const target = pageOf(link);
    const anchor = decodeURIComponent(new URL(link).hash.slice(1));
    const status = statuses.get(target) ?? 200;
    if (status !== 200) problems.push(`${short(from)}: ${short(link)}: ${status}`);
    else if (anchor && !pages.get(target)?.anchors.includes(anchor)) {
      problems.push(`${short(from)}: ${short(link)}: no such anchor`);
    }
  }
  for (const address of pagesIn(folder, origin)) {
    if (!pages.has(address)) problems.push(`${short(address)}: no link leads here`);
  }
  return { problems, pages: pages.size, links: found.length };
}

/** The address of a page, however a link names it. */
function pageOf(link) {
  const url = new URL(link);
  return url.origin + url.pathname.replace(/\/index\.html$/, "/");
}

const folder = path.resolve(process.argv[2]);
if (!findChromium()) {
  console.log("The site was not visited: no Chromium is installed.");
  process.exit();
}
const server = await serve(folder);
const begin = performance.now();
// Nothing is ever fetched from elsewhere, whatever a page asks for.
const flags = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"];
await withChromium({ flags, timeout: TIMEOUT }, async (browser) => {
  const origin = `http://127.0.0.1:${server.address().port}/`;
  const { problems, pages, links } = await walk(browser, folder, origin);
  for (const problem of problems.sort()) console.log(problem);
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  console.log(
    `${problems.length} problems on ${pages} pages with ${links} links in ${folder}, ${seconds} s`,
  );
  process.exitCode = problems.length ? 1 : 0;
});
server.close();
