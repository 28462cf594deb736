"""Pairs for the quality-aware encoder: geometry, swaps, and pixels made the long way round."""

import numpy as np
import pytest
import tensorflow as tf

from reiqa_tf.distortions import DISTORTIONS, distort
from reiqa_tf.pretraining.crops import draw_crop_pair, smallest_sides
from reiqa_tf.pretraining.halving import (
    first_source,
    halved_columns,
    halved_rows,
    source_span,
    tap_weights,
)
from reiqa_tf.pretraining.quality_views import CLEAN, QualityViews


def pairs(height, width, patch, count):
    draw = tf.function(draw_crop_pair, autograph=False)
    for i in range(count):
        pair = draw(tf.constant([i, 5]), tf.constant(height), tf.constant(width), patch)
        yield pair.tops.numpy(), pair.lefts.numpy()


def overlap(tops, lefts, patch):
    return (patch - abs(tops[1] - tops[0])) * (patch - abs(lefts[1] - lefts[0])) / patch**2


@pytest.mark.parametrize("size", [(512, 512), (304, 400), (256, 256), (200, 256), (256, 200)])
def test_crops_lie_inside_the_photo_and_overlap_in_a_tenth_to_three_tenths(size):
    for tops, lefts in pairs(*size, 160, 60):
        assert 0.1 <= overlap(tops, lefts, 160) <= 0.3
        assert tops.min() >= 0 <= lefts.min()
        assert tops.max() <= size[0] - 160
        assert lefts.max() <= size[1] - 160


def test_offsets_in_a_large_photo_are_drawn_as_published():
    downs, rights, places = [], [], []
    for tops, lefts in pairs(700, 900, 160, 250):
        down, right = tops[1] - tops[0], lefts[1] - lefts[0]
        downs.append(down)
        rights.append(right / ((0.9 * 160**2 - 160 * down) / (160 - down)))
        places.append((tops[0] / (700 - 160 - down), lefts[0] / (900 - 160 - down)))
    assert min(downs) >= 112
    assert max(downs) < 144
    for values in ((np.array(downs) - 112) / 32, rights, *np.transpose(places)):
        # Uniform in [0, 1): mean, deviation, and how far it goes.
        np.testing.assert_allclose(np.mean(values), 0.5, atol=0.08)
        np.testing.assert_allclose(np.std(values), 12**-0.5, atol=0.04)
        assert min(values) < 0.05
        assert 0.94 < max(values) <= 1


@pytest.mark.parametrize("size", [(10, 10), (160, 300), (250, 160), (192, 256), (233, 233)])
def test_a_photo_grows_no_more_than_a_pair_needs(size):
    height, width = (int(side) for side in smallest_sides(*size, 160))
    assert height >= size[0]
    assert width >= size[1]
    possible = [
        (down, right)
        for down in range(min(height, 319) - 159)
        for right in range(min(width, 319) - 159)
        if 0.1 <= (160 - down) * (160 - right) / 160**2 <= 0.3
    ]
    assert possible
    shorter = min(height, width)
    if shorter > min(size) and shorter > 160:
        # One pixel less along the shorter side, and no offsets would do.
        longer = max(height, width)
        assert (321 - shorter) * (320 - longer) > 0.3 * 160**2


def half_size(image):
    """Bicubic with corners aligned and a = -.75, one output pixel at a time."""
    height, width = image.shape[0] // 2, image.shape[1] // 2

    def matrix(size, new_size):
        weights = np.zeros((new_size, size))
        for i in range(new_size):
            position = i * (size - 1) / (new_size - 1)
            first = int(np.floor(position + 1e-9))
            for tap in range(first - 1, first + 3):
                x = abs(position - tap)
                near = 1.25 * x**3 - 2.25 * x**2 + 1
                far = -0.75 * (x**3 - 5 * x**2 + 8 * x - 4)
                weight = near if x < 1 else far if x < 2 else 0
                weights[i, min(max(tap, 0), size - 1)] += weight
        return weights

    rows, columns = matrix(image.shape[0], height), matrix(image.shape[1], width)
    return np.clip(np.einsum("ih,hwc,jw->ijc", rows, image, columns, optimize=True), 0, 1)


