"""Heads that know how sure they are, held against photos made up for it."""

import numpy as np
import pytest

from reiqa_tf.fitting.calibration import HeldOut, Linear, calibrated_head, fit_distance

NOWHERE = Linear(np.zeros(6), 0.0)


def made(count, seed, noise=lambda _: 0.1):
    """Scores that a known line predicts, with errors that depend on the second feature."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(count, 6)).astype(np.float32)
    predicted = 0.5 + 0.15 * features[:, 0]
    scores = predicted + random.normal(size=count) * noise(features)
    return HeldOut(features, scores.astype(float), predicted.astype(float))


LINE = Linear(np.array([0.15, 0, 0, 0, 0, 0]), 0.5)


def uneven(features):
    return 0.08 * np.exp(0.8 * features[:, 1])


@pytest.fixture(scope="module")
def head():
    return calibrated_head(LINE, made(1500, 0, uneven), (-9.0, 10.0), NOWHERE)


def judged(head, photos):
    numbers = (head(photos.features), head.spread(photos.features), head.distance(photos.features))
    return head.calibration.judge(*(np.asarray(values) for values in numbers))


def test_intervals_cover_what_they_say_where_errors_are_small_and_where_they_are_large(head):
    fresh = made(4000, 1, uneven)
    scores = judged(head, fresh)
    covered = np.array([s.low <= y <= s.high for s, y in zip(scores, fresh.scores, strict=True)])
    assert 0.935 < covered.mean() < 0.975
    order = np.argsort(uneven(fresh.features))
    for part in np.array_split(covered[order], 4):
        assert part.mean() > 0.9


def test_the_spread_follows_the_size_of_the_errors(head):
    fresh = made(500, 2, uneven)
    spreads = np.asarray(head.spread(fresh.features))
    assert np.corrcoef(np.log(spreads), np.log(uneven(fresh.features)))[0, 1] > 0.9


def test_where_all_errors_are_alike_all_spreads_are():
    head = calibrated_head(LINE, made(1500, 3), (0.0, 1.0), NOWHERE)
    spreads = np.asarray(head.spread(made(400, 4).features))
    assert np.std(np.log(spreads)) < 0.1


def test_scores_are_stretched_until_those_of_equal_photos_average_peoples(head):
    fresh = made(20000, 5, uneven)
    scores = np.asarray(head(fresh.features), float)
    slope, offset = np.polyfit(fresh.scores, scores, 1)
    assert (slope, offset) == pytest.approx((1, 0), abs=0.06)
    predicted = 0.5 + 0.15 * fresh.features[:, 0]
    assert np.corrcoef(scores, predicted)[0, 1] == pytest.approx(1, abs=1e-6)
    line = head.calibration.expected
    np.testing.assert_allclose(line[0] * scores + line[1], predicted, atol=1e-5)


def test_a_regressor_that_knows_nothing_is_not_stretched_without_limit():
    random = np.random.default_rng(6)
    photos = HeldOut(
        random.normal(size=(200, 6)).astype(np.float32),
        random.uniform(0, 1, 200),
        0.5 + 0.01 * random.normal(size=200),
    )
    head = calibrated_head(Linear(np.full(6, 0.01), 0.5), photos, (0.0, 1.0), NOWHERE)
    np.testing.assert_allclose(head.kernel, np.full(6, 0.02), rtol=1e-5)


def test_probabilities_of_pairs_are_what_happens(head):
    fresh = made(3000, 7, uneven)
    scores = judged(head, fresh)
    one, other = np.random.default_rng(8).integers(3000, size=(2, 30000))
    said = np.array([scores[i].beats(scores[j]) for i, j in zip(one, other, strict=True)])
    right = fresh.scores[one] > fresh.scores[other]
    for low in (0.5, 0.6, 0.7, 0.8, 0.9):
        asked = (said >= low) & (said < low + 0.1)
        assert right[asked].mean() == pytest.approx(said[asked].mean(), abs=0.04)


def test_percentiles_are_those_of_the_held_out_photos(head):
    photos = made(1500, 0, uneven)
    scores = np.asarray(head(photos.features), float)
    expected = [np.mean(scores < score) * 100 for score in scores[:50]]
    received = [head.calibration.percentile(score) for score in scores[:50]]
    np.testing.assert_allclose(received, expected, atol=0.5)


def test_groups_are_kept_whole_and_few_photos_are_enough():
    few = made(20, 9)
    grouped = HeldOut(few.features, few.scores, few.predicted, np.repeat(np.arange(5), 4))
    for photos in (few, grouped):
        head = calibrated_head(LINE, photos, (0.0, 1.0), NOWHERE)
        assert np.isfinite(np.asarray(head.spread(photos.features))).all()
        assert head.calibration.interval > 0
    for fitted, left in grouped.folds():
        assert not set(grouped.groups[fitted]) & set(grouped.groups[left])


def test_a_discriminant_tells_photos_from_what_is_none_by_the_features_it_may_see():
    random = np.random.default_rng(10)
    photos = random.normal(size=(600, 40)).astype(np.float32) + 3
    strange = random.normal(size=(90, 40)).astype(np.float32) + 3
    strange[:, 5:20] += 2.0
    strange[:, 30:] += 100  # of features that it may not see
    distance = fit_distance(photos, strange, (0, 30))
    assert not distance.kernel[30:].any()
    assert distance(photos[::2]).mean() == pytest.approx(0, abs=1e-6)
    assert distance(strange).mean() == pytest.approx(1, abs=1e-6)
    fresh = random.normal(size=(2000, 40)) + 3
    assert (distance(fresh) < 0.5).mean() > 0.98
    fresh[:, 5:20] += 2.0
    assert (distance(fresh) > 0.5).mean() > 0.98


def test_all_but_one_in_a_hundred_photos_are_familiar():
    photos = made(1000, 11)
    distance = Linear(np.array([0, 0, 0, 1.0, 0, 0]), 0.0)
    head = calibrated_head(LINE, photos, (0.0, 1.0), distance)
    assert np.mean([score.familiar for score in judged(head, photos)]) == pytest.approx(
        0.99, abs=2e-3
    )
