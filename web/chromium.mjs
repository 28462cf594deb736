// Headless Chromium, for what visits pages: tests and measurements.
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
];

/** Path of the first that is installed, or null. */
export function findChromium() {
  for (const folder of process.env.PATH.split(path.delimiter)) {
    for (const name of NAMES) {
      const file = path.join(folder, name);
      if (fs.existsSync(file)) return file;
    }
  }
  return null;
}

/**
 * Starts Chromium, calls `use` with the browser, and closes it whatever happens.
 *
 * @param {object} options `flags`: further ones; `profile`: folder of the browser, without which it
 *   gets one that is removed afterwards; `timeout`: milliseconds that it may take to react.
 * @param {(browser: object) => Promise<void>} use
 */
export async function withChromium({ flags = [], profile, timeout = 60_000 }, use) {
  const executablePath = findChromium();
  if (!executablePath) throw new Error(`none of ${NAMES.join(", ")} is installed`);
  const userDataDir = profile ?? fs.mkdtempSync(path.join(os.tmpdir(), "reiqa-"));
  const browser = await puppeteer.launch({
    executablePath,
    args: [...FLAGS, ...flags],
    userDataDir,
    protocolTimeout: timeout,
  });
  try {
    await use(browser);
  } finally {
    await browser.close();
    if (!profile) fs.rmSync(userDataDir, { recursive: true, force: true, maxRetries: 5 });
  }
}