@pytest.mark.parametrize("size", [(128, 140), (131, 137)])
def test_half_size_crops_are_crops_of_the_half_size_photo(photo, size):
    image = photo[50 : 50 + size[0], 300 : 300 + size[1]] / np.float32(255)
    expected = half_size(image)
    patch, span = 32, source_span(32)
    # What lies beyond the photo weighs nothing, whatever it is.
    beyond = np.pad(image, ((4, 4), (4, 4), (0, 0)), constant_values=9)
    for top, left in ((0, 0), (size[0] // 2 - 32, size[1] // 2 - 32), (11, 20)):
        tops, lefts = tf.constant([top, 0]), tf.constant([left, 3])
        sources = np.stack(
            [
                beyond[row + 4 : row + 4 + span, column + 4 : column + 4 + span].transpose(2, 0, 1)
                for row, column in zip(
                    first_source(tops, size[0]), first_source(lefts, size[1]), strict=True
                )
            ]
        )
        assert sources.shape == (2, 3, span, span)
        rows = halved_rows(sources, tap_weights(tops, size[0], patch))
        crops = halved_columns(rows, tap_weights(lefts, size[1], patch)).numpy()
        for crop, i, j in zip(crops, tops, lefts, strict=True):
            theirs = expected[i : i + 32, j : j + 32].transpose(2, 0, 1)
            np.testing.assert_allclose(crop, theirs, atol=2e-5)


def test_half_size_agrees_with_tensorflows_own_kernel(photo):
    image = photo[50:178, 300:440] / np.float32(255)
    theirs = tf.raw_ops.ResizeBicubic(images=image[None], size=(64, 70), align_corners=True)[0]
    np.testing.assert_allclose(half_size(image), np.clip(theirs, 0, 1), atol=3e-3)


def test_a_plan_draws_each_distortion_once_and_swaps_half_of_each_scale():
    views = QualityViews(patch=32)
    counts = np.zeros(len(DISTORTIONS), int)
    levels = np.zeros(5, int)
    for i in range(60):
        plan = views.draw((i, 1), tf.constant(200), tf.constant(220))
        distortions = plan.distortions.numpy()
        assert distortions[0] == CLEAN
        assert len(set(distortions)) == 12
        counts[distortions[1:]] += 1
        levels += np.bincount(plan.levels, minlength=5)
        swapped = plan.swapped.numpy()
        assert swapped.sum(axis=1).tolist() == [6, 6]
        np.testing.assert_array_equal(swapped[0], ~swapped[1])
        # Two windows a scale, shared by all versions.
        assert plan.tops.shape == plan.lefts.shape == (2, 2)
        assert len({tuple(seed) for seed in plan.seeds.numpy()}) == 12
    assert counts.min() >= 12  # 60 x 11 / 26 = 25 expected
    assert levels.min() >= 100  # 60 x 12 / 5 = 144 expected


def test_hard_negatives_are_other_levels_of_the_same_distortion():
    views = QualityViews(patch=32, distorted=7, levels_each=3)
    drawn = set()
    for i in range(40):
        plan = views.draw((i, 2), tf.constant(200), tf.constant(220))
        distortions, levels = plan.distortions.numpy(), plan.levels.numpy()
        assert distortions[0] == CLEAN
        assert distortions[1] == distortions[2] == distortions[3]
        assert distortions[4] == distortions[5] == distortions[6]
        assert len({distortions[0], distortions[1], distortions[4], distortions[7]}) == 4
        assert len(set(levels[1:4])) == len(set(levels[4:7])) == 3
        drawn |= set(map(tuple, levels[1:4].reshape(1, 3)))
    assert len(drawn) > 20  # of 60 orders


@pytest.mark.parametrize("seed", [(0, 0), pytest.param((1, 0), marks=pytest.mark.slow)])
def test_pairs_are_crops_of_whole_distorted_photos(photo, seed):
    views = QualityViews(patch=48)
    image = photo[100:277, 300:529]  # 177 x 229
    plan = views.draw(seed, tf.constant(177), tf.constant(229))
    queries, keys = (part.numpy() for part in views.apply(tf.constant(image), plan))
    assert queries.shape == keys.shape == (24, 48, 48, 3)
    for version in range(12):
        index = int(plan.distortions[version])
        whole = image / np.float32(255)
        if index != CLEAN:
            level, own_seed = int(plan.levels[version]), plan.seeds[version]
            whole = distort(image, DISTORTIONS[index].name, level, own_seed).numpy()
        for scale, scaled in enumerate((whole, half_size(whole))):
            for crop, part in zip((queries, keys), range(2), strict=True):
                place = part ^ int(plan.swapped[scale, version])
                top, left = int(plan.tops[scale, place]), int(plan.lefts[scale, place])
                expected = 255 * scaled[top : top + 48, left : left + 48]
                # Rounded to the nearest level, whichever way halves and what is close to them go.
                np.testing.assert_allclose(
                    crop[2 * version + scale], expected, atol=0.513, err_msg=f"{index} {scale}"
                )


def test_a_small_photo_is_mirrored_and_a_large_one_left_alone(photo):
    views = QualityViews(patch=64)
    small = photo[:70, :90]
    enlarged = views.enlarged(small).numpy()
    down, right = enlarged.shape[0] - 70, enlarged.shape[1] - 90
    margins = ((down // 2, down - down // 2), (right // 2, right - right // 2), (0, 0))
    np.testing.assert_array_equal(enlarged, np.pad(small, margins, mode="symmetric"))
    queries, _ = views(small, (1, 1))
    assert queries.shape == (24, 64, 64, 3)
    assert views.enlarged(photo).shape == photo.shape


@pytest.mark.slow
def test_the_same_seed_gives_the_same_pairs_eagerly_and_in_tf_data(photo):
    views = QualityViews(patch=32, distorted=3)
    image = tf.constant(photo[40:117, 300:401])
    dataset = tf.data.Dataset.range(2)
    apply = tf.autograph.experimental.do_not_convert(
        lambda i: views(image, tf.stack([tf.cast(i, tf.int32), 7]))
    )
    for i, (queries, keys) in enumerate(dataset.map(apply, num_parallel_calls=2)):
        eager = views(image, (i, 7))
        # Products add up in another order where sizes are known beforehand: what lies half way
        # between two levels may fall to either side.
        for ours, theirs in zip((queries, keys), eager, strict=True):
            differences = np.abs(np.int16(ours) - np.int16(theirs))
            assert differences.max() <= 1
            assert differences.mean() < 1e-3


@pytest.mark.parametrize(
    "arguments", [{"distorted": 4}, {"distorted": 27}, {"patch": 31}, {"levels_each": 6}]
)
def test_views_that_cannot_be_are_refused(arguments):
    with pytest.raises(ValueError, match="Expected"):
        QualityViews(**arguments)
