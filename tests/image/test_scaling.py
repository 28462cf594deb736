"""Half size and resizing against Pillow, eagerly, in a graph and inside tf.data."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from reiqa_tf.image.scaling import half_size, resize, to_unit_range

EVEN = [(512, 768), (384, 512), (32, 64)]
ODD = [(225, 301), (97, 131), (511, 767)]


def _by_pillow(levels, height, width):
    picture = Image.fromarray(levels).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(picture).astype(int)


def _levels(images):
    return np.rint(np.asarray(images) * 255).astype(int)


@pytest.mark.parametrize(("height", "width"), EVEN)
def test_half_size_equals_pillow_at_even_sizes(photo, height, width):
    crop = photo[:height, :width]
    ours = _levels(half_size(to_unit_range(crop)))
    np.testing.assert_array_equal(ours, _by_pillow(crop, height // 2, width // 2))


@pytest.mark.parametrize(("height", "width"), ODD)
def test_half_size_is_at_most_a_level_off_in_a_thousandth_at_odd_sizes(photo, height, width):
    crop = photo[:height, :width]
    difference = np.abs(
        _levels(half_size(to_unit_range(crop))) - _by_pillow(crop, height // 2, width // 2)
    )
    assert difference.max() <= 1
    assert (difference > 0).mean() <= 0.001


def test_half_size_hardly_ever_differs_from_pillow_at_all(photo):
    # One value can turn the features of a small picture by a thousandth. The few that remain come
    # from weights that lie in the middle between two of Pillow's steps.
    different, values = 0, 0
    for height, width in [*ODD, (383, 511), (400, 221), (122, 423), (33, 45), (301, 225)]:
        crop = photo[:height, :width]
        difference = _levels(half_size(to_unit_range(crop))) - _by_pillow(
            crop, height // 2, width // 2
        )
        different += np.count_nonzero(difference)
        values += difference.size
    assert values > 500_000
    assert different <= 2


def test_half_size_is_the_same_eagerly_in_a_dynamic_graph_and_in_tf_data(photo):
    batch = to_unit_range(np.stack([photo[:225, :301], photo[100:325, 50:351]]))
    eager = half_size(batch).numpy()
    graph = tf.function(half_size, input_signature=[tf.TensorSpec((None, None, None, 3))])
    np.testing.assert_array_equal(graph(batch), eager)
    one_by_one = tf.data.Dataset.from_tensor_slices(batch).map(half_size)
    np.testing.assert_array_equal(np.stack(list(one_by_one.as_numpy_iterator())), eager)


def test_half_size_brings_values_between_levels_to_levels_first():
    levels = np.random.default_rng(0).integers(0, 256, (64, 64, 3))
    nudged = (levels + 0.3) / 255
    np.testing.assert_array_equal(half_size(nudged), half_size(levels / 255))


@pytest.mark.parametrize(("height", "width"), [(170, 341), (100, 768), (512, 99)])
def test_resize_shrinks_as_pillow_does(photo, height, width):
    ours = _levels(resize(to_unit_range(photo), height, width))
    difference = np.abs(ours - _by_pillow(photo, height, width))
    assert difference.max() <= 1
    assert (difference > 0).mean() <= 0.001


def test_to_unit_range_divides_integers_and_leaves_floats_alone():
    np.testing.assert_allclose(to_unit_range(np.uint8([0, 51, 255])), [0, 0.2, 1], rtol=1e-7)
    np.testing.assert_array_equal(to_unit_range(np.float64([0.25, 1])), np.float32([0.25, 1]))
