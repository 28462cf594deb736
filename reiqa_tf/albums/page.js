// The page of an album: what pieces.js has comes before.

const element = (id) => document.getElementById(id);
const source = element("data");
const data = JSON.parse(source.textContent);
source.remove(); // tens of megabytes of text that nobody needs twice
const { photos, words, decimals } = data;
const number = (value) => value.toFixed(decimals);

const groups = new Map(); // number of a group: its photos, the best first
photos.forEach((photo, index) => {
  photo.index = index;
  photo.key = photo.path.toLowerCase();
  if (photo.group !== undefined) {
    if (!groups.has(photo.group)) groups.set(photo.group, []);
    groups.get(photo.group)[photo.place] = photo;
  }
});

// -- Small pieces of the page.

const meterOf = (word) => (word === undefined ? "" : meter(word, words));

const groupLabel = (photo) => {
  const size = groups.get(photo.group).length;
  return photo.place === 0 ? `★ best of ${size}` : `${photo.place + 1} of ${size}`;
};

function spoken(photo) {
  const said = [photo.path, `score ${number(photo.score)}`];
  if (photo.word !== undefined) said.push(words[photo.word]);
  if (photo.percentile !== undefined) said.push(`better than ${percent(photo.percentile)}`);
  if (photo.unfamiliar) said.push("unfamiliar");
  if (photo.faults !== undefined) said.push(photo.faults);
  if (photo.group !== undefined) {
    const size = groups.get(photo.group).length;
    said.push(photo.place === 0 ? `best of ${size} alike` : `${photo.place + 1} of ${size} alike`);
  }
  return said.join("; ");
}

// -- Which photos are shown, and in which order.

const [lowest, highest] = photos.reduce(
  ([low, high], { score }) => [Math.min(low, score), Math.max(high, score)],
  data.range,
);
const BINS = 40;
const binWidth = (highest - lowest) / BINS;
const binOf = (score) => Math.min(BINS - 1, Math.floor((score - lowest) / binWidth));
const from = element("from");
const to = element("to");
const chosen = words.map(() => null); // boxes of the words
let shown = photos;

function ordered(kept, order) {
  if (order === "best") return kept; // as they come
  if (order === "worst") return [...kept].reverse();
  const byName = new Intl.Collator(undefined, { numeric: true });
  return [...kept].sort((a, b) => byName.compare(a.path, b.path));
}

function together(kept) {
  const left = new Map();
  for (const photo of kept) {
    if (photo.group === undefined) continue;
    if (!left.has(photo.group)) left.set(photo.group, []);
    left.get(photo.group).push(photo);
  }
  const result = [];
  let tint = "group-a"; // two in turns, so that neighbours differ
  for (const photo of kept) {
    if (photo.group === undefined) result.push(photo);
    else if (left.has(photo.group)) {
      const members = left.get(photo.group).sort((a, b) => a.place - b.place);
      for (const member of members) member.tint = tint;
      result.push(...members);
      left.delete(photo.group);
      tint = tint === "group-a" ? "group-b" : "group-a";
    }
  }
  return result;
}

function choose() {
  const low = Math.min(Number(from.value), Number(to.value));
  const high = Math.max(Number(from.value), Number(to.value));
  const text = element("text").value.trim().toLowerCase();
  const alike = element("alike").value;
  const inBins = ({ score }) => binOf(score) >= low && binOf(score) < high;
  let kept = photos.filter(
    (photo) =>
      inBins(photo) && (chosen[photo.word]?.checked ?? true) && photo.key.includes(text),
  );
  if (alike === "best") {
    // The best of those that are left, should the best of all be filtered out.
    const seen = new Set();
    kept = kept.filter(({ group }) => group === undefined || (!seen.has(group) && seen.add(group)));
  }
  kept = ordered(kept, element("order").value);
  shown = alike === "together" ? together(kept) : kept;
  element("range").textContent =
    `${number(lowest + low * binWidth)} to ${number(lowest + high * binWidth)}`;
  for (const [bin, bar] of [...element("histogram").children].entries()) {
    bar.classList.toggle("in", bin >= low && bin < high);
  }
  const all = photos.length.toLocaleString("en");
  element("count").textContent =
    shown.length === photos.length
      ? `All ${all} photos`
      : `${shown.length.toLocaleString("en")} of ${all} photos`;
  element("none").hidden = shown.length > 0;
  current = 0;
  for (const [, item] of items) item.remove();
  items.clear();
  layOut();
}

