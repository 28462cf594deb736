"""What checks the site and makes notes of a release; the site itself is built by `.ci/run docs`."""

import importlib.util
import pathlib
import re

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
