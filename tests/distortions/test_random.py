"""Random distortions: their statistics, and the same randomness put through NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from reiqa_tf.distortions import DISTORTIONS, distort, distortion_named, reference
from reiqa_tf.distortions.engine.random_fields import (
    LARGEST_NORMAL,
    NORMAL_STEP,
    codebook,
    normal_field,
    uniform_field,
    uniform_quantile,
)
from reiqa_tf.distortions.engine.windows import RIM, Photo

GREY = np.full((256, 320, 3), 0.5, np.float32)
RANDOM = [distortion for distortion in DISTORTIONS if distortion.random]


def drawn(name, level, image, seed):
    distortion = distortion_named(name)
    value = tf.constant(distortion.levels[level], tf.float32)
    return distortion.draw(tf.constant(seed), value, Photo(tf.constant(image)))


def normal_steps(seed, first_row, rows, columns, channels):
    """The noise of some rows of a photo, in steps."""
    field = normal_field(seed, photo_of(first_row, rows, columns), channels)
    return field.values.numpy()[..., RIM : RIM + columns]


def uniform_numbers(seed, first_row, rows, columns):
    """A uniform field, a number a pixel."""
    (numbers,) = uniform_field(seed, photo_of(first_row, rows, columns)).values.numpy()
    return numbers[:, RIM : RIM + columns]


def photo_of(first_row, rows, columns):
    """A photo of which these rows are wanted."""
    photo = Photo(tf.zeros((rows, columns, 3)))
    photo.first_row = first_row
    return photo


def normal_numbers(*arguments):
    """A normal field as numbers of variance 1, channels last."""
    return NORMAL_STEP * np.moveaxis(normal_steps(*arguments), 1, -1)


def correlation(a, b):
    return np.corrcoef(a.ravel(), b.ravel())[0, 1]


@pytest.mark.parametrize("level", range(5))
def test_gaussian_noise_has_the_variance_of_its_level_in_each_channel(level):
    noise = distort(GREY, "gaussian_noise", level, (level, 1)).numpy() - GREY
    expected = distortion_named("gaussian_noise").levels[level]
    np.testing.assert_allclose(noise.var(axis=(0, 1)), expected, rtol=0.03)
    np.testing.assert_allclose(noise.mean(axis=(0, 1)), 0, atol=4 * np.sqrt(expected / 81920))


@pytest.mark.parametrize("level", range(5))
def test_multiplicative_noise_grows_with_the_pixel(level):
    expected = distortion_named("multiplicative_noise").levels[level]
    for grey in (0.25, 0.5):
        image = np.full((256, 256, 3), grey, np.float32)
        noise = distort(image, "multiplicative_noise", level, (3, level)).numpy() - image
        np.testing.assert_allclose(noise.var(), expected * grey**2, rtol=0.03)


@pytest.mark.parametrize("level", range(5))
def test_ycbcr_noise_has_the_variance_of_its_level_on_each_of_y_cb_cr(level):
    noise = 255 * (distort(GREY, "ycbcr_noise", level, (5, level)).numpy() - GREY)
    forward = np.array(
        [[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]
    )
    ycbcr = noise / 255 @ forward.T / 255
    expected = distortion_named("ycbcr_noise").levels[level]
    np.testing.assert_allclose(ycbcr.var(axis=(0, 1)), expected, rtol=0.03)
    assert np.abs(np.corrcoef(ycbcr.reshape(-1, 3).T) - np.eye(3)).max() < 0.02


def test_noise_is_white_along_rows_along_columns_and_between_channels():
    field = normal_numbers(tf.constant([1, 2]), 0, 512, 512, 3)
    for down in range(3):
        for right in range(-3, 4):
            if (down, right) > (0, 0):
                a = field[: 512 - down, max(0, -right) : 512 - max(0, right)]
                b = field[down:, max(0, right) : 512 + min(0, right)]
                assert abs(correlation(a, b)) < 0.006, (down, right)
    assert np.abs(np.corrcoef(field.reshape(-1, 3).T) - np.eye(3)).max() < 0.008
    power = np.abs(np.fft.rfft2(field[..., 0])[1:256, 1:256]) ** 2 / 512**2
    for quarter in power.reshape(5, 51, 5, 51).mean((1, 3)).ravel():
        np.testing.assert_allclose(quarter, 1, atol=5 / 51)


def test_normal_numbers_have_the_distribution_of_normal_numbers():
    field = np.sort(normal_numbers(tf.constant([7, 7]), 0, 512, 512, 1).ravel())
    for value in (-3, -2, -1, 0, 1.5):
        between = value + NORMAL_STEP / 2  # numbers are multiples of a step
        below = special.ndtr(between)
        part = np.searchsorted(field, between) / field.size
        assert abs(part - below) < 5 * np.sqrt(below * (1 - below) / field.size), value
    book = NORMAL_STEP * codebook()
    assert np.abs(book).max() < LARGEST_NORMAL
    np.testing.assert_allclose(np.cov(book.T), np.eye(32), atol=6e-4)


def test_rows_of_a_field_do_not_depend_on_where_drawing_begins():
    seed = tf.constant([3, 4])
    for draw in (
        lambda first, rows: normal_steps(seed, first, rows, 37, 3),
        lambda first, rows: uniform_numbers(seed, first, rows, 37),
    ):
        np.testing.assert_array_equal(draw(0, 40)[13:33], draw(13, 20))


def test_a_quantile_of_uniform_numbers_has_its_part_of_them_below():
    numbers = np.arange(-(2**15), 2**15, dtype=np.int16)
    for probability in (0.0005, 0.001, 0.0125, 0.03, 0.5):
        below = (numbers < uniform_quantile(tf.constant(probability)).numpy()).mean()
        assert abs(below - probability) <= 0.5 / 2**16, probability
    field = uniform_numbers(tf.constant([5, 6]), 0, 300, 401)
    assert field.shape == (300, 401)
    for probability in (0.03, 0.5):
        below = (field < uniform_quantile(tf.constant(probability)).numpy()).mean()
        error = np.sqrt(probability * (1 - probability) / field.size)
        assert abs(below - probability) < 5 * error, probability


@pytest.mark.parametrize(
    "distortion",
    [  # jitter warps five times: slow
        pytest.param(one, id=one.name, marks=pytest.mark.slow if one.name == "jitter" else ())
        for one in RANDOM
    ],
)
def test_seeds_give_pictures_of_their_own_and_the_same_seed_the_same_one(photo, distortion):
    image = photo[40:117, 300:401]
    first, again, *others = (
        distort(image, distortion.name, 4, seed).numpy()
        for seed in ((1, 2), (1, 2), (1, 3), (2, 2), (2, 1), (9, 9))
    )
    np.testing.assert_array_equal(first, again)
    assert any(np.abs(first - other).max() > 0.05 for other in others)


def test_noise_of_different_seeds_is_uncorrelated():
    seeds = [(0, 0), (0, 1), (1, 0), (1, 1), (2**30, 5)]
    noises = [distort(GREY, "gaussian_noise", 2, seed).numpy() - GREY for seed in seeds]
    for i, first in enumerate(noises):
        for second in noises[:i]:
            assert abs(correlation(first, second)) < 0.01


@pytest.mark.parametrize("level", range(5))
def test_impulse_noise_turns_whole_pixels_black_or_white_in_equal_parts(level):
    image = distort(GREY, "impulse_noise", level, (level, 8)).numpy()
    assert (np.ptp(image, axis=-1) == 0).all()
    half = distortion_named("impulse_noise").levels[level] / 2
    for extreme in (0, 1):
        part = (image[..., 0] == extreme).mean()
        assert abs(part - half) < 4.5 * np.sqrt(half / image[..., 0].size)
    assert np.isin(image, np.float32([0, 0.5, 1])).all()


def test_denoise_blurs_its_noise_with_one_of_two_kernels_by_a_fair_coin():
    kernels = []
    for i in range(60):
        _, kernel = drawn("denoise", 4, GREY[:32, :32], (i, 3))
        kernels.append(kernel.numpy())
    boxes = [np.isclose(kernel.max(), 0.2) for kernel in kernels]
    assert 15 <= sum(boxes) <= 45
    gaussian = kernels[boxes.index(False)]
    np.testing.assert_allclose(np.log(gaussian[9] / gaussian[6]), 0.5, rtol=1e-4)  # sigma 3
    box = kernels[boxes.index(True)]
    np.testing.assert_allclose(box, np.where(np.abs(np.arange(-9, 10)) <= 2, 0.2, 0), atol=1e-7)


@pytest.mark.parametrize("seed", [(0, 0), (1, 0), (2, 0), (3, 0)])
def test_denoise_is_noise_eight_bits_and_a_blur(photo, seed):
    image = photo[:80, :90] / np.float32(255)
    noise_drawn, kernel = drawn("denoise", 3, image, seed)
    noise = NORMAL_STEP * noise_drawn.values.numpy()[..., RIM : RIM + 90 + 18]
    noise = 0.005**0.5 * np.moveaxis(noise, 1, -1)
    padded = np.pad(image, ((9, 9), (9, 9), (0, 0)), mode="edge")
    noisy = np.floor(np.clip(255 * (padded + noise) + 0.5, 0, 255)) / 255
    for axis in (0, 1):
        noisy = np.apply_along_axis(np.convolve, axis, noisy, kernel.numpy(), mode="valid")
    np.testing.assert_allclose(distort(image, "denoise", 3, seed), noisy, atol=1e-2)
    assert np.abs(distort(image, "denoise", 3, seed) - noisy).mean() < 1e-5


@pytest.mark.parametrize("level", [0, 3, 4])
def test_color_shift_moves_green_at_edges(photo, level):
    image = photo[:200, 300:520] / np.float32(255)
    length = distortion_named("color_shift").levels[level]
    for seed in ((1, 1), (2, 5)):
        down, right, _ = drawn("color_shift", level, image, seed)
        assert min(down, right) >= 0
        assert abs(np.hypot(down, right) - length) <= 0.75
        expected = reference.color_shift(image, (int(down), int(right)))
        difference = 255 * np.abs(distort(image, "color_shift", level, seed).numpy() - expected)
        assert difference.mean() < 0.3
        assert np.percentile(difference, 99) < 4


def test_color_shift_points_anywhere_between_down_and_right():
    angles = []
    for i in range(40):
        down, right, _ = drawn("color_shift", 4, GREY[:32, :32], (i, 0))
        angles.append(np.arctan2(down, right))
    counts = np.histogram(angles, bins=3, range=(0, np.pi / 2))[0]
    assert counts.min() >= 5


@pytest.mark.parametrize("level", range(5))
def test_color_block_paints_squares_of_32_px(level):
    count = distortion_named("color_block").levels[level]
    image = np.zeros((200, 260, 3), np.float32)
    painted = distort(image, "color_block", level, (level, 4)).numpy()
    tops, lefts, colors = (part.numpy() for part in drawn("color_block", level, image, (level, 4)))
    expected = image.copy()
    for top, left, color in list(zip(tops, lefts, colors, strict=True))[:count]:
        expected[top : top + 32, left : left + 32] = color
    np.testing.assert_allclose(painted, expected, atol=1e-6)
    assert tops.min() >= 0 <= lefts.min()
    assert tops.max() <= 168
    assert lefts.max() <= 228


@pytest.mark.parametrize(("level", "size"), [(0, (300, 400)), (4, (300, 400)), (4, (64, 70))])
def test_non_eccentricity_copies_patches_one_after_the_other(level, size):
    image = np.random.default_rng(0).uniform(size=(*size, 3)).astype(np.float32)
    seed = (level, 2)
    expected = image.copy()
    copies = distortion_named("non_eccentricity").copies
    places = [part.numpy() for part in copies(tf.constant(seed), *size)]
    count = distortion_named("non_eccentricity").levels[level]
    for row, column, new_row, new_column in list(zip(*places, strict=True))[:count]:
        patch = expected[row : row + 16, column : column + 16].copy()
        expected[new_row : new_row + 16, new_column : new_column + 16] = patch
        assert max(abs(new_row - row), abs(new_column - column)) <= 8
    np.testing.assert_array_equal(distort(image, "non_eccentricity", level, seed), expected)
    assert (expected != image).any(axis=-1).mean() > (0.02 if level == 0 else 0.15)


def test_non_eccentricity_copies_from_anywhere_to_anywhere_near():
    copies = distortion_named("non_eccentricity").copies
    rows, columns, new_rows, new_columns = (
        np.concatenate([copies(tf.constant([i, 1]), 116, 316)[part] for i in range(20)])
        for part in range(4)
    )
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (0, 100, 0, 300)
    inside = (rows >= 8) & (rows <= 92) & (columns >= 8) & (columns <= 292)
    for offset in ((new_rows - rows)[inside], (new_columns - columns)[inside]):
        counts = np.histogram(offset, bins=17, range=(-8.5, 8.5))[0]
        assert counts.sum() == inside.sum()
        assert counts.min() > 0.5 * counts.mean()
    assert min(new_rows.min(), new_columns.min()) >= 0
    assert new_rows.max() <= 100


@pytest.mark.parametrize("level", range(5))
def test_jitter_displaces_by_white_noise_of_its_deviation(level):
    deviation = distortion_named("jitter").levels[level]
    image = np.zeros((128, 160, 3), np.float32)
    field = np.moveaxis(drawn("jitter", level, image, (level, 6)).values.numpy(), 1, -1)
    field = deviation * NORMAL_STEP * field
    np.testing.assert_allclose(field.var(axis=(0, 1)), deviation**2, rtol=0.04)
    assert np.abs(np.corrcoef(field.reshape(-1, 10).T) - np.eye(10)).max() < 0.03
    assert abs(correlation(field[1:], field[:-1])) < 0.01
    assert abs(correlation(field[:, 1:], field[:, :-1])) < 0.01


@pytest.mark.parametrize("level", [0, 2, 3, 4])
def test_jitter_is_five_rounds_of_cubic_lookup(photo, level):
    image = photo[40:117, 300:401] / np.float32(255)
    deviation = distortion_named("jitter").levels[level]
    field = drawn("jitter", level, image, (level, 0)).values.numpy()
    outer = distortion_named("jitter").neighbourhood[-1]
    reach = outer // 5
    field = deviation * NORMAL_STEP * field[..., RIM : RIM + 101 + 2 * outer]
    known = np.pad(image, ((outer, outer), (outer, outer), (0, 0)), mode="symmetric")
    for number in range(5):
        left = outer - reach * (number + 1)  # what is still known around the photo
        rows, columns = np.indices((77 + 2 * left, 101 + 2 * left)) + float(reach)
        cut = slice(outer - left, left - outer or None)
        down, right = np.moveaxis(field[cut, 2 * number : 2 * number + 2, cut], 1, 0)
        known = reference.cubic_lookup(known, rows + down, columns + right)
    ours = distort(image, "jitter", level, (level, 0)).numpy()
    np.testing.assert_allclose(ours, np.clip(known, 0, 1), atol=2e-4)


def test_motion_blur_runs_along_rows_or_columns_by_a_fair_coin(photo):
    image = photo[:70, :90] / np.float32(255)
    directions = []
    for i in range(12):
        level = i % 5
        length = distortion_named("motion_blur").levels[level]
        ours = distort(image, "motion_blur", level, (i, 1)).numpy()
        expected = [reference.motion_blur(image, length, along) for along in (False, True)]
        distances = [np.abs(ours - theirs).max() for theirs in expected]
        assert min(distances) < 1e-4
        directions.append(int(np.argmin(distances)))
    coins = [bool(drawn("motion_blur", 0, image, (i, 1))) for i in range(80)]
    assert 22 <= sum(coins) <= 58
    assert set(directions) == {0, 1}
