"""`reiqa presets`: a list, a page for people, and everything as JSON."""

import json

import pytest

from reiqa_tf.presets.folders import preset_folder, read_metadata, shipped_presets


def test_the_list_names_every_shipped_preset(reiqa):
    listed = reiqa("presets")
    assert listed.code == 0
    for name in shipped_presets():
        assert name in listed.out


@pytest.mark.parametrize("name", shipped_presets())
def test_the_page_of_a_preset_is_for_people(reiqa, name):
    page = reiqa("presets", name)
    assert page.code == 0
    lines = page.out.splitlines()
    assert len(lines) < 40
    assert max(map(len, lines[:-4])) <= 100
    metadata = read_metadata(name)
    words = " ".join(page.out.split())
    assert " ".join(metadata["description"].split()) in words
    assert f"SRCC {metadata['metrics']['held_out']['srcc']:.3f} [" in words
    assert f"{metadata['parameter_count']:,} parameters" in words
    for word in ("data", "licence", "score", "0 to 1, higher is better"):
        assert word in words
    onnx = preset_folder(name) / "exports" / "model.onnx"
    assert ("exports/model.onnx" in words) == onnx.exists()
    assert f"reiqa presets {name} --json" in words


def test_json_is_all_that_the_preset_says_about_itself(reiqa):
    shown = reiqa("presets", "content_lite0_biq2021", "--json")
    assert json.loads(shown.out) == read_metadata("content_lite0_biq2021")
    assert "name of a preset" in reiqa("presets", "--json").err


@pytest.mark.parametrize(
    ("about", "expected"),
    [({}, "no head yet"), ({"feature_order": {"content": 3}}, "not as `save_preset` writes")],
)
def test_a_page_is_shown_of_whatever_there_is(reiqa, tmp_path, about, expected):
    (tmp_path / "metadata.json").write_text(json.dumps({"sha256": {}, **about}))
    page = reiqa("presets", tmp_path)
    assert expected in page.out + page.err