function buildFilters() {
  const counts = new Array(BINS).fill(0);
  for (const { score } of photos) counts[binOf(score)]++;
  const most = Math.max(1, ...counts);
  const histogram = element("histogram");
  counts.forEach((count, bin) => {
    const bar = make("span");
    bar.style.height = count ? `${Math.max(4, (100 * count) / most)}%` : "1px";
    const ends = [bin, bin + 1].map((place) => number(lowest + place * binWidth));
    bar.title = `${ends[0]} to ${ends[1]}: ${count} photos`;
    bar.addEventListener("click", () => {
      from.value = bin;
      to.value = bin + 1;
      choose();
    });
    histogram.append(bar);
  });
  const fullest = counts.indexOf(most);
  histogram.setAttribute(
    "aria-label",
    `Histogram of ${photos.length} scores from ${number(lowest)} to ${number(highest)}; most, ` +
      `${most}, from ${number(lowest + fullest * binWidth)} to ` +
      `${number(lowest + (fullest + 1) * binWidth)}`,
  );
  for (const [slider, value] of [[from, 0], [to, BINS]]) {
    slider.min = 0;
    slider.max = BINS;
    slider.step = 1;
    slider.value = value;
    slider.defaultValue = value;
    slider.addEventListener("input", () => {
      slider.setAttribute("aria-valuetext", number(lowest + slider.value * binWidth));
      choose();
    });
    slider.setAttribute("aria-valuetext", number(lowest + value * binWidth));
  }
  const perWord = words.map((_, word) => photos.filter((photo) => photo.word === word).length);
  for (let word = words.length - 1; word >= 0; word--) {
    const label = make("label");
    const box = make("input");
    box.type = "checkbox";
    box.checked = box.defaultChecked = true;
    box.addEventListener("change", choose);
    chosen[word] = box;
    label.append(box, meterOf(word), make("span", "", words[word]));
    label.append(make("span", "faint", perWord[word].toLocaleString("en")));
    element("words").append(label);
  }
  element("text").addEventListener("input", choose);
  element("order").addEventListener("change", choose);
  element("alike").addEventListener("change", choose);
  element("alike").parentElement.hidden = groups.size === 0;
  const form = element("filters");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(choose));
  element("all").addEventListener("click", () => form.reset());
  if (window.innerWidth <= 640) element("panel").open = false;
  form.hidden = false;
}

// -- The photos. Thousands of them would make a browser stutter, so only those near the window
// are in the document; the list is as high as if all were.

const list = element("photos");
const items = new Map(); // place among those shown: its element in the document
let current = 0; // place of the photo that the keyboard is at
let columns = 1;
let cellWidth = 0;
let rowHeight = 0;
let gap = 0;

function layOut() {
  const style = getComputedStyle(document.documentElement);
  const size = (name) => parseFloat(style.getPropertyValue(name));
  gap = size("--gap");
  const width = list.clientWidth;
  columns = Math.max(1, Math.floor((width + gap) / (size("--cell") + gap)));
  cellWidth = (width + gap) / columns - gap;
  rowHeight = Math.round(cellWidth + size("--caption")) + gap;
  list.style.height = `${Math.ceil(shown.length / columns) * rowHeight}px`;
  for (const [place, item] of items) position(item, place);
  render();
}

function position(item, place) {
  item.style.width = `${cellWidth}px`;
  item.style.height = `${rowHeight - gap}px`;
  const x = (place % columns) * (cellWidth + gap);
  item.style.transform = `translate(${x}px, ${Math.floor(place / columns) * rowHeight}px)`;
}

