"""`reiqa_tf.tune`: a small scorer learns, a run that stops goes on to the same weights."""

import dataclasses

import keras
import numpy as np
import pytest
from PIL import Image

import reiqa_tf
from reiqa_tf.data.scored_photos import read_scored_photos
from reiqa_tf.models.encoder import ReIQAEncoder
from reiqa_tf.models.head import LinearHead
from reiqa_tf.models.resnet import ResNetBackbone
from reiqa_tf.models.scorer import ReIQAScorer
from reiqa_tf.presets.folders import read_metadata
from reiqa_tf.scoring.calibration import Calibration
from reiqa_tf.training.checkpoints import CheckpointFolder
from reiqa_tf.training.history import read_history
from reiqa_tf.training.objective import TrainingError
from reiqa_tf.tuning.config import AdamW, Checkpoints, LossWeights, Schedule, TuneConfig
from reiqa_tf.tuning.material import split_off, split_pairs
from reiqa_tf.tuning.objective import rate_factors
from reiqa_tf.tuning.tune import best_weights, mean_of
from reiqa_tf.tuning.validation import Validated, Validation
from tests.small_models import small_scorer
from tests.stopping import StopAfter

CONFIG = TuneConfig(
    optimizer=AdamW(5e-4, 8, 0.0),
    schedule=Schedule(epochs=4, warmup_epochs=1, warmup_from=1e-5, final_share=0.1),
    batch_size=8,
    crop=32,
    held_out=0.4,
    averaging=0.5,
    rate_by_depth=0.9,
    checkpoints=Checkpoints(every=2, keep=2),
)


@pytest.fixture(scope="module")
def run(scored_crops, tmp_path_factory):
    """A run that nobody interrupted."""
    return reiqa_tf.tune(scored_crops, tmp_path_factory.mktemp("run"), small_scorer(), CONFIG)


@pytest.mark.slow
def test_a_run_leaves_a_preset_that_says_where_it_is_from(run):
    assert (run.step, run.steps, run.interrupted, run.photos, run.held_out) == (
        32,
        32,
        False,
        36,
        24,
    )
    assert {path.name for path in run.folder.iterdir()} == {"content", "quality", "preset"}
    for name, expert in run.experts.items():
        assert {path.name for path in (run.folder / name).iterdir()} == {
            "best", "checkpoints", "config.json", "curves.png", "history.csv",
            "report.html", "start", "validation.csv",
        }  # fmt: skip
        assert [row.step for row in expert.validations] == [0, 4, 8, 12, 16]
    preset = reiqa_tf.load_preset(run.folder / "preset")
    for ours, kept in zip(run.scorer.weights, preset.weights, strict=True):
        np.testing.assert_array_equal(ours, kept)
    about = read_metadata(run.folder / "preset")
    assert about["tuning"]["photos"] == 36
    assert about["metrics"]["held_out"]["srcc"] == run.agreement.srcc


