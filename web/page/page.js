// What a visitor sees and does. The photos are scored in worker.js.

import { decimalsOf, WORDS } from "./contract.js";
import { make, meter, percent, underMap } from "./pieces.js";
import { OFFLINE } from "./settings.js";

const element = (id) => document.getElementById(id);
const list = element("photos");
const photos = []; // all that were added, in their order
let shown = []; // those with a score, in the order on the page
let contract = null;
let decimals = 3;
let runtime = "";
let isBroken = false;

const number = (value) => value.toFixed(decimals);
const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
const plural = (count) => `${count.toLocaleString("en")} photo${count === 1 ? "" : "s"}`;

// -- The worker, and before it what keeps the page for offline use.

/** Waits until the service worker is at work, so that it keeps what the worker fetches. */
async function keepForOffline() {
  if (!OFFLINE || !("serviceWorker" in navigator)) return;
  const { serviceWorker } = navigator;
  await serviceWorker.register("service_worker.js", { updateViaCache: "none" });
  if (!serviceWorker.controller) {
    const controlled = new Promise((resolve) => {
      serviceWorker.addEventListener("controllerchange", resolve, { once: true });
    });
    await Promise.race([controlled, new Promise((resolve) => setTimeout(resolve, 5000))]);
  }
  // Threads need headers that many hosts cannot send. The service worker adds them, but only to
  // what is loaded after it was there: the page is loaded once more, from the cache.
  if (serviceWorker.controller && !crossOriginIsolated && !sessionStorage.getItem("reloaded")) {
    sessionStorage.setItem("reloaded", "yes");
    location.reload();
    await new Promise(() => {});
  }
}

let worker = null;
const waiting = []; // what was added before there was a worker

async function start() {
  try {
    await keepForOffline();
  } catch {
    // In private windows there may be no service worker. The page works without.
  }
  worker = new Worker(`worker.js${location.search}`, { type: "module" });
  worker.addEventListener("message", ({ data }) => RECEIVED[data.kind](data));
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    RECEIVED.broken({ problem: event.message || "This browser cannot run the page." });
  });
  for (const photo of waiting.splice(0)) worker.postMessage(photo);
}

const RECEIVED = {
  loading({ loaded, total }) {
    const progress = element("progress");
    progress.hidden = false;
    if (total) Object.assign(progress, { max: total, value: loaded });
    else progress.removeAttribute("value");
    const of = total ? ` of ${megabytes(total)}` : "";
    // Said once, not with each step, to those who listen.
    say(loaded === total ? "Preparing the model" : "Fetching the model, once", {
      shown: loaded === total ? "" : `: ${megabytes(loaded)}${of} MB`,
    });
  },
  ready({ contract: received, runtime: name }) {
    contract = received;
    runtime = name;
    decimals = decimalsOf(contract);
    const about = element("about");
    about.replaceChildren("The preset ", make("b", "", contract.preset));
    about.append(
      ` gives scores from ${contract.low} to ${contract.high}; higher is better. Runs in ${runtime}.`,
    );
    element("coverage").textContent = percent(100 * contract.coverage);
    element("seen-at").hidden = contract.workingSize === null;
    element("working-size").textContent = contract.workingSize ?? "";
    document.documentElement.dataset.ready = runtime; // for tests and measurements
    report();
  },
  scored({ id, picture, map, ...found }) {
    const photo = photos[id];
    if (!photo) return; // removed meanwhile
    Object.assign(photo, found, { map, image: URL.createObjectURL(picture), isDone: true });
    insert(photo);
    report();
  },
  failed({ id, problem }) {
    const photo = photos[id];
    if (!photo) return;
    Object.assign(photo, { isDone: true, problem });
    element("unscored").querySelector("ul").append(make("li", "", `${photo.name}: ${problem}`));
    report();
  },
  broken({ problem }) {
    isBroken = true;
    element("progress").hidden = true;
    say(problem);
    document.documentElement.dataset.broken = problem;
  },
};

// -- What is said about the state.

/** Writes into the status; `shown` is for the eye alone. */
function say(text, { shown = "" } = {}) {
  const status = element("status");
  if (status.dataset.said !== text) {
    status.dataset.said = text;
    status.replaceChildren(text, make("span"));
    status.lastChild.setAttribute("aria-hidden", "true");
  }
  status.lastChild.textContent = shown;
}

