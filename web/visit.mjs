// Visits the page as a person would, in headless Chromium, and prints what was seen as JSON.
//   node visit.mjs '{"address": "http://127.0.0.1:8000/", "photos": ["a.jpg", "b.jpg"]}'
// For tests and measurements. Of `asked` there may also be:
//   profile: folder of the browser, to come again with what it has kept
//   flags: of Chromium, further ones
//   camera: true to take a photo as well
//   keys: pressed one after the other once all is scored, such as "ArrowRight"
//   shots: [{"width": 360, "scheme": "dark", "file": "shot.png", "opened": true, "map": false}, ...]
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

/** Opens the page in a tab, has it score photos, and returns what happened. */
async function visit(page, { address, photos = [], camera = false, keys = [] }) {
  const seen = { requests: [] };
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) problems.push(message.text());
  });
  page.on("request", (request) => seen.requests.push(request.url()));
  page.on("workercreated", ({ client }) => {
    client.on("Network.requestWillBeSent", ({ request }) => seen.requests.push(request.url));
    client.send("Network.enable").catch(() => {}); // it may be gone already
  });
  const begin = performance.now();
  const passed = () => (performance.now() - begin) / 1000;
  await page.goto(address, { waitUntil: "load" });
  await page.waitForFunction(
    () => document.documentElement.dataset.ready || document.documentElement.dataset.broken,
  );
  seen.readyAfter = passed();
  seen.broken = await page.evaluate(() => document.documentElement.dataset.broken ?? null);
  if (seen.broken) return seen;
  if (photos.length) {
    const before = await page.metrics();
    const input = await page.$("#files");
    await input.uploadFile(...photos);
    await scored(page, 1);
    seen.firstScoreAfter = passed();
    await scored(page, photos.length);
    seen.allAfter = passed();
    const after = await page.metrics();
    // Of the time of scoring, what the page itself was busy and could not react in.
    const time = after.Timestamp - before.Timestamp;
    seen.busy = (after.TaskDuration - before.TaskDuration) / time;
  }
  if (camera) {
    await page.click("#camera");
    await page.waitForFunction(() => document.getElementById("stream").videoWidth > 0);
    await page.click("#take");
    await scored(page, photos.length + 1);
  }
  seen.focused = [];
  if (keys.length) await page.focus("#photos button[tabindex='0']");
  for (const key of keys) {
    await page.keyboard.press(key);
    seen.focused.push(
      await page.evaluate(() => ({
        on: document.activeElement.title || document.activeElement.id,
        viewed: document.getElementById("view").open
          ? document.getElementById("view-path").textContent
          : null,
      })),
    );
  }
  seen.controls = named(await page.accessibility.snapshot());
  Object.assign(
    seen,
    await page.evaluate(() => {
      const buttons = [...document.querySelectorAll("#photos li button")];
      return {
        runtime: document.documentElement.dataset.ready,
        isolated: crossOriginIsolated,
        status: document.getElementById("status").textContent,
        names: buttons.map((button) => button.title),
        spoken: buttons.map((button) => button.ariaLabel),
        numbers: buttons.map((button) => JSON.parse(button.dataset.numbers)),
        unscored: [...document.querySelectorAll("#unscored li")].map((item) => item.textContent),
      };
    }),
  );
  seen.problems = [...problems]; // before those that are made now
  seen.refused = [await page.evaluate(isRefused)];
  for (const worker of page.workers()) {
    if (worker.url().includes("worker.js")) seen.refused.push(await worker.evaluate(isRefused));
  }
  return seen;
}

/** What a screen reader comes to: roles and names. */
function named({ role, name = "", children = [] }) {
  return [{ role, name }, ...children.flatMap(named)];
}

function scored(page, count) {
  return page.waitForFunction(
    (wanted) => document.querySelectorAll("#photos li, #unscored li").length >= wanted,
    { polling: 50 },
    count,
  );
}

/** Whether a page or a worker may ask another host for something; its policy has to forbid it. */
function isRefused() {
  return new Promise((resolve) => {
    const target = self.document ?? self;
    target.addEventListener("securitypolicyviolation", () => resolve(true), { once: true });
    fetch("https://example.invalid/").catch(() => setTimeout(() => resolve(false), 1000));
  });
}

async function shoot(page, { width, height = 900, scheme, file, opened, map }) {
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
  if (map) await page.click("#why");
  await new Promise((resolve) => setTimeout(resolve, 500));
  await page.screenshot({ path: file, fullPage: !opened });
  return page.evaluate(() => document.documentElement.scrollWidth);
}

const asked = JSON.parse(process.argv[2]);
const profile = asked.profile ?? fs.mkdtempSync(path.join(os.tmpdir(), "reiqa-"));
const browser = await puppeteer.launch({
  executablePath: executable(),
  args: [...FLAGS, ...(asked.flags ?? [])],
  userDataDir: profile,
  protocolTimeout: TIMEOUT,
});
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(TIMEOUT);
  const seen = await visit(page, asked);
  seen.widths = [];
  for (const shot of asked.shots ?? []) seen.widths.push(await shoot(page, shot));
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
  if (!asked.profile) fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
}
