"""The scorer: features side by side, a linear head, intervals, tiles, Keras's own life cycle."""

import copy
import json
import pickle

import keras
import numpy as np
import pytest
from PIL import Image

from reiqa_tf.models.encoder import ReIQAEncoder
from reiqa_tf.models.head import LinearHead
from reiqa_tf.models.resnet import ResNetBackbone
from reiqa_tf.models.scorer import MissingHeadError, ReIQAScorer
from reiqa_tf.runtimes.contract import Contract
from reiqa_tf.runtimes.errors import ArtifactError
from reiqa_tf.scoring.native_size import TILE_SIDE
from tests.small_models import CALIBRATION, small_scorer


@pytest.fixture(scope="module")
def images(photo):
    return np.stack([photo[y : y + 70, x : x + 90] for y, x in ((0, 0), (100, 300), (400, 600))])


def test_content_features_come_first_then_quality(scorer, images):
    features = scorer.features(images).numpy()
    (a, b), (c, d) = scorer.feature_order["content"], scorer.feature_order["quality"]
    assert (a, b) == (0, scorer.content.feature_count)
    assert (c, d) == (b, scorer.feature_count)
    np.testing.assert_array_equal(features[:, a:b], scorer.content(images))
    np.testing.assert_array_equal(features[:, c:d], scorer.quality(images))


def test_a_score_is_linear_in_the_features(scorer, images):
    features = scorer.features(images).numpy().astype(float)
    expected = features @ scorer.head.kernel.numpy().astype(float) + float(scorer.head.bias)
    np.testing.assert_allclose(scorer(images), expected, rtol=1e-4)
    np.testing.assert_allclose(scorer.predict(images, verbose=0), expected, rtol=1e-4)


def test_one_expert_alone_makes_a_scorer(images):
    both = small_scorer()
    alone = small_scorer(quality=None)
    assert alone.feature_count == both.content.feature_count
    assert alone(images).shape == (3,)


def test_a_judgement_is_what_the_calibration_makes_of_three_linear_functions(scorer):
    head = scorer.head
    features = np.random.default_rng(1).normal(size=(3, scorer.feature_count)).astype(np.float32)
    exact = features.astype(np.float64)
    scores = exact @ head.kernel.numpy() + head.bias.numpy()
    spreads = np.exp(exact @ head.spread_kernel.numpy() + head.spread_bias.numpy())
    distances = exact @ head.distance_kernel.numpy() + head.distance_bias.numpy()
    np.testing.assert_allclose(head.spread(features), spreads, rtol=1e-4)
    np.testing.assert_allclose(head.distance(features), distances, rtol=1e-3, atol=1e-5)
    for received, expected in zip(
        scorer.judge_features(features),
        head.calibration.judge(scores, spreads, distances),
        strict=True,
    ):
        assert received == pytest.approx(expected, rel=1e-4, abs=1e-6)
        assert (received.low, received.high) == pytest.approx((expected.low, expected.high), 1e-3)
        assert (received.word, received.familiar) == (expected.word, expected.familiar)


def test_a_spread_stays_within_its_limits_and_a_head_is_made_again_with_all_it_knows():
    head = LinearHead(CALIBRATION, spread_limits=(0.5, 2.0))
    head.build((None, 1))
    head.spread_kernel.assign([1.0])
    spreads = head.spread(np.array([[-1e4], [0], [0.5], [1e4]], np.float32))
    np.testing.assert_allclose(spreads, [0.5, 1, np.exp(0.5), 2], rtol=1e-6)
    again = LinearHead.from_config(json.loads(json.dumps(head.get_config())))
    assert (again.calibration, again.spread_limits) == (CALIBRATION, (0.5, 2.0))


def test_a_score_is_a_number_that_survives_copying_and_pickling(scorer):
    (score,) = scorer.judge_features(np.zeros((1, scorer.feature_count), np.float32))
    assert isinstance(score, float)
    assert score + 1 == float(score) + 1
    for again in (copy.copy(score), pickle.loads(pickle.dumps(score))):
        assert again == score
        assert vars(again) == vars(score)
    assert repr(score).startswith("Score(")


