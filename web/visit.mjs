// Visits the page as a person would, in headless Chromium, and prints what was seen as JSON.
//   node visit.mjs '{"address": "http://127.0.0.1:8000/", "photos": ["a.jpg", "b.jpg"]}'
// For tests and measurements. Of the visits to come:
//   again: number of further visits in new tabs of the same browser; offline: the last without network
//   shots: [{"width": 360, "scheme": "dark", "file": "shot.png", "opened": true}, ...]
//   cores: how many cores the page is told of
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import puppeteer from "puppeteer-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const FLAGS = [
  "--no-sandbox", // which a container's root needs
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
];
const TIMEOUT = 600_000;

function executable() {
  for (const folder of process.env.PATH.split(path.delimiter)) {
    for (const name of NAMES) {
      const file = path.join(folder, name);
      if (fs.existsSync(file)) return file;
    }
  }
  throw new Error(`none of ${NAMES.join(", ")} is installed`);
}

/** Opens the page in a new tab, has it score photos, and returns what happened. */
async function visit(browser, { address, photos, network = true, script = "" }) {
  const page = await browser.newPage();
  page.setDefaultTimeout(TIMEOUT);
  const seen = { requests: [], bytes: 0, problems: [] };
  page.on("pageerror", (error) => seen.problems.push(String(error)));
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) seen.problems.push(message.text());
  });
  // Of service worker and workers as well: every target of the browser is watched.
  await watch(page, seen);
  if (!network) await page.setOfflineMode(true);
  const begin = performance.now();
  await page.goto(address, { waitUntil: "load" });
  await page.waitForSelector("#files");
  const give = async () => {
    const input = await page.$("#files");
    await input.uploadFile(...photos);
  };
  await page.waitForFunction(
    () => document.documentElement.dataset.ready || document.documentElement.dataset.broken,
  );
  seen.readyAfter = (performance.now() - begin) / 1000;
  seen.broken = await page.evaluate(() => document.documentElement.dataset.broken ?? null);
  if (seen.broken) return [page, seen];
  if (photos.length) {
    await give();
    await page.waitForSelector("#photos li, #unscored:not([hidden])");
    seen.firstScoreAfter = (performance.now() - begin) / 1000;
    await page.waitForFunction(
      (count) =>
        document.querySelectorAll("#photos li").length +
          document.querySelectorAll("#unscored li").length ===
        count,
      { polling: 50 },
      photos.length,
    );
    seen.allAfter = (performance.now() - begin) / 1000;
  }
  seen.page = await page.evaluate(() => ({
    runtime: document.documentElement.dataset.ready,
    isolated: crossOriginIsolated,
    status: document.getElementById("status").textContent,
    names: [...document.querySelectorAll("#photos li button")].map((button) => button.title),
    spoken: [...document.querySelectorAll("#photos li button")].map((button) => button.ariaLabel),
    problems: [...document.querySelectorAll("#unscored li")].map((item) => item.textContent),
  }));
  if (script) seen.result = await page.evaluate(script);
  return [page, seen];
}

async function watch(page, seen) {
  const client = await page.createCDPSession();
  await client.send("Network.enable");
  const note = (session) => {
    session.on("Network.requestWillBeSent", ({ request }) => seen.requests.push(request.url));
    session.on("Network.loadingFinished", ({ encodedDataLength }) => {
      seen.bytes += encodedDataLength;
    });
  };
  note(client);
  page.on("workercreated", async (worker) => {
    try {
      note(worker.client);
      await worker.client.send("Network.enable");
    } catch {
      // gone already
    }
  });
}

async function shoot(page, { width, height = 900, scheme, file, opened, whole = true }) {
  await page.setViewport({ width, height, deviceScaleFactor: 1 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  const isOpen = await page.evaluate(() => document.getElementById("view").open);
  if (Boolean(opened) !== isOpen) {
    await page.evaluate(
      (open) =>
        open
          ? document.querySelector("#photos li button").click()
          : document.getElementById("view").close(),
      Boolean(opened),
    );
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  await page.screenshot({ path: file, fullPage: whole && !opened });
  return page.evaluate(() => document.documentElement.scrollWidth);
}

const asked = JSON.parse(process.argv[2]);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "reiqa-"));
const browser = await puppeteer.launch({
  executablePath: executable(),
  args: [...FLAGS, ...(asked.flags ?? [])],
  userDataDir: folder,
  protocolTimeout: TIMEOUT,
});
try {
  const visits = [];
  for (let turn = 0; turn <= (asked.again ?? 0); turn++) {
    const network = !(asked.offline && turn > 0 && turn === asked.again);
    const [page, seen] = await visit(browser, { photos: [], ...asked, network });
    seen.widths = [];
    if (turn === 0 && !seen.broken) {
      for (const shot of asked.shots ?? []) seen.widths.push(await shoot(page, shot));
    }
    visits.push(seen);
    await page.close();
  }
  console.log(JSON.stringify(visits));
} finally {
  await browser.close();
  fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
