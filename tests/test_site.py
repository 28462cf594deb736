"""What checks the site and makes notes of a release; the site itself is built by `.ci/run docs`."""

import importlib.util
import pathlib
import re
import shutil
import subprocess

import pytest

import reiqa_tf
from docs import check_links

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture
def site(tmp_path):
    pages = {
        "index.html": '<a href="guide/#how">how</a> <a href="https://example.org/gone">there</a>',
        "guide/index.html": '<h2 id="how">How</h2> <a href="..">up</a> <img src="../a%20b.png">',
        "404.html": '<a href="/nowhere/">nowhere</a>',
    }
    for name, text in pages.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (tmp_path / "a b.png").write_bytes(b"")
    return tmp_path


def test_a_site_whose_links_lead_somewhere_has_none_that_are_broken(site):
    assert check_links.broken_links(site) == []


def test_missing_pages_pictures_and_anchors_are_named(site):
    (site / "index.html").write_text('<a href="guide/#why">why</a> <a href="gone/">gone</a>')
    (site / "a b.png").unlink()
    assert check_links.broken_links(site) == [
        "guide/index.html: ../a%20b.png: no such file",
        "index.html: guide/#why: no such anchor",
        "index.html: gone/: no such file",
    ]


def test_the_citation_has_the_version_of_the_package():
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.findall(r"^version: (.*)$", citation, re.MULTILINE) == [reiqa_tf.__version__]


def _notes():
    path = ROOT / ".ci" / "release_notes.py"
    spec = importlib.util.spec_from_file_location("release_notes", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.notes


def test_the_notes_of_a_release_are_the_section_of_its_version():
    newest = "## 1.2.0, 2026-12-01\n\n### Added\n\n- a\n\n"
    changelog = f"# Changes\n\n## Unreleased\n\n{newest}## 1.1.0\n\n- b\n"
    assert _notes()(changelog, "1.2.0") == "# 1.2.0, 2026-12-01\n\n### Added\n\n- a\n"
    assert _notes()(changelog, "1.1.0") == "# 1.1.0\n\n- b\n"


def test_the_notes_of_a_dry_run_are_what_is_unreleased():
    changelog = "## Unreleased\n\n- soon\n\n## 1.1.0\n\n- b\n"
    assert _notes()(changelog, "1.1.0") == "# Unreleased\n\n- soon\n"


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.mark.slow  # starts a browser
@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
@pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="needs Chromium")
@pytest.mark.skipif(
    not (ROOT / "web" / "node_modules").is_dir(), reason="needs `npm ci --prefix web`"
)
def test_a_visitor_names_whatever_a_site_has_that_is_wrong(site):
    def visited():
        command = ["node", ROOT / "web" / "visit_site.mjs", site]
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        *problems, summary = result.stdout.splitlines()
        assert result.returncode == bool(problems), result.stderr
        assert summary.startswith(f"{len(problems)} problems on 2 pages with ")
        return problems

    icon = '<link rel="icon" href="data:,">'
    good = icon + '<a href="guide/#how">how</a> <a href="https://example.org/gone">there</a>'
    (site / "index.html").write_text(good)
    (site / "guide" / "index.html").write_text(icon + '<h2 id="how">How</h2> <a href="..">up</a>')
    assert visited() == []
    (site / "guide" / "index.html").write_text(
        icon + '<a href="#how">how</a> <a href="../gone/">gone</a> <img src="../a%20b.png">'
        '<script>console.error("oh"); nothing();</script>'
        '<script src="https://example.org/x.js"></script><p style="width: 400px">wide</p>'
    )
    (site / "alone").mkdir()
    (site / "alone" / "index.html").write_text(good)
    assert [re.sub(r"http://127.*?/", "", line) for line in visited()] == [
        "alone/: no link leads here",
        "guide/: 408 px wide on 360 px",
        "guide/: asks another host: https://example.org/x.js",
        "guide/: console: Failed to load resource: net::ERR_NAME_NOT_RESOLVED",
        "guide/: console: oh",
        "guide/: error: nothing is not defined",
        "guide/: gone/: 404",
        "guide/: guide/#how: no such anchor",
        "guide/: picture is not shown: a%20b.png",
        "guide/: request failed: https://example.org/x.js: net::ERR_NAME_NOT_RESOLVED",
        "start page: guide/#how: no such anchor",
    ]