function report() {
  const all = photos.filter(Boolean);
  const done = all.filter((photo) => photo.isDone);
  const failed = all.filter((photo) => photo.problem);
  element("unscored").hidden = failed.length === 0;
  element("unscored").firstElementChild.textContent = `${plural(failed.length)} without a score`;
  element("bar").hidden = all.length === 0;
  if (contract === null || isBroken) return;
  const progress = element("progress");
  progress.hidden = done.length === all.length;
  Object.assign(progress, { max: Math.max(1, all.length), value: done.length });
  if (all.length === 0) say("Ready. Photos stay on this device.");
  else if (done.length < all.length) {
    say(`Scoring ${plural(all.length)}`, { shown: `: ${done.length} done` });
  } else say(`${plural(shown.length)} scored`);
}

// -- Adding photos.

function add(files) {
  for (const file of files) {
    const photo = { id: photos.length, name: file.name || "photo", file };
    photos.push(photo);
    if (worker) worker.postMessage({ id: photo.id, file });
    else waiting.push({ id: photo.id, file });
  }
  report();
}

element("choose").addEventListener("click", () => element("files").click());
for (const id of ["files", "shot"]) {
  element(id).addEventListener("change", ({ target }) => {
    add(target.files);
    target.value = ""; // so that the same photo can be chosen again
  });
}

let depth = 0; // of the elements that are dragged over
addEventListener("dragenter", () => element("drop").classList.toggle("over", ++depth > 0));
addEventListener("dragleave", () => element("drop").classList.toggle("over", --depth > 0));
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  depth = 0;
  element("drop").classList.remove("over");
  add(event.dataTransfer.files);
});
addEventListener("paste", (event) => {
  if (event.clipboardData?.files.length) add(event.clipboardData.files);
});

// A phone's own camera takes better photos than a page can; elsewhere there is only the stream.
const finder = element("finder");
element("camera").hidden = !navigator.mediaDevices?.getUserMedia;
element("camera").addEventListener("click", async () => {
  if (matchMedia("(pointer: coarse)").matches) return element("shot").click();
  try {
    const video = { width: { ideal: 4096 }, height: { ideal: 2160 } };
    element("stream").srcObject = await navigator.mediaDevices.getUserMedia({ video });
    finder.showModal();
  } catch (error) {
    say(`There is no camera that this page may use (${error.message}).`);
  }
});
element("take").addEventListener("click", async () => {
  const stream = element("stream");
  const canvas = make("canvas");
  [canvas.width, canvas.height] = [stream.videoWidth, stream.videoHeight];
  canvas.getContext("2d").drawImage(stream, 0, 0);
  const taken = await new Promise((resolve) => canvas.toBlob(resolve)); // PNG: nothing is lost
  const name = `photo ${new Date().toLocaleTimeString("en", { hour12: false })}.png`;
  add([new File([taken], name, { type: "image/png" })]);
  finder.close();
});
element("leave").addEventListener("click", () => finder.close());
finder.addEventListener("close", () => {
  for (const track of element("stream").srcObject?.getTracks() ?? []) track.stop();
  element("stream").srcObject = null;
});

element("clear").addEventListener("click", () => {
  for (const photo of photos) if (photo?.image) URL.revokeObjectURL(photo.image);
  photos.fill(null); // what the worker may still say of them is passed over
  waiting.length = 0;
  worker?.postMessage({ forget: photos.length });
  shown = [];
  list.replaceChildren();
  element("unscored").querySelector("ul").replaceChildren();
  report();
  element("choose").focus();
});

// -- The grid.

const byName = new Intl.Collator(undefined, { numeric: true });
const ORDERS = {
  best: (a, b) => b.score - a.score || a.id - b.id,
  worst: (a, b) => a.score - b.score || a.id - b.id,
  name: (a, b) => byName.compare(a.name, b.name) || a.id - b.id,
};
const order = () => ORDERS[element("order").value];

function insert(photo) {
  photo.card = card(photo);
  const place = shown.findIndex((other) => order()(photo, other) < 0);
  if (place < 0) {
    shown.push(photo);
    list.append(photo.card);
  } else {
    list.insertBefore(photo.card, shown[place].card);
    shown.splice(place, 0, photo);
  }
  if (shown.length === 1) stand(photo);
}

element("order").addEventListener("change", () => {
  shown.sort(order());
  list.append(...shown.map((photo) => photo.card));
  if (shown.length) stand(shown[0]);
});