@pytest.mark.slow
def test_the_losses_fall_and_held_out_photos_are_scored_better(run):
    for name, expert in run.experts.items():
        history = read_history(run.folder / name / "history.csv")
        total = history["huber"] + history["plcc"] + 0.2 * history["rank"]
        np.testing.assert_allclose(history["loss"], total, rtol=1e-5)
        assert history["loss"][-4:].mean() < history["loss"][:4].mean()
        assert expert.best.srcc > expert.validations[0].srcc
    assert run.agreement.srcc > min(expert.best.srcc for expert in run.experts.values())


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_to_the_same_weights(run, scored_crops, tmp_path):
    after, expert = 21, "quality"  # the first expert has its 16 steps
    first = reiqa_tf.tune(
        scored_crops, tmp_path, small_scorer(), CONFIG, callbacks=[StopAfter(after)]
    )
    assert (first.interrupted, first.step, list(first.experts)[-1]) == (True, after, expert)
    assert first.agreement is None
    again = reiqa_tf.tune(scored_crops, tmp_path, small_scorer(), CONFIG)
    assert again.agreement == run.agreement
    for name in run.experts:
        assert again.experts[name].validations == run.experts[name].validations
        one, two = (
            CheckpointFolder(folder / name / "checkpoints", 2).newest()
            for folder in (run.folder, tmp_path)
        )
        assert one.step == two.step == 16
        for expected, found in zip(one.arrays.values(), two.arrays.values(), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_a_scorer_of_two_experts_scores_the_mean_of_theirs(photo):
    both = small_scorer()
    alone = []
    for name, encoder in both.experts().items():
        head = LinearHead(Calibration.unknown())
        scorer = ReIQAScorer(**{name: encoder}, head=head, working_size=64)
        scorer.build((None, None, None, 3))
        head.kernel.assign(np.random.default_rng(len(alone)).normal(size=head.kernel.shape))
        head.bias.assign(len(alone) + 0.5)
        alone.append(scorer)
    images = photo[None, :64, :64]
    mean = mean_of(alone[::-1])  # whatever the order in which they were tuned
    expected = np.mean([one(images) for one in alone])
    np.testing.assert_allclose(mean(images)[0], expected, rtol=1e-5)
    assert mean.working_size == 64
    names = [name for one in alone for name in one.experts()]
    weighted = mean_of(alone, dict(zip(names, (0.3, 0.7), strict=True)))
    expected = 0.3 * alone[0](images) + 0.7 * alone[1](images)
    np.testing.assert_allclose(weighted(images), expected, rtol=1e-5)


def test_an_expert_counts_by_how_near_it_comes_to_people():
    generator = np.random.default_rng(0)
    people = generator.uniform(size=400)
    scores = {
        "near": people + generator.normal(scale=0.1, size=400),
        "far": 3 + people + generator.normal(scale=0.2, size=400),
    }
    found = best_weights(scores, people)
    # With errors that are independent, weights are as the inverse of their variances: 4 to 1.
    assert found["near"] == pytest.approx(0.8, abs=0.05)
    assert sum(found.values()) == pytest.approx(1)
    falling = {name: -values for name, values in scores.items()}
    assert best_weights(falling, people) == {"near": 0.5, "far": 0.5}


@pytest.mark.slow
def test_pairs_alone_teach_their_order_and_leave_intervals_unknown(scored_crops, tmp_path):
    scored = read_scored_photos(scored_crops)
    order = np.argsort(scored.scores)
    pairs = [
        (scored.paths[b], scored.paths[a]) for a, b in zip(order[:30], order[30:], strict=True)
    ]
    pairs += [
        (scored.paths[b], scored.paths[a]) for a, b in zip(order[:24], order[36:], strict=True)
    ]
    lines = ["better,worse", *(f"{better},{worse}" for better, worse in pairs)]
    (tmp_path / "pairs.csv").write_text("\n".join(lines) + "\n")
    config = dataclasses.replace(
        CONFIG,
        optimizer=AdamW(2e-3, 8, 0.0),
        schedule=Schedule(12, 1, 1e-5, 0.1),
        losses=LossWeights(rank=1.0),
        patience=12,
    )
    run = reiqa_tf.tune(
        None, tmp_path / "run", small_scorer(), config, pairs=tmp_path / "pairs.csv"
    )
    assert (run.photos, run.pairs, run.held_out, run.agreement) == (0, 27, 27, None)
    for expert in run.experts.values():
        assert expert.step == 12 * (27 // 4)
        assert all(np.isnan(row.srcc) for row in expert.validations)
        assert expert.best.in_order > max(0.6, expert.validations[0].in_order)
    history = read_history(run.folder / "content" / "history.csv")
    assert (history["huber"] == 0).all()
    assert (history["plcc"] == 0).all()
    score = reiqa_tf.load_preset(run.folder / "preset").score(scored.paths[0])
    assert score.familiar is None


def test_pairs_that_share_photos_stay_together_and_tournaments_are_parted():
    pairs = [(f"{i}a", f"{i}b") for i in range(20)] + [(f"{i}b", f"{i}c") for i in range(20)]
    learned, held_out = split_pairs(pairs, 0.25, seed=1)
    assert (len(learned), len(held_out)) == (30, 10)
    photos = [{photo for pair in part for photo in pair} for part in (learned, held_out)]
    assert not photos[0] & photos[1]
    tournament = [(f"{i}", f"{(i + j) % 9}") for i in range(9) for j in (1, 2)]
    learned, held_out = split_pairs(tournament, 0.25, seed=1)
    assert sorted(learned + held_out) == sorted(tournament)
    assert len(held_out) == 5


def test_neither_scores_nor_pairs_and_too_few_pairs_are_refused(tmp_path, scored_crops):
    with pytest.raises(TrainingError, match="Received: neither"):
        reiqa_tf.tune(None, tmp_path / "run", small_scorer(), CONFIG)
    path = read_scored_photos(scored_crops).paths[0]
    (tmp_path / "pairs.csv").write_text(f"better,worse\n{path},{path}\n")
    with pytest.raises(TrainingError, match="at least 20 pairs"):
        reiqa_tf.tune(None, tmp_path / "run", small_scorer(), CONFIG, pairs=tmp_path / "pairs.csv")


def test_patience_counts_epochs_since_the_best_one_and_not_the_frozen_encoder(
    scored_crops, tmp_path
):
    scored = read_scored_photos(scored_crops)
    validation = Validation(small_scorer(), scored, tmp_path, epochs=9, patience=2)
    validation.set_model(keras.Model())
    for values, stops in (
        ((0.9, 0.5, 0.6, 0.7), False),
        ((0.9, 0.7, 0.6), False),
        ((0.9, 0.7, 0.6, 0.5), True),
    ):
        validation.model.stop_training = False
        validation.write([Validated(step, value, value) for step, value in enumerate(values)])
        validation._stop_if_done()
        assert validation.model.stop_training == stops, values


def test_early_stages_learn_slowly_and_the_head_does_not():
    scorer = small_scorer()
    variables = scorer.content.trainable_variables + scorer.quality.trainable_variables
    factors = rate_factors(scorer, variables, 0.5)
    by_path = {v.path: f for v, f in zip(variables, factors, strict=True)}
    quality = scorer.quality.backbone
    assert {by_path[v.path] for v in quality.stem.trainable_variables} == {0.25}
    assert {by_path[v.path] for b in quality.stages[-1] for v in b.trainable_variables} == {1.0}


def test_a_group_is_learned_from_or_held_out(scored_crops):
    scored = read_scored_photos(scored_crops)
    scored = dataclasses.replace(scored, groups=np.arange(60) // 3)
    learned, held = split_off(scored, 0.3, seed=0)
    assert not set(learned.groups) & set(held.groups)
    assert len(learned) + len(held) == 60


def test_too_few_photos_are_refused_before_anything_is_done(scored_crops, tmp_path):
    scored = read_scored_photos(scored_crops).rows(slice(30))
    with pytest.raises(TrainingError, match="at least 20 scored photos"):
        reiqa_tf.tune(scored, tmp_path / "run", small_scorer(), CONFIG)
    assert not (tmp_path / "run").exists()


def _scores(scorer, paths):
    found = {outcome.index: float(outcome.score) for outcome in scorer.score_many(paths)}
    return [found[index] for index in range(len(paths))]


@pytest.mark.slow  # compiles features of strange pictures
def test_recalibration_brings_scores_to_another_scale_and_keeps_their_order(scored_crops):
    scorer = small_scorer()
    scored = read_scored_photos(scored_crops)
    plain = _scores(scorer, scored.paths)
    wanted = dataclasses.replace(
        scored, scores=10 * np.array(plain) + 3, score_range=(-1000.0, 1000.0)
    )
    new = reiqa_tf.recalibrate(scorer, wanted)
    found = _scores(new, scored.paths)
    np.testing.assert_allclose(found, wanted.scores, rtol=1e-3, atol=1e-2)
    for outcome in new.score_many(scored.paths):
        assert outcome.score.high - outcome.score.low < 0.2


@pytest.mark.slow
def test_sixteen_bits_learn_nearly_the_same_with_weights_of_32(scored_crops, tmp_path):
    alone = small_scorer(content=None)
    losses = {}
    for precision in ("float32", "bfloat16"):
        config = dataclasses.replace(CONFIG, precision=precision, schedule=Schedule(1, 0, 1e-5, 1))
        folder = tmp_path / precision
        run = reiqa_tf.tune(scored_crops, folder, alone, config)
        losses[precision] = read_history(folder / "quality" / "history.csv")["loss"]
        assert all(weight.dtype == "float32" for weight in run.scorer.weights)
    np.testing.assert_allclose(losses["bfloat16"], losses["float32"], atol=0.05)
    assert (losses["bfloat16"] != losses["float32"]).any()


@pytest.mark.slow
def test_a_pair_of_resnet50_is_tuned_on_two_hundred_photos(photo, tmp_path):
    generator = np.random.default_rng(1)
    lines = ["image,mos"]
    for i in range(200):
        y, x, light = generator.integers(400), generator.integers(600), generator.uniform(0.1, 1)
        crop = (photo[y : y + 48, x : x + 48] * light).astype(np.uint8)
        Image.fromarray(crop).save(tmp_path / f"{i}.png")
        lines.append(f"{i}.png,{light:.4f}")
    (tmp_path / "scores.csv").write_text("\n".join(lines) + "\n")
    experts = {name: ReIQAEncoder(ResNetBackbone(), name=name) for name in ("content", "quality")}
    pair = small_scorer(working_size=None, **experts)
    config = dataclasses.replace(
        CONFIG,
        optimizer=AdamW(1e-4, 8, 0.0),
        schedule=Schedule(epochs=1, warmup_epochs=0, warmup_from=1e-5, final_share=0.1),
        held_out=0.2,
        checkpoints=Checkpoints(every=20, keep=1),  # 0.3 GB each
    )
    run = reiqa_tf.tune(tmp_path / "scores.csv", tmp_path / "run", pair, config)
    assert {name: expert.step for name, expert in run.experts.items()} == dict.fromkeys(
        ("content", "quality"), 20
    )
    for name, expert in run.experts.items():
        # Twenty steps make nothing good of random weights: that they move and are kept is all.
        assert np.isfinite(read_history(run.folder / name / "history.csv")["loss"]).all()
        assert [row.step for row in expert.validations] == [0, 20]
        start = reiqa_tf.load_preset(run.folder / name / "start").experts()[name]
        newest = CheckpointFolder(run.folder / name / "checkpoints", 2).newest()
        moved = [
            np.abs(array - weight).max()
            for array, weight in zip(newest.arrays.values(), start.get_weights(), strict=False)
        ]
        assert 0 < max(moved) < 0.1
