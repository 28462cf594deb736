"""Views for the content-aware encoder: what is drawn, and what a plan does to pixels."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scipy import ndimage

from reiqa_tf.pretraining.content_views import ContentPlan, ContentViews

VIEWS = ContentViews(patch=64)
ROUNDING = 0.503 / 255
"""Half a level, and what float32 adds to it."""


def plan(**changes):
    """A plan that does nothing, but for the changes; the same for both views."""
    neutral = {
        "boxes": (0, 0, 64, 64),
        "jittered": False,
        "orders": (0, 1, 2, 3),
        "amounts": (1.0, 1.0, 1.0, 0.0),
        "grey": False,
        "sigmas": 0.0,
        "flipped": False,
    }
    return ContentPlan(
        **{name: tf.constant([value, value]) for name, value in (neutral | changes).items()}
    )


def view(image, **changes):
    query, key = VIEWS.apply(tf.constant(image), plan(**changes))
    np.testing.assert_array_equal(query, key)
    return query[0].numpy() / 255


@pytest.fixture
def image(photo):
    return photo[100:164, 300:364]


def test_a_neutral_plan_changes_nothing(image):
    np.testing.assert_array_equal(255 * view(image), image)


def test_a_box_is_cut_out_and_resized_with_antialiasing(photo):
    box = (30, 50, 200, 260)
    cut = Image.fromarray(photo[30:230, 50:310]).resize((64, 64), Image.Resampling.BILINEAR)
    difference = np.abs(255 * view(photo, boxes=box) - np.asarray(cut))
    assert difference.max() < 2.1


def test_each_change_of_colour_is_that_of_the_formula(image):
    x = image / 255
    luma = x @ [0.299, 0.587, 0.114]
    for i, expected in (
        (0, 1.3 * x),
        (1, luma.mean() + 1.3 * (x - luma.mean())),
        (2, luma[..., None] + 1.3 * (x - luma[..., None])),
    ):
        amounts = [1.0, 1.0, 1.0, 0.0]
        amounts[i] = 1.3
        ours = view(image, jittered=True, amounts=tuple(amounts))
        np.testing.assert_allclose(ours, np.clip(expected, 0, 1), atol=ROUNDING)


def test_hue_turns_a_third_of_the_circle_into_exchanged_channels(image):
    turned = view(image, jittered=True, amounts=(1.0, 1.0, 1.0, 1 / 3))
    np.testing.assert_allclose(turned, np.roll(image / 255, 1, axis=-1), atol=2e-3 + ROUNDING)


def test_changes_are_made_in_the_order_of_the_plan(image):
    amounts = (1.4, 0.6, 1.0, 0.0)
    x = image / 255

    def contrast(x):
        mean = (x @ [0.299, 0.587, 0.114]).mean()
        return np.clip(mean + 0.6 * (x - mean), 0, 1)

    def brightness(x):
        return np.clip(1.4 * x, 0, 1)

    first = view(image, jittered=True, amounts=amounts, orders=(0, 1, 2, 3))
    second = view(image, jittered=True, amounts=amounts, orders=(1, 2, 3, 0))
    np.testing.assert_allclose(first, contrast(brightness(x)), atol=ROUNDING)
    np.testing.assert_allclose(second, brightness(contrast(x)), atol=ROUNDING)


def test_grey_blur_and_flip_do_what_they_say(image):
    x = image / 255
    grey = np.repeat((x @ [0.299, 0.587, 0.114])[..., None], 3, -1)
    np.testing.assert_allclose(view(image, grey=True), grey, atol=ROUNDING)
    np.testing.assert_allclose(view(image, flipped=True), x[:, ::-1], atol=1e-9)
    blurred = ndimage.gaussian_filter(x, (1.5, 1.5, 0), mode="reflect", truncate=4)
    np.testing.assert_allclose(view(image, sigmas=1.5), blurred, atol=2e-3 + ROUNDING)


def test_what_is_drawn_has_the_published_frequencies():
    draw = tf.function(VIEWS.draw, autograph=False)
    plans = [draw(tf.constant([i, 3]), tf.constant(300), tf.constant(500)) for i in range(300)]
    drawn = ContentPlan(*(np.concatenate(part) for part in zip(*plans, strict=True)))
    for values, expected in (
        (drawn.jittered, 0.8),
        (drawn.grey, 0.2),
        (drawn.sigmas > 0, 0.5),
        (drawn.flipped, 0.5),
    ):
        assert abs(values.mean() - expected) < 4.5 * np.sqrt(expected * (1 - expected) / 600)
    sigmas = drawn.sigmas[drawn.sigmas > 0]
    assert 0.1 <= sigmas.min() < 0.2 < 1.9 < sigmas.max() <= 2
    top, left, height, width = drawn.boxes.T
    assert min(top.min(), left.min()) >= 0
    assert (top + height).max() <= 300
    assert (left + width).max() <= 500
    area, ratio = height * width / 150_000, width / height
    assert 0.19 < area.min() < 0.25
    assert area.max() > 0.75
    assert ratio.min() > 0.74
    assert ratio.max() < 1.35
    for i, half in enumerate((0.4, 0.4, 0.4, 0.1)):
        offset = drawn.amounts[:, i] - (1 if i < 3 else 0)
        np.testing.assert_allclose(offset.std(), half / 3**0.5, rtol=0.12)
        assert np.abs(offset).max() <= half
    assert (np.sort(drawn.orders) == np.arange(4)).all()
    assert len(np.unique(drawn.orders, axis=0)) == 24


@pytest.mark.parametrize("size", [(40, 200), (200, 40), (33, 33)])
def test_photos_of_any_shape_give_views(photo, size):
    for i in range(4):
        query, key = VIEWS(photo[: size[0], : size[1]], (i, 0))
        assert query.shape == key.shape == (1, 64, 64, 3)
        assert query.dtype == key.dtype == tf.uint8


def test_the_two_views_of_a_photo_differ(photo):
    query, key = VIEWS(photo, (4, 4))
    assert np.abs(np.int16(query) - np.int16(key)).mean() > 5


def test_a_view_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match="at least 32 px"):
        ContentViews(patch=16)
