"""What a calibration makes of a score, its spread and its distance."""

import itertools

import numpy as np
import pytest
from scipy import stats

from reiqa_tf.scoring.calibration import WORDS, Calibration
from reiqa_tf.scoring.score import ranking

TABLE = tuple(np.linspace(20.0, 80.0, 101).tolist())


def calibration(**known):
    return Calibration(**{"score_range": (0, 100), "percentiles": TABLE, "interval": 2.0, **known})


def judged(scores, spreads=None, **known):
    spreads = [5.0] * len(scores) if spreads is None else spreads
    return calibration(**known).judge(scores, spreads, [0.0] * len(scores))


@pytest.mark.parametrize(
    ("score", "word"),
    [
        (-3, "bad"),
        (0, "bad"),
        (19.9, "bad"),
        (20, "poor"),
        (50, "fair"),
        (79, "good"),
        (80, "excellent"),
        (100, "excellent"),
        (104, "excellent"),
    ],
)
def test_each_word_covers_a_fifth_of_the_scale(score, word):
    assert judged([score])[0].word == word
    assert word in WORDS


def test_a_percentile_is_the_share_of_known_photos_that_score_lower():
    known = np.random.default_rng(0).gamma(4, 10, 5000)
    table = np.quantile(known, np.linspace(0, 1, 101))
    made = calibration(percentiles=tuple(table.tolist()))
    for score in (15, 20, 38.5, 60, 90):
        expected = stats.percentileofscore(known, score, "strict")
        assert made.percentile(score) == pytest.approx(expected, abs=0.1)
    assert (made.percentile(-1), made.percentile(1e4)) == (0, 100)
    risen = [made.percentile(score) for score in np.linspace(0, 120, 300)]
    assert all(a <= b for a, b in itertools.pairwise(risen))


def test_a_table_of_equal_numbers_gives_percentiles_all_the_same():
    made = calibration(percentiles=(3.0,) * 50 + (4.0,) * 51)
    assert made.percentile(3.5) == pytest.approx(49.5)
    assert (made.percentile(3), made.percentile(4)) == (0, 100)


@pytest.mark.parametrize("score", [-8, 0, 3, 50, 97, 100, 120])
@pytest.mark.parametrize("spread", [0.0, 1.0, 30.0])
def test_an_interval_lies_around_the_expected_opinion_and_holds_the_score(score, spread):
    (found,) = judged([score], [spread], expected=(0.7, 15.0))
    center, reach = 0.7 * score + 15, 2 * spread
    assert found.low == min(max(center - reach, 0), score)
    assert found.high == max(min(center + reach, 100), score)
    assert found.low <= found <= found.high


def test_photos_beat_each_other_with_probabilities_that_add_up_to_one():
    random = np.random.default_rng(1)
    scores = judged(random.uniform(0, 100, 40), random.uniform(1, 20, 40))
    for one, other in itertools.combinations(scores, 2):
        gap = (float(one) - float(other)) / np.hypot(one.spread, other.spread)
        assert one.beats(other) == pytest.approx(stats.logistic.cdf(gap), abs=1e-12)
        assert one.beats(other) + other.beats(one) == pytest.approx(1, abs=1e-12)
    assert scores[0].beats(scores[0]) == 0.5


def test_scores_without_spread_beat_each_other_for_certain():
    low, high = judged([1, 2], [0, 0])
    assert (high.beats(low), low.beats(high), low.beats(low)) == (1, 0, 0.5)


def test_a_ranking_puts_ties_together_and_keeps_every_photo_once():
    # Of equal spreads s, a gap of s * sqrt(2) * log(3) is 75 %.
    gap = 5 * np.sqrt(2) * np.log(3)
    scores = judged([50, 50 + 1.01 * gap, 50 + 2.5 * gap, 50 + 2.6 * gap, 50 + 0.3 * gap])
    assert ranking(scores) == [[3, 2], [1, 4], [0]]
    assert ranking([]) == []
    many = judged(np.random.default_rng(2).uniform(0, 100, 200))
    groups = ranking(many)
    assert sorted(itertools.chain(*groups)) == list(range(200))
    for group in groups:
        assert all(many[group[0]].beats(many[index]) < 0.75 for index in group[1:])


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"score_range": (1, 0)}, r"low < high. Received: \(1\.0, 0\.0\)"),
        ({"percentiles": (1.0, 2.0)}, "101 rising numbers"),
        ({"percentiles": TABLE[::-1]}, "not rising"),
        ({"interval": -1}, "interval >= 0"),
        ({"coverage": 1}, "coverage between 0 and 1"),
    ],
)
def test_a_calibration_that_makes_no_sense_is_refused(known, message):
    with pytest.raises(ValueError, match=message):
        calibration(**known)
