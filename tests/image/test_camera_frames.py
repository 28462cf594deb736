"""Camera frames as RGB pictures: against Pillow, libjpeg and the standards' own numbers."""

import io

import numpy as np
import pytest
from PIL import Image

import reiqa_tf
from reiqa_tf.image.camera_frames import (
    ENCODINGS,
    TURNS,
    CameraFrame,
    Plane,
    frame_to_picture,
    frame_to_rgb,
    shrink,
    turn,
    upright_picture,
    ycbcr_to_rgb,
)
from reiqa_tf.image.reading import ImageError, read_image


def frame_of(photo):
    """What a camera would hand over of a scene: planes without gaps, chroma averaged."""
    picture = photo if isinstance(photo, Image.Image) else Image.fromarray(photo)
    width, height = picture.size
    luma, blue, red = (np.asarray(band) for band in picture.convert("YCbCr").split())
    half = ((width + 1) // 2, (height + 1) // 2)
    chroma = [np.asarray(Image.fromarray(band).reduce(2)) for band in (blue, red)]
    assert chroma[0].shape == half[::-1]
    return CameraFrame(
        height,
        width,
        Plane(luma.ravel(), width),
        *(Plane(band.ravel(), half[0]) for band in chroma),
    )


def spread_out(plane, height, width, row_stride, pixel_stride):
    """The same plane with gaps, as hardware has it: it ends with its last sample."""
    rows = np.arange(height)[:, None] * row_stride + np.arange(width) * pixel_stride
    samples = np.full(rows.max() + 1, 255, np.uint8)
    samples[rows] = plane.grid(height, width)
    return Plane(samples, row_stride, pixel_stride)


def jpeg_of_blocks(generator, blocks):
    """A JPEG of blocks that hold one colour each, and its frame: nothing is lost between them."""
    rows, columns = blocks
    luma = generator.integers(0, 256, (2 * rows, 2 * columns), np.uint8).repeat(8, 0).repeat(8, 1)
    blue, red = generator.integers(0, 256, (2, rows, columns), np.uint8).repeat(8, 1).repeat(8, 2)
    bands = [luma, *(band.repeat(2, 0).repeat(2, 1) for band in (blue, red))]
    file = io.BytesIO()
    picture = Image.merge("YCbCr", [Image.fromarray(band) for band in bands])
    picture.save(file, "JPEG", quality=100, subsampling="4:2:0")
    width = luma.shape[1]
    frame = CameraFrame(
        len(luma),
        width,
        Plane(luma.ravel(), width),
        *(Plane(band.ravel(), width // 2) for band in (blue, red)),
    )
    return file.getvalue(), frame


def test_a_frame_becomes_what_libjpeg_makes_of_the_same_planes():
    generator = np.random.default_rng(0)
    for blocks in ((3, 5), (8, 2), (1, 6)):
        jpeg, frame = jpeg_of_blocks(generator, blocks)
        shown = np.asarray(Image.open(io.BytesIO(jpeg)))
        np.testing.assert_array_equal(frame_to_rgb(frame, upsampling="triangle"), shown)


def test_without_smoothing_a_sample_of_chroma_counts_for_its_four_pixels():
    frame = jpeg_of_blocks(np.random.default_rng(1), (2, 3))[1]
    luma, *chroma = frame.planes()
    expected = ycbcr_to_rgb(luma, *(band.repeat(2, 0).repeat(2, 1) for band in chroma))
    np.testing.assert_array_equal(frame_to_rgb(frame), expected)


@pytest.mark.parametrize("name", ENCODINGS)
def test_factors_are_those_of_the_standards(name):
    red, blue = (0.2126, 0.0722) if name.startswith("bt709") else (0.299, 0.114)
    green = 1 - red - blue
    limited = name.endswith("limited")
    luma, chroma = (255 / 219, 255 / 224) if limited else (1, 1)
    found = ENCODINGS[name]
    expected = (
        luma,
        chroma * 2 * (1 - red),
        chroma * 2 * (1 - blue) * blue / green,
        chroma * 2 * (1 - red) * red / green,
        chroma * 2 * (1 - blue),
    )
    received = (found.luma, found.red, found.green_blue, found.green_red, found.blue)
    # libjpeg's factors have five digits.
    np.testing.assert_allclose(np.array(received) / 65536, expected, atol=2e-5)
    assert found.black == (16 if limited else 0)
    levels = np.array([[16, 235] if limited else [0, 255]], np.uint8)
    grey = np.full((1, 2), 128, np.uint8)
    np.testing.assert_array_equal(
        ycbcr_to_rgb(levels, grey, grey, name)[0], [[0, 0, 0], [255, 255, 255]]
    )


@pytest.mark.parametrize(("height", "width"), [(48, 64), (47, 63), (1, 1)])
def test_strides_and_ends_of_planes_do_not_matter(photo, height, width):
    frame = frame_of(photo[:height, :width])
    half = ((height + 1) // 2, (width + 1) // 2)
    gapped = CameraFrame(
        height,
        width,
        spread_out(frame.luma, height, width, width + 13, 1),
        spread_out(frame.blue, *half, 2 * half[1] + 7, 2),
        spread_out(frame.red, *half, 2 * half[1] + 7, 2),
    )
    np.testing.assert_array_equal(frame_to_rgb(gapped), frame_to_rgb(frame))
    y, cb, cr = frame.planes()
    nv21 = np.concatenate([y.ravel(), np.stack([cr, cb], axis=-1).ravel()])
    np.testing.assert_array_equal(
        frame_to_rgb(CameraFrame.nv21(nv21, height, width)), frame_to_rgb(frame)
    )


def test_a_plane_that_is_too_short_is_refused():
    short = Plane(np.zeros(99, np.uint8), 10)
    with pytest.raises(ImageError, match="100 bytes or more of 10 rows of 10 samples"):
        short.grid(10, 10)


@pytest.mark.parametrize(
    ("old", "new"), [((512, 768), (341, 512)), ((97, 131), (64, 33)), ((50, 60), (75, 99))]
)
def test_planes_are_brought_to_size_as_pillow_does(photo, old, new):
    generator = np.random.default_rng(0)
    for plane in (photo[: old[0], : old[1], 1], generator.integers(0, 256, old, np.uint8)):
        resized = Image.fromarray(plane).resize(new[::-1], Image.Resampling.BICUBIC)
        np.testing.assert_array_equal(shrink(plane, *new), np.asarray(resized))


@pytest.mark.parametrize("degrees", TURNS)
def test_an_upright_picture_is_the_middle_of_the_frame_turned(photo, degrees):
    upright = photo[:400, :400]
    frame = frame_of(turn(upright, (360 - degrees) % 360))  # as the sensor lies
    middle = upright[50:350]  # 3:4
    expected = np.asarray(Image.fromarray(middle).resize((120, 90), Image.Resampling.BICUBIC))
    received = upright_picture(frame, degrees, 90, 120)
    gaps = np.abs(received.astype(int) - expected)
    assert gaps.mean() < 1.5  # of chroma, of which the frame has a quarter


def test_a_frame_smaller_than_the_picture_is_refused(photo):
    with pytest.raises(ImageError, match=r"at least 200 x 300.* Received: 100 x 200"):
        upright_picture(frame_of(photo[:100, :200]), 0, 200, 300)


def test_a_turn_is_clockwise():
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3)
    np.testing.assert_array_equal(turn(picture, 90), [[3, 0], [4, 1], [5, 2]])
    whole = picture
    for degrees in TURNS:
        np.testing.assert_array_equal(turn(picture, degrees), whole)
        whole = turn(whole, 90)
    with pytest.raises(ImageError, match=r"expected one of \(0, 90, 180, 270\).* Received: 45"):
        turn(picture, 45)


@pytest.mark.parametrize("fit", [341, 512])
def test_a_frame_scores_as_the_photo_of_the_same_scene(photo, fit):
    scorer = reiqa_tf.open_scorer()
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=95, subsampling="4:2:0")
    expected = read_image(file.getvalue(), fit)
    stored = Image.open(file)
    stored.draft("YCbCr", stored.size)
    frame = frame_of(stored)
    found = {"planes": frame_to_picture(frame, *expected.shape[:2])}
    for upsampling in ("nearest", "triangle"):
        found[upsampling] = read_image(frame_to_rgb(frame, upsampling=upsampling), fit)
    low, high = scorer.score_range
    points = {name: float(scorer.score(image)) for name, image in found.items()}
    for name, score in points.items():
        assert abs(score - float(scorer.score(expected))) <= 0.01 * (high - low), (name, points)
