"""What `reiqa_tf.explain` returns, and the files it is written to."""

import json

import numpy as np
import pytest
from PIL import Image

import reiqa_tf
from reiqa_tf.explanation.diagnosis import NO_FAULT, Diagnosis, DiagnosisError
from reiqa_tf.explanation.drawing import color_limit, colors_of, stage_label
from reiqa_tf.explanation.explainer import ExplainingError, open_explainer
from reiqa_tf.explanation.faults import FAMILIES
from reiqa_tf.files import OutputError


def test_an_explanation_adds_up_to_the_score_that_scoring_gives(why, small_preset, photos_folder):
    score = reiqa_tf.score(photos_folder / "kodim23.png", small_preset, "keras")
    assert float(why.score) == pytest.approx(float(score), abs=1e-4)
    assert why.average + sum(why.parts.values()) == pytest.approx(float(score), abs=1e-4)
    assert why.average + why.map().sum() == pytest.approx(float(score), abs=1e-4)


def test_maps_can_be_asked_for_by_what_they_are(why):
    both = why.map("quality", "full") + why.map("quality", "half")
    assert np.allclose(why.map("quality"), both, atol=1e-6)
    sums = why.parts_by("expert")
    assert why.map("content").sum() == pytest.approx(sums[("content",)], abs=1e-4)
    with pytest.raises(ValueError, match="map: expected one of content full means"):
        why.map("sharpness")


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_pictures_are_written(why, tmp_path, ending):
    why.save(tmp_path / f"why.{ending}")
    with Image.open(tmp_path / f"why.{ending}") as picture:
        assert picture.width == 1320


def test_numbers_are_written(why, tmp_path):
    why.save(tmp_path / "why.json")
    document = json.loads((tmp_path / "why.json").read_text())
    points = document["average"] + sum(part["points"] for part in document["parts"])
    assert points == pytest.approx(document["score"], abs=1e-4)
    assert np.shape(document["map"]) == (32, 32)
    assert len(document["diagnosis"]["faults"]) == len(FAMILIES)


def test_a_page_asks_the_network_for_nothing(why, tmp_path):
    why.save(tmp_path / "why.html")
    page = (tmp_path / "why.html").read_text()
    assert "https://" not in page
    assert "http://" not in page
    assert why.diagnosis.text in page


def test_files_are_replaced_only_if_that_is_asked_for(why, tmp_path):
    why.save(tmp_path / "why.json")
    with pytest.raises(OutputError, match="exists"):
        why.save(tmp_path / "why.json")
    why.save(tmp_path / "why.json", overwrite=True)
    with pytest.raises(ValueError, match="expected a name that ends with"):
        why.save(tmp_path / "why.txt")


def test_a_preset_without_a_diagnosis_says_how_to_get_one(tmp_path, scorer):
    reiqa_tf.save_preset(scorer, tmp_path / "preset")
    with pytest.raises(DiagnosisError, match="reiqa fit-diagnosis PHOTOS --preset"):
        open_explainer(tmp_path / "preset")
    with pytest.raises(ExplainingError, match="no ONNX file that explains"):
        open_explainer(tmp_path / "preset", "onnx")


def test_a_damaged_diagnosis_is_refused(tmp_path, small_preset):
    import shutil

    shutil.copytree(small_preset, tmp_path / "preset")
    (tmp_path / "preset" / "diagnosis.npz").write_bytes(b"nothing")
    with pytest.raises(DiagnosisError, match="damaged or changed"):
        open_explainer(tmp_path / "preset")


def test_faults_are_sorted_by_how_sure_they_are():
    probabilities = np.full(len(FAMILIES), 0.1)
    probabilities[2], probabilities[3] = 0.8, 0.9
    diagnosis = Diagnosis.of(probabilities, np.full(len(FAMILIES), 2.0), np.full(9, 0.5))
    assert [fault.family for fault in diagnosis.found] == ["compression", "noise"]
    assert diagnosis.main == diagnosis.faults[0]
    assert diagnosis.text == "JPEG, quality about 2.0; noise, about 2.0 of 255 levels"
    clean = Diagnosis.of(np.full(9, 0.1), np.full(9, 2.0), np.full(9, 0.5))
    assert clean.main is None
    assert clean.text == NO_FAULT


@pytest.mark.parametrize(
    ("name", "amount", "text"),
    [
        ("blur", 1.62, "blur, about 1.6 px"),
        ("compression", 35.2, "JPEG, quality about 35"),
        ("exposure", -12.3, "too dark by about 10 % of the range"),
        ("exposure", 6.6, "too bright by about 7 % of the range"),
    ],
)
def test_amounts_are_said_in_physical_units(name, amount, text):
    (family,) = (family for family in FAMILIES if family.name == name)
    assert family.said(amount) == text


def test_colours_are_orange_below_zero_and_blue_above():
    (low, none, high) = colors_of(np.array([[-1.0, 0.0, 1.0]]), 1.0)[0]
    assert low[0] > low[2]
    assert high[2] > high[0]
    assert none[3] == 0


def test_a_colour_scale_ends_at_a_round_number():
    assert color_limit(np.linspace(-0.9, 0.9, 1001)) == 1.0
    assert color_limit(np.zeros(5)) == 1.0


def test_stages_are_written_for_people():
    assert stage_label("stage6_block4_depthwise") == "stage 6, block 4"
    assert stage_label("stem") == "stem"
