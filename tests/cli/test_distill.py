"""`reiqa distill`: what it prints and leaves, and what it refuses before anything is computed."""

import pytest

import reiqa_tf
from tests.small_models import small_scorer

CONFIG = """
from reiqa_tf.distillation import config

def get_config():
    return config.DistillConfig(
        student=config.Student(
            config.EncoderDesign(
                config.EfficientNetLite(width=0.1, last_stage="stage2"), scales=1
            ),
            working_size=40,
        ),
        optimizer=config.AdamW(1e-3, 8, 0.0),
        schedule=config.Schedule(2, 0, 1e-5, 0.1),
        batch_size=8, distorted=0, held_out=0.4,
    )
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("distill")
    small_scorer().save_to_preset(folder / "teacher")
    (folder / "student.py").write_text(CONFIG)
    return folder


@pytest.mark.slow  # trains
def test_a_student_is_taught_and_can_score(reiqa, folder, scored_crops):
    result = reiqa(
        "distill", scored_crops, "--out", folder / "run", "--teacher", folder / "teacher",
        "--student", folder / "student.py", "--no-cache", "--no-export",
    )  # fmt: skip
    assert result.code == 0, result.err
    for words in ("36, 24", "8 of 8", "SRCC with people, student", "SRCC with people, teacher"):
        assert words in result.out
    student = reiqa_tf.load_preset(folder / "run" / "preset")
    assert student.content.scales == 1
    assert student.working_size == 40


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.csv", "b.csv"], "expected one scores.csv, or photos. Received: a.csv, b.csv"),
        (["nowhere.csv"], "nowhere.csv"),
        (["nowhere/"], "nowhere"),
        (["tests/photos", "--set", "people=2"], "0 <= people <= 1"),
        (
            ["tests/photos", "--student", "nano"],
            "nano: no such configuration. Known are: nano_lite0.",
        ),
        (["tests/photos", "--teacher", "nobody"], "nobody"),
    ],
)
def test_what_cannot_be_distilled_is_refused(reiqa, words, message, tmp_path):
    result = reiqa("distill", *words, "--out", tmp_path / "run")
    assert result.code != 0
    assert message in result.err
    assert not (tmp_path / "run").exists()