def test_a_photo_is_brought_to_the_working_size_before_it_is_scored(scorer, photo, tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(photo).save(path)
    shrunk = Image.fromarray(photo).resize((96, 64), Image.Resampling.BICUBIC)
    expected = scorer.predict(np.asarray(shrunk)[None], verbose=0)[0]
    assert scorer.score(path) == pytest.approx(expected, rel=1e-5)
    assert scorer.score(path.read_bytes()) == pytest.approx(expected, rel=1e-5)


def test_at_native_size_a_photo_of_one_tile_is_scored_as_it_is(scorer, photo, photos_folder):
    expected = scorer.predict(photo[None], verbose=0)[0]
    native = scorer.score(photos_folder / "kodim23.png", native_size=True)
    assert native == pytest.approx(expected, rel=1e-5)


def test_at_native_size_tiles_stand_for_the_whole_photo(scorer, photo, tmp_path):
    large = Image.fromarray(photo).resize((TILE_SIDE + 300, TILE_SIDE - 100))
    large.save(tmp_path / "large.bmp")
    merged = scorer.native_features(tmp_path / "large.bmp")
    whole = scorer.features(np.asarray(large)[None])[0].numpy()
    # Only what a tile does not see over its edge may differ.
    assert np.corrcoef(merged, whole)[0, 1] > 0.999
    np.testing.assert_allclose(merged, whole, atol=0.05 * np.abs(whole).max())


def test_the_compiled_features_equal_the_eager_ones_at_any_size(scorer, photo):
    compute = scorer.compile_features()
    for size in ((64, 64), (97, 131), (200, 90)):
        image = photo[None, : size[0], : size[1]]
        np.testing.assert_allclose(compute(image), scorer.features(image), rtol=2e-4, atol=1e-5)


def test_a_photo_has_the_same_score_alone_in_a_batch_and_in_another_order(scorer, images):
    compute = scorer.compile_features()
    together = [float(score) for score in scorer.judge_features(compute(images))]
    backwards = [float(score) for score in scorer.judge_features(compute(images[::-1]))][::-1]
    alone = [float(scorer.judge_features(compute(image[None]))[0]) for image in images]
    np.testing.assert_allclose(backwards, together, rtol=1e-5)
    np.testing.assert_allclose(alone, together, rtol=1e-5)


def test_a_scorer_is_saved_and_loaded_exactly_by_keras(scorer, images, tmp_path):
    expected = scorer.predict(images, verbose=0)
    scorer.save(tmp_path / "scorer.keras")
    again = keras.saving.load_model(tmp_path / "scorer.keras")
    np.testing.assert_array_equal(again.predict(images, verbose=0), expected)
    assert again.score_range == (0, 1)
    scorer.save_weights(tmp_path / "scorer.weights.h5")
    other = small_scorer(seed=9)
    assert not np.allclose(other.predict(images, verbose=0), expected)
    other.load_weights(tmp_path / "scorer.weights.h5")
    np.testing.assert_array_equal(other.predict(images, verbose=0), expected)


def test_fine_tuning_brings_scores_towards_their_targets(images):
    scorer = small_scorer(content=None)
    targets = np.array([0.1, 0.9, 0.5], np.float32)
    scorer.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse")
    losses = scorer.fit(images, targets, epochs=8, verbose=0, shuffle=False).history["loss"]
    assert losses[-1] < 0.5 * losses[0]


def test_after_fine_tuning_interval_and_familiarity_are_unknown_until_they_are_measured(images):
    scorer = small_scorer(content=None)
    before = scorer.judge(images)[0]
    assert before.familiar is not None
    assert before.high < 1
    scorer.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse")
    scorer.fit(images, np.array([0.1, 0.9, 0.5], np.float32), epochs=1, verbose=0)
    after = scorer.judge(images)
    assert after[0].familiar is None
    assert (after[0].low, after[0].high) == (min(0, after[0]), max(1, after[0]))
    assert after[0].beats(after[1]) == 0.5
    with pytest.raises(ArtifactError, match=r"mine: .* reiqa_tf.recalibrate\(scorer"):
        Contract.of(scorer, "mine", "0" * 64)


def test_fine_tuning_leaves_the_record_of_familiar_features_alone():
    names = {
        variable.path.rsplit("/", 1)[-1] for variable in small_scorer().head.trainable_variables
    }
    assert names == {"kernel", "bias"}


def test_without_a_head_there_are_features_and_an_error_that_says_what_to_do(images):
    scorer = small_scorer(head=None)
    assert scorer.features(images).shape == (3, scorer.feature_count)
    with pytest.raises(MissingHeadError, match=r"reiqa fit scores\.csv"):
        scorer(images)
    with pytest.raises(MissingHeadError):
        scorer.score_range  # noqa: B018


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ReIQAScorer(), "Received: neither"),
        (lambda: ReIQAScorer(content=ResNetBackbone((1,), 8)), "content: expected a ReIQAEncoder"),
        (lambda: _scorer_with(working_size=8), "working_size: expected pixels"),
        (lambda: _scorer_with(head="linear"), "head: expected a LinearHead"),
        (lambda: LinearHead(CALIBRATION, spread_limits=(0, 1)), "0 < low <= high"),
    ],
)
def test_wrong_arguments_are_refused_with_what_was_expected(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def _scorer_with(**options):
    return ReIQAScorer(content=ReIQAEncoder(ResNetBackbone((1,), 8)), **options)
