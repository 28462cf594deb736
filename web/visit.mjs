// Visits the page as a person would, in headless Chromium, and prints what was seen as JSON.
//   node visit.mjs '{"address": "http://127.0.0.1:8000/", "photos": ["a.jpg", "b.jpg"]}'
// For tests and measurements. Of `asked` there may also be:
//   profile: folder of the browser, to come again with what it has kept
//   flags: of Chromium, further ones
//   camera: true to take a photo as well
//   dropped: true to drop the photos on the page, in place of choosing them
//   keys: pressed one after the other once all is scored, such as "ArrowRight"
//   shots: [{"width": 360, "scheme": "dark", "file": "shot.png", "opened": true, "map": false,
//     "audited": true}, ...]; what of such a view somebody could not use, by axe-core's rules, is in
//     `barriers`
import fs from "node:fs";
import { createRequire } from "node:module";
import { withChromium } from "./chromium.mjs";

const CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];
const TIMEOUT = 600_000;

/** Opens the page in a tab, has it score photos, and returns what happened. */
async function visit(page, { address, photos = [], camera = false, keys = [], dropped = false }) {
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
    if (dropped) await page.evaluate(dropInstead);
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
        spoken: buttons.map((button) => button.textContent.trim()),
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

/** Has the files that are chosen next dropped on the page, as from a folder beside it. */
function dropInstead() {
  const input = document.getElementById("files");
  const take = (event) => {
    event.stopImmediatePropagation();
    const dataTransfer = new DataTransfer();
    for (const file of input.files) dataTransfer.items.add(file);
    const options = { bubbles: true, cancelable: true, dataTransfer };
    for (const type of ["dragenter", "dragover", "drop"]) {
      document.getElementById("drop").dispatchEvent(new DragEvent(type, options));
    }
  };
  addEventListener("change", take, { capture: true, once: true });
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

/** What is hard or impossible to see or to reach in what is shown: WCAG's levels A and AA, and more. */
async function barriers(page) {
  await page.evaluate(fs.readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8"));
  const { violations } = await page.evaluate(() => axe.run());
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
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
  if (file) await page.screenshot({ path: file, fullPage: !opened });
  return page.evaluate(() => document.documentElement.scrollWidth);
}

const asked = JSON.parse(process.argv[2]);
const flags = [...CAMERA, ...(asked.flags ?? [])];
await withChromium({ flags, profile: asked.profile, timeout: TIMEOUT }, async (browser) => {
  const page = await browser.newPage();
  page.setDefaultTimeout(TIMEOUT);
  const seen = await visit(page, asked);
  seen.widths = [];
  seen.barriers = [];
  for (const shot of asked.shots ?? []) {
    seen.widths.push(await shoot(page, shot));
    if (shot.audited) seen.barriers.push(...(await barriers(page)));
  }
  console.log(JSON.stringify(seen));
});