function card(photo, place) {
  const item = make("li");
  if (photo.group !== undefined && element("alike").value === "together") {
    item.className = photo.tint;
  }
  item.setAttribute("aria-setsize", shown.length);
  item.setAttribute("aria-posinset", place + 1);
  const button = make("button");
  button.type = "button";
  button.tabIndex = place === current ? 0 : -1;
  button.title = photo.path;
  button.setAttribute("aria-label", spoken(photo));
  button.addEventListener("click", () => open(place));
  button.addEventListener("focus", () => stand(place));
  const image = make("span", "image");
  if (photo.image) {
    const picture = make("img");
    picture.alt = "";
    picture.decoding = "async";
    picture.src = photo.image;
    image.append(picture);
  }
  if (photo.group !== undefined) image.append(make("span", "badge", groupLabel(photo)));
  const caption = make("span", "caption");
  caption.append(...captionLines(photo));
  button.append(image, caption);
  item.append(button);
  position(item, place);
  return item;
}

/** What stands below a thumbnail: three lines, as high as `--caption` in the style. */
function captionLines(photo) {
  const first = make("span");
  first.append(make("span", "number", number(photo.score)), meterOf(photo.word));
  const second = make("span", "small", words[photo.word] ?? "");
  if (photo.fault) second.append(make("span", "fault", photo.fault));
  if (photo.unfamiliar) second.append(make("span", "faint", "unfamiliar"));
  const third = make("span", "faint name");
  third.append(make("bdi", "", photo.path)); // cut at its beginning
  return [first, second, third];
}

function render() {
  const top = -list.getBoundingClientRect().top;
  const first = Math.max(0, (Math.floor(top / rowHeight) - 2) * columns);
  const end = (Math.ceil((top + window.innerHeight) / rowHeight) + 2) * columns;
  const last = Math.min(shown.length, Math.max(end, 0));
  for (const [place, item] of items) {
    // The one with the focus stays, or the keyboard would lose its place.
    if ((place < first || place >= last) && !item.contains(document.activeElement)) {
      item.remove();
      items.delete(place);
    }
  }
  const added = document.createDocumentFragment();
  for (let place = first; place < last; place++) {
    if (!items.has(place)) {
      const item = card(shown[place], place);
      items.set(place, item);
      added.append(item);
    }
  }
  list.append(added);
  if (!items.has(current) && items.size) {
    // Tab comes to what can be seen.
    stand(Math.min(...items.keys()));
  }
}

function stand(place) {
  items.get(current)?.firstChild.setAttribute("tabindex", "-1");
  current = place;
  items.get(current)?.firstChild.setAttribute("tabindex", "0");
}

function goTo(place) {
  place = Math.max(0, Math.min(shown.length - 1, place));
  const row = Math.floor(place / columns) * rowHeight;
  const box = list.getBoundingClientRect();
  const filters = element("filters");
  const isSticky = getComputedStyle(filters).position === "sticky";
  const covered = isSticky ? filters.offsetHeight : 0;
  if (box.top + row < covered) window.scrollBy(0, box.top + row - covered - gap);
  else if (box.top + row + rowHeight > window.innerHeight) {
    window.scrollBy(0, box.top + row + rowHeight - window.innerHeight);
  }
  render();
  items.get(place)?.firstChild.focus({ preventScroll: true });
}

list.addEventListener("keydown", (event) => {
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
  const step = steps[event.key];
  if (step) goTo(current + step);
  else if (event.key === "Home") goTo(0);
  else if (event.key === "End") goTo(shown.length - 1);
  else return;
  event.preventDefault();
});
window.addEventListener("scroll", render, { passive: true });
new ResizeObserver(layOut).observe(list.parentElement);

// -- The larger view.

const view = element("view");
let viewed = null;

