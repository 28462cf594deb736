"""Two heads on the same photos: what is measured, and what is said of it."""

import numpy as np
import pytest
from scipy import stats

from reiqa_tf.fitting.head_comparison import compare_heads, seems_to_have_seen


def _predictions(noise_of_fitted, noise_of_preset, count=200):
    generator = np.random.default_rng(0)
    scores = generator.normal(size=count)
    fitted = scores + noise_of_fitted * generator.normal(size=count)
    preset = scores + noise_of_preset * generator.normal(size=count)
    return fitted, preset, scores


@pytest.mark.parametrize(
    ("noise_of_fitted", "noise_of_preset", "verdict"),
    [
        (0.1, 1.0, "your head is better"),
        (1.0, 0.1, "your head is worse"),
        (0.5, 0.5, "no proof of a gain"),
    ],
)
def test_the_verdict_follows_the_paired_interval(noise_of_fitted, noise_of_preset, verdict):
    fitted, preset, scores = _predictions(noise_of_fitted, noise_of_preset)
    found = compare_heads("test", fitted, preset, scores, None)
    assert found.srcc == pytest.approx(stats.spearmanr(fitted, scores)[0])
    assert found.preset_srcc == pytest.approx(stats.spearmanr(preset, scores)[0])
    assert found.low <= found.difference <= found.high
    assert (found.low > 0) == (verdict == "your head is better")
    assert found.verdict.startswith(verdict)


def test_photos_that_were_never_held_out_do_not_count():
    fitted, preset, scores = _predictions(0.5, 0.5)
    fitted[::2] = np.nan
    found = compare_heads("held_out", fitted, preset, scores, None)
    alone = compare_heads("held_out", fitted[1::2], preset[1::2], scores[1::2], None)
    assert found == alone
    assert found.photos == 100


def test_too_few_photos_or_groups_say_nothing():
    fitted, preset, scores = _predictions(0.5, 0.5, count=4)
    assert compare_heads("test", fitted, preset, scores, None) is None
    fitted, preset, scores = _predictions(0.5, 0.5)
    groups = np.arange(200) % 4
    assert compare_heads("test", fitted, preset, scores, groups) is None


def test_a_head_that_knows_photos_too_well_seems_to_have_seen_them():
    assert seems_to_have_seen(0.93, 500, 0.84)
    assert not seems_to_have_seen(0.85, 500, 0.84)
    assert not seems_to_have_seen(0.93, 10, 0.84)  # that can be luck
    assert not seems_to_have_seen(0.93, 500, None)
    fitted, preset, scores = _predictions(0.5, 0.1)
    found = compare_heads("held_out", fitted, preset, scores, None, 0.8)
    assert found.preset_has_seen_them
    assert "seems to have seen" in found.verdict