/** A photo in the grid. Spaces keep words apart for those who hear them in a row. */
function card(photo) {
  const item = make("li");
  const button = make("button");
  button.type = "button";
  button.tabIndex = -1;
  button.title = photo.name;
  const { score, low, high, percentile } = photo;
  button.dataset.numbers = JSON.stringify({ score, low, high, percentile }); // for tests
  button.addEventListener("click", () => open(photo));
  button.addEventListener("focus", () => stand(photo));
  const image = make("span", "image");
  const picture = make("img");
  picture.alt = "";
  picture.decoding = "async";
  picture.src = photo.image;
  image.append(picture);
  const first = make("span");
  first.append(make("span", "number", number(photo.score)), meter(photo.word, WORDS));
  const second = make("span", "small", WORDS[photo.word]);
  if (photo.fault) second.append(" ", make("span", "fault", photo.fault));
  if (!photo.familiar) second.append(" ", make("span", "faint", "unfamiliar"));
  const third = make("span", "faint", `better than ${percent(photo.percentile)}`);
  const name = make("span", "faint name");
  name.append(make("bdi", "", photo.name)); // cut at its beginning
  const caption = make("span", "caption");
  caption.append(first, " ", second, " ", third, " ", name);
  if (photo.text) caption.append(" ", make("span", "hidden", photo.text));
  button.append(image, caption);
  item.append(button);
  return item;
}

let current = null; // the photo that the keyboard is at

function stand(photo) {
  current?.card.firstChild.setAttribute("tabindex", "-1");
  current = photo;
  photo.card.firstChild.setAttribute("tabindex", "0");
}

list.addEventListener("keydown", (event) => {
  const columns = getComputedStyle(list).gridTemplateColumns.split(" ").length;
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
  const place = shown.indexOf(current);
  let next = place + (steps[event.key] ?? 0);
  if (event.key === "Home") next = 0;
  else if (event.key === "End") next = shown.length - 1;
  else if (!(event.key in steps)) return;
  event.preventDefault();
  shown[Math.min(Math.max(next, 0), shown.length - 1)].card.firstChild.focus();
});

// -- The larger view.

const view = element("view");
let viewed = null;

function open(photo) {
  stand(photo);
  show(photo);
  view.showModal();
}

function show(photo) {
  viewed = photo;
  const place = shown.indexOf(photo);
  element("view-path").textContent = photo.name;
  element("view-image").src = photo.image;
  element("view-image").alt = photo.name;
  element("view-why").hidden = !photo.map;
  if (photo.map) {
    element("limit").textContent = Number(photo.map.limit.toPrecision(3));
    if (element("why").checked) showMap(photo);
  }
  element("place").textContent = `${place + 1} of ${shown.length}`;
  element("previous").disabled = place <= 0;
  element("next").disabled = place >= shown.length - 1;
  element("facts").replaceChildren(
    ...facts(photo).flatMap(([name, ...said]) => {
      const value = make("dd");
      value.append(...said);
      return [make("dt", "", name), value];
    }),
  );
}

function facts(photo) {
  const rows = [
    ["Score", make("span", "number", number(photo.score)), meter(photo.word, WORDS), WORDS[photo.word]],
    [
      `${percent(100 * contract.coverage)} interval`,
      `${number(photo.low)} to ${number(photo.high)}`,
    ],
    ["Better than", `${percent(photo.percentile)} of the photos that the preset knows`],
    ["Familiar", photo.familiar ? "yes" : "no: do not trust this score"],
  ];
  if (photo.text) rows.push(["Diagnosis", photo.text]);
  return rows;
}

/** Shows the photo of the larger view in grey, with its map over it. */
async function showMap(photo) {
  const picture = new Image();
  picture.src = photo.image;
  await picture.decode();
  const { colors, side } = photo.map;
  const map = await createImageBitmap(new ImageData(colors, side, side));
  if (viewed !== photo || !element("why").checked) return; // somebody was faster
  element("view-image").src = underMap(picture, map);
  element("view-image").alt = `${photo.name}, with the places that raise or lower its score`;
}

function step(by) {
  const next = shown[shown.indexOf(viewed) + by];
  if (next) show(next);
}

element("why").addEventListener("change", () => show(viewed));
element("previous").addEventListener("click", () => step(-1));
element("next").addEventListener("click", () => step(1));
element("close").addEventListener("click", () => view.close());
view.addEventListener("click", (event) => event.target === view && view.close());
view.addEventListener("close", () => viewed.card.firstChild.focus());
view.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") step(-1);
  else if (event.key === "ArrowRight") step(1);
  else return;
  event.preventDefault();
});

start();