function show(photo) {
  viewed = photo;
  const place = shown.indexOf(photo);
  element("view-path").textContent = photo.path;
  element("view-image").src = photo.image ?? "";
  element("view-why").hidden = !photo.map || !photo.image;
  if (element("why").checked) showMap(photo);
  element("view-image").alt = photo.image ? photo.path : "";
  element("place").textContent = `${place + 1} of ${shown.length}`;
  element("previous").disabled = place <= 0;
  element("next").disabled = place >= shown.length - 1;
  element("copied").textContent = "";
  element("open").hidden = !photo.link;
  element("open").href = photo.link ?? "";
  element("facts").replaceChildren(...facts(photo).flatMap(([name, ...said]) => {
    const value = make("dd");
    value.append(...said);
    return [make("dt", "", name), value];
  }));
  element("group").replaceChildren(...alike(photo));
}

/** Shows the photo of the larger view in grey, with its map over it. */
async function showMap(photo) {
  if (!photo.map || !photo.image) return;
  const [picture, map] = [new Image(), new Image()];
  picture.src = photo.image;
  map.src = photo.map;
  await Promise.all([picture.decode(), map.decode()]);
  if (viewed !== photo || !element("why").checked) return; // somebody was faster
  element("view-image").src = underMap(picture, map);
  element("view-image").alt = `${photo.path}, with the places that raise or lower its score`;
}

element("why").addEventListener("change", () => show(viewed));
element("view-image").addEventListener("click", () => {
  if (element("view-why").hidden) return;
  element("why").checked = !element("why").checked;
  show(viewed);
});

function facts(photo) {
  const coverage = percent(100 * data.coverage);
  const rows = [
    ["Score", make("span", "number", number(photo.score)), meterOf(photo.word), words[photo.word] ?? ""],
    [`${coverage} interval`, `${number(photo.low)} to ${number(photo.high)}`],
  ];
  if (photo.percentile !== undefined) {
    const share = percent(photo.percentile);
    rows.push(["Better than", `${share} of the photos that the preset knows`]);
  }
  rows.push(["Familiar", photo.unfamiliar ? "no: do not trust this score" : "yes"]);
  if (photo.faults !== undefined) rows.push(["Diagnosis", photo.faults]);
  if (photo.taken) rows.push(["Taken", photo.taken]);
  return rows;
}

function alike(photo) {
  if (photo.group === undefined) return [];
  const row = make("div");
  for (const other of groups.get(photo.group)) {
    const button = make("button");
    button.type = "button";
    button.setAttribute("aria-label", spoken(other));
    if (other === photo) button.setAttribute("aria-current", "true");
    if (other.image) {
      const picture = make("img");
      picture.alt = "";
      picture.src = other.image;
      button.append(picture);
    }
    button.append(`${number(other.score)}${other.place === 0 ? " ★" : ""}`);
    button.addEventListener("click", () => {
      const place = shown.indexOf(other);
      if (place >= 0) stand(place);
      show(other);
      element("group").querySelector("[aria-current]").focus();
    });
    row.append(button);
  }
  return [make("h2", "", "Looks alike; the star has the best score"), row];
}

function open(place) {
  stand(place);
  show(shown[place]);
  view.showModal();
}

function step(by) {
  const place = shown.indexOf(viewed) + by;
  if (place < 0 || place >= shown.length) return;
  show(shown[place]);
  goTo(place); // behind the view, where closing leads back to
}

element("previous").addEventListener("click", () => step(-1));
element("next").addEventListener("click", () => step(1));
element("close").addEventListener("click", () => view.close());
view.addEventListener("click", (event) => event.target === view && view.close());
view.addEventListener("close", () => goTo(Math.max(0, shown.indexOf(viewed))));
view.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") step(-1);
  else if (event.key === "ArrowRight") step(1);
  else return;
  event.preventDefault();
});
element("copy").addEventListener("click", async () => {
  let copied = true;
  try {
    await navigator.clipboard.writeText(viewed.path);
  } catch {
    // Browsers that keep the clipboard from pages of the disk.
    getSelection().selectAllChildren(element("view-path"));
    copied = document.execCommand("copy");
  }
  element("copied").textContent = copied ? "Copied" : "Select the path to copy it";
});

buildFilters();
choose();
