"""The page of an album, looked at as text and in a browser."""

import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from tests.albums.conftest import names

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")


@pytest.fixture(scope="session")
def page(album, holiday):
    path = holiday.parent / "page.html"
    album.save_page(path, title="Holiday <i>")
    return path


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def test_the_page_names_nothing_outside_of_itself(page):
    text = page.read_text()
    for _, attributes in Elements(text).found:
        for name in ("src", "href", "action", "data", "srcset", "poster"):
            assert attributes.get(name, "data:,").startswith("data:")
    style = re.search(r"<style>(.*?)</style>", text, re.S)[1]
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in text


def test_names_of_files_are_text_and_never_marks(page):
    text = page.read_text()
    assert "<h1>Holiday &lt;i&gt;</h1>" in text
    assert "<b>&bikes" not in text
    assert text.count("</script>") == 2


def test_the_data_are_those_of_the_album(page, album):
    data = json.loads(re.search(r'id="data">(.*?)</script>', page.read_text(), re.S)[1])
    assert [entry["path"] for entry in data["photos"]] == [
        photo.name for photo in album.sorted("best")
    ]
    for entry, photo in zip(data["photos"], album.sorted("best"), strict=True):
        assert entry["score"] == pytest.approx(float(photo.score), abs=1e-6)
        assert data["words"][entry["word"]] == photo.score.word
        assert (entry.get("group"), entry.get("place", 0)) == album.places.get(photo, (None, 0))
        assert entry["image"].startswith("data:image/")
    (link,) = (entry["link"] for entry in data["photos"] if "motor" in entry["path"])
    assert link == "./holiday/motor%20%3Cb%3E%26bikes.png"


def test_unreadable_and_left_out_files_are_listed(page):
    text = page.read_text()
    assert "1 without a score; 1 other file left out: 1 .txt" in text
    assert "broken.jpg: " in text


# Runs in the page once it is there; what it returns is compared below.
CHECKS = """
<script>
const wait = (time = 60) => new Promise((done) => setTimeout(done, time));
const list = document.getElementById("photos");
const one = (id) => document.getElementById(id);
const shown = () => [...list.querySelectorAll("li")]
  .sort((a, b) => a.getAttribute("aria-posinset") - b.getAttribute("aria-posinset"))
  .map((item) => item.querySelector("bdi").textContent.split("/").pop());
const change = (id, value) => {
  one(id).value = value;
  one(id).dispatchEvent(new Event("input"));
  one(id).dispatchEvent(new Event("change"));
};
const reset = async () => { one("filters").reset(); await wait(); };
const press = (key) =>
  document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
(async () => {
  const found = {};
  await wait();
  found.together = shown();
  found.badges = [...list.querySelectorAll(".badge")].map((badge) => badge.textContent);
  found.bars = one("histogram").children.length;
  found.spoken = list.querySelector("button").getAttribute("aria-label");
  found.count = one("count").textContent;
  change("alike", "single");
  found.best = shown();
  change("order", "worst");
  found.worst = shown();
  change("order", "name");
  found.name = shown();
  await reset();
  change("alike", "best");
  found.bestOfGroups = shown();
  await reset();
  change("text", "BURST");
  found.text = shown();
  change("text", "nothing like that");
  found.none = [shown().length, one("none").hidden];
  await reset();
  for (const box of one("words").querySelectorAll("input")) if (box.checked) box.click();
  found.noWord = shown().length;
  await reset();
  change("from", 39);
  found.range = shown().length;
  await reset();
  list.querySelector("[tabindex='0']").focus();
  press("ArrowRight");
  found.second = document.activeElement.title.split("/").pop();
  press("End");
  found.last = document.activeElement.title.split("/").pop();
  press("Home");
  document.activeElement.click();
  found.open = one("view").open;
  found.viewed = one("view-path").textContent.split("/").pop();
  found.facts = [...one("facts").querySelectorAll("dt")].map((term) => term.textContent);
  press("ArrowRight");
  found.next = one("view-path").textContent.split("/").pop();
  one("close").click();
  // The browser says that it is closed with the next picture that it draws. Its clock here runs
  // with timers, however little time has passed: many short ones.
  const viewed = one("view-path").textContent;
  for (let i = 0; i < 1500 && document.activeElement.title !== viewed; i++) await wait(10);
  found.focus = document.activeElement.title.split("/").pop();
  found.unnamed = [...document.querySelectorAll("button, input, select")].filter((control) =>
    !(control.getAttribute("aria-label") || control.textContent.trim() || control.labels?.length)
  ).map((control) => control.outerHTML);
  found.fetched = performance.getEntriesByType("resource").filter(
    ({ name }) => !name.startsWith("data:")).map(({ name }) => name);
  found.wide = document.documentElement.scrollWidth <= window.innerWidth;
  return found;
})().then((found) => found, (error) => ({ error: String(error) + error.stack })).then((found) => {
  const result = document.createElement("pre");
  result.id = "result";
  result.textContent = JSON.stringify(found);
  document.body.append(result);
});
</script>
"""


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_page_works_in_a_browser(page, album, tmp_path):
    checked = tmp_path / "checked.html"
    checked.write_text(page.read_text().replace("</body>", f"{CHECKS}</body>"))
    result = subprocess.run(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,1000"),
            *(f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=20000"),
            *("--dump-dom", checked.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    text = re.search(r'<pre id="result">(.*?)</pre>', result.stdout, re.S)
    assert text, result.stderr[-2000:]
    found = json.loads(html.unescape(text[1]))
    assert "error" not in found
    best = names(album.sorted("best"))
    together = found["together"]
    assert sorted(together) == sorted(best)
    for group in album.groups:
        start = together.index(names([group.best])[0])
        assert together[start : start + len(group.photos)] == names(group.photos)
    assert sorted(found["badges"]) == ["2 of 2", "2 of 3", "3 of 3", "★ best of 2", "★ best of 3"]
    assert found["bars"] == 40
    assert re.search(r"score \d\.\d{3};", found["spoken"])
    assert found["count"] == "All 6 photos"
    assert found["best"] == best
    assert found["worst"] == best[::-1]
    assert sorted(found["name"]) == sorted(best)
    assert found["name"][:3] == ["burst0.jpg", "burst1.jpg", "burst2.jpg"]
    assert sorted(found["bestOfGroups"]) == sorted(names(album.best_of_groups()))
    assert sorted(found["text"]) == ["burst0.jpg", "burst1.jpg", "burst2.jpg"]
    assert found["none"] == [0, False]
    assert found["noWord"] == 0
    scores = [0.0, 1.0, *(float(photo.score) for photo in album.photos)]
    last = max(scores) - (max(scores) - min(scores)) / 40
    assert found["range"] == sum(photo.score >= last for photo in album.photos)
    assert found["second"] == together[1]
    assert found["last"] == together[-1]
    assert (found["open"], found["viewed"]) == (True, together[0])
    assert found["facts"][:4] == ["Score", "95 % interval", "Better than", "Familiar"]
    assert found["next"] == found["focus"] == together[1]
    assert found["unnamed"] == []
    assert found["fetched"] == []
    assert found["wide"]
