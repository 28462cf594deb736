"""`reiqa_tf.distill`: a student learns, and a run that stops goes on to the same weights."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import reiqa_tf
from reiqa_tf.data.scored_photos import read_scored_photos
from reiqa_tf.distillation.config import (
    AdamW,
    Checkpoints,
    ConfigError,
    DistillConfig,
    EfficientNetLite,
    EncoderDesign,
    LossWeights,
    Schedule,
    Student,
    load_config,
    override,
)
from reiqa_tf.distillation.distill import _standardised, _targets
from reiqa_tf.distillation.lessons import Lessons
from reiqa_tf.distillation.objective import DistillStep
from reiqa_tf.distillation.student import Start, new_student
from reiqa_tf.models.counting import multiply_adds
from reiqa_tf.presets.folders import read_metadata
from reiqa_tf.training.checkpoints import CheckpointFolder
from reiqa_tf.training.history import read_history
from reiqa_tf.training.objective import TrainingError
from reiqa_tf.tuning.step import TunedModel
from tests.small_models import small_scorer
from tests.stopping import StopAfter

STUDENT = Student(
    EncoderDesign(
        EfficientNetLite(width=0.1, last_stage="stage3"),
        stages=("stage1", "stage3"),
        pooling="mean_and_deviation",
        scales=1,
    ),
    working_size=40,
)
CONFIG = DistillConfig(
    STUDENT,
    optimizer=AdamW(2e-3, 8, 0.0),
    schedule=Schedule(epochs=4, warmup_epochs=1, warmup_from=1e-5, final_share=0.1),
    batch_size=8,
    distorted=0,  # each distortion is compiled for each size: tests of lessons have some
    held_out=0.4,
    averaging=0.5,
    checkpoints=Checkpoints(every=3, keep=2),
)


@pytest.fixture(scope="module")
def run(scored_crops, tmp_path_factory):
    """A run that nobody interrupted."""
    return reiqa_tf.distill(scored_crops, tmp_path_factory.mktemp("run"), small_scorer(), CONFIG)


@pytest.mark.slow
def test_a_run_leaves_a_student_that_says_who_taught_it(run):
    assert (run.step, run.steps, run.interrupted) == (16, 16, False)
    assert (run.photos, run.lessons, run.held_out) == (36, 36, 24)
    assert {path.name for path in run.folder.iterdir()} == {
        "best", "checkpoints", "config.json", "curves.png", "history.csv", "lessons",
        "preset", "report.html", "start", "validation.csv",
    }  # fmt: skip
    student = reiqa_tf.load_preset(run.folder / "preset")
    assert student.working_size == 40
    assert list(student.experts()) == ["content"]
    assert student.feature_count == 2 * (8 + 8)
    for ours, kept in zip(run.scorer.weights, student.weights, strict=True):
        np.testing.assert_array_equal(ours, kept)
    about = read_metadata(run.folder / "preset")
    assert about["distillation"]["lessons"] == 36
    assert about["metrics"]["held_out"]["srcc"] == run.agreement.srcc
    report = (run.folder / "report.html").read_text()
    assert "36 photos, 36 lessons; 4 epochs, 16 steps" in report


@pytest.mark.slow
def test_the_losses_fall(run):
    history = read_history(run.folder / "history.csv")
    total = history["huber"] + history["plcc"] + 0.5 * history["parts"]
    np.testing.assert_allclose(history["loss"], total, rtol=1e-5)
    assert history["loss"][-4:].mean() < history["loss"][:4].mean()


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_to_the_same_weights(run, scored_crops, tmp_path):
    first = reiqa_tf.distill(
        scored_crops, tmp_path, small_scorer(), CONFIG, callbacks=[StopAfter(7)]
    )
    assert (first.interrupted, first.step, first.agreement) == (True, 7, None)
    again = reiqa_tf.distill(scored_crops, tmp_path, small_scorer(), CONFIG)
    assert again.agreement == run.agreement
    assert again.validations == run.validations
    one, two = (
        CheckpointFolder(folder / "checkpoints", 2).newest() for folder in (run.folder, tmp_path)
    )
    assert one.step == two.step == 16
    for expected, found in zip(one.arrays.values(), two.arrays.values(), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_photos_that_nobody_scored_teach_what_the_teacher_says(scored_crops, tmp_path):
    paths = read_scored_photos(scored_crops).paths
    config = dataclasses.replace(CONFIG, schedule=Schedule(1, 0, 1e-5, 0.1))
    run = reiqa_tf.distill(paths, tmp_path, small_scorer(), config)
    assert run.teacher_agreement is None
    assert run.agreement.srcc == pytest.approx(max(row.srcc for row in run.validations), abs=1e-6)
    score = reiqa_tf.load_preset(tmp_path / "preset").score(paths[0])
    assert score.familiar is None


def _lessons(scores, rows, is_photo):
    count = len(scores)
    return Lessons(
        [np.zeros((32, 32, 3), np.uint8)] * count,
        np.full((count, 2), 32),
        np.array(rows),
        np.array(is_photo),
        np.array(scores, np.float32),
        np.zeros((count, 1)),
        {},
    )


def test_people_have_their_share_in_what_is_learned_of_photos_alone(scored_crops):
    scored = read_scored_photos(scored_crops).rows([0, 1, 2])
    scored = dataclasses.replace(scored, scores=np.array([10.0, 20.0, 40.0]))
    lessons = _lessons([0.1, 0.2, 0.4, 0.3], [0, 1, 2, 2], [True, True, True, False])
    # The teacher's scale is brought to people's: here the two agree, so that both say the same.
    np.testing.assert_allclose(_targets(lessons, scored, 0.5), [10, 20, 40, 30], rtol=1e-5)
    lessons = _lessons([0.2, 0.1, 0.4, 0.3], [0, 1, 2, 2], [True, True, True, False])
    slope, intercept = np.polyfit([0.2, 0.1, 0.4], scored.scores, 1)
    expected = slope * lessons.scores + intercept
    expected[:3] = 0.25 * expected[:3] + 0.75 * scored.scores
    np.testing.assert_allclose(_targets(lessons, scored, 0.75), expected, rtol=1e-5)
    np.testing.assert_array_equal(_targets(lessons, scored, 0.0), lessons.scores)
    falling = _lessons([0.4, 0.2, 0.1, 0.3], [0, 1, 2, 2], [True, True, True, False])
    with pytest.raises(TrainingError, match="lower is better"):
        _targets(falling, scored, 0.5)


def test_the_losses_are_those_of_the_guide(photo):
    generator = np.random.default_rng(0)
    scorer = small_scorer(quality=None)
    count = scorer.feature_count
    start = Start(
        scorer,
        generator.normal(size=(count, 3)) / count,
        generator.normal(size=3).astype(np.float32),
    )
    images = np.stack([photo[y : y + 40, 99:139] for y in (0, 60, 200, 300)])
    wanted = generator.uniform(size=4).astype(np.float32)
    parts = generator.normal(size=(4, 3)).astype(np.float32)
    config = dataclasses.replace(CONFIG, losses=LossWeights(2.0, 3.0, 4.0))
    step = DistillStep(
        TunedModel(scorer, 0.9), None, tf.distribute.get_strategy(), config, start, 0.5, 0.25
    )
    batch = {"image": tf.constant(images), "score": wanted, "parts": parts}
    features = scorer.features(images).numpy()
    predicted = (scorer(images).numpy() - 0.5) / 0.25
    target = (wanted - 0.5) / 0.25
    error = np.abs(predicted - target)
    huber = np.where(error < 1, error**2 / 2, error - 0.5).mean()
    plcc = 1 - np.corrcoef(predicted, target)[0, 1]
    distance = ((features @ start.parts_kernel + start.parts_bias - parts) ** 2).mean()
    expected = [2 * huber + 3 * plcc + 4 * distance, huber, plcc, distance]
    np.testing.assert_allclose(step.losses(batch), expected, rtol=1e-4)


def test_parts_are_standardised_and_those_that_never_differ_are_nothing():
    parts = np.array([[1.0, 5.0], [3.0, 5.0]])
    np.testing.assert_allclose(_standardised(parts), [[-1, 0], [1, 0]])


def test_a_student_begins_as_its_teachers_early_layers():
    teacher = small_scorer()
    student = new_student(STUDENT, teacher, seed=0)
    taken = len(student.content.backbone.weights)
    for ours, theirs in zip(
        student.content.backbone.weights, teacher.content.backbone.weights[:taken], strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    random = dataclasses.replace(STUDENT, start=None)
    fresh = [new_student(random, teacher, seed) for seed in (1, 1, 2)]
    kernels = [one.quality.backbone.stem.weights[0] for one in fresh]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert np.abs(kernels[0] - kernels[2]).max() > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"start": "quality"},
            "whose quality expert begins as EfficientNetLite",
        ),
        ({"encoder": EncoderDesign(EfficientNetLite(width=0.5))}, "None begins with random"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        new_student(dataclasses.replace(STUDENT, **changes), small_scorer(), 0)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("batch_size=1", "batch_size: expected 2 or more"),
        ("people=1.5", "0 <= people <= 1"),
        ("losses.parts=-1", "losses: expected weights from 0 up"),
        ("student.start=both", "student.start: expected content, quality or None"),
        ("student.working_size=16", "student.working_size: expected 32 or more"),
        ("precision=float16", "precision: expected float32 or bfloat16"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(setting, message):
    with pytest.raises(ConfigError, match=message):
        override(load_config("nano_lite0"), setting)


def test_no_loss_at_all_is_refused():
    with pytest.raises(ConfigError, match="one above 0"):
        dataclasses.replace(CONFIG, losses=LossWeights(0.0, 0.0, 0.0))


def test_the_shipped_student_computes_an_eighth_of_its_teacher():
    config = load_config("nano_lite0").student
    student = new_student(dataclasses.replace(config, start=None), small_scorer(), 0)
    cost = multiply_adds(student.quality, config.working_size, config.working_size)
    assert cost < 0.6e9


def test_a_teacher_without_a_head_is_refused(scored_crops, tmp_path):
    with pytest.raises(TrainingError, match="expected a preset with a head"):
        reiqa_tf.distill(scored_crops, tmp_path, small_scorer(head=None), CONFIG)
