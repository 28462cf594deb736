"""Files as real tools write them: read here, in training and on a server alike.

tests/cases/README.md says how each was made.
"""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageCms

from reiqa_tf.image import color_profiles, profile_ops
from reiqa_tf.image.decoding import decode_photo
from reiqa_tf.image.reading import ImageError, read_image
from reiqa_tf.image.served_decoding import decode_served_photo
from tests.image import metadata_fuzz

CASES = metadata_fuzz.CASES

in_training = tf.function(
    decode_photo, input_signature=[tf.TensorSpec((), tf.string)], autograph=False
)


@tf.function(input_signature=[tf.TensorSpec((), tf.string)], autograph=False)
def on_a_server(contents):
    photo = decode_served_photo(contents, tf.constant("image_bytes[0]"), 512)
    return tf.cast(255 * photo + 0.5, tf.uint8)


PLAIN = 93.70  # mean level of plain.jpg
UPRIGHT, TURNED = (160, 240, 3), (240, 160, 3)
EXPECTED = {
    "bmp32_alpha_mask_all_zero.bmp": (UPRIGHT, 93.65),
    "bmp32_no_alpha_mask.bmp": (UPRIGHT, 93.65),
    "exif_behind_large_icc_o6.jpg": (TURNED, PLAIN),
    "exif_blank.jpg": (UPRIGHT, PLAIN),
    "exif_doubled_prefix_o6.jpg": (TURNED, PLAIN),
    "exif_garbage.jpg": (UPRIGHT, PLAIN),
    "exif_garbage_no_null.jpg": (UPRIGHT, PLAIN),
    "exif_o6_exif_pointer_as_ascii.jpg": (TURNED, PLAIN),
    "exif_o6_exifversion_long.jpg": (TURNED, PLAIN),
    "exif_o6_fnumber_as_undefined.jpg": (TURNED, PLAIN),
    "exif_o6_gps_byte_as_altitude.jpg": (TURNED, PLAIN),
    "exif_o6_gps_lat_as_ascii.jpg": (TURNED, PLAIN),
    "exif_o6_ifd_pointer_outside.jpg": (TURNED, PLAIN),
    "exif_o6_imagewidth_ascii.jpg": (TURNED, PLAIN),
    "exif_o6_interop_string.jpg": (TURNED, PLAIN),
    "exif_o6_make_as_short.jpg": (TURNED, PLAIN),
    "exif_o6_usercomment_ascii.jpg": (TURNED, PLAIN),
    "exif_o6_xres_as_ascii.jpg": (TURNED, PLAIN),
    "exif_o6_xres_as_undefined.jpg": (TURNED, PLAIN),
    "exif_odd_tags_o6.jpg": (TURNED, PLAIN),
    "jpeg_420.jpg": ((157, 237, 3), 94.03),
    "jpeg_422.jpg": ((157, 237, 3), 94.02),
    "jpeg_444.jpg": ((157, 237, 3), 94.00),
    "jpeg_arithmetic.jpg": (UPRIGHT, PLAIN),
    "jpeg_arithmetic_progressive.jpg": (UPRIGHT, PLAIN),
    "jpeg_cmyk_adobe.jpg": (UPRIGHT, 93.65),
    "jpeg_cmyk_adobe_marker_stripped.jpg": (UPRIGHT, 93.65),
    "jpeg_cmyk_plain_no_adobe.jpg": (UPRIGHT, 93.65),
    "jpeg_extraneous_bytes.jpg": (UPRIGHT, PLAIN),
    "jpeg_ic_411.jpg": ((157, 237, 3), 94.14),
    "jpeg_ic_420.jpg": ((157, 237, 3), 94.03),
    "jpeg_ic_422.jpg": ((157, 237, 3), 94.02),
    "jpeg_ic_440.jpg": ((157, 237, 3), 94.16),
    "jpeg_ic_444.jpg": ((157, 237, 3), 94.00),
    "jpeg_lossless.jpg": ((157, 237, 3), 108.78),
    "jpeg_no_eoi.jpg": (UPRIGHT, PLAIN),
    "jpeg_rgb_colourspace.jpg": ((157, 237, 3), 93.99),
    "jpeg_trailing_video.jpg": (UPRIGHT, PLAIN),
    "mpf_garbage.jpg": (UPRIGHT, PLAIN),
    "mpf_no_count.jpg": (UPRIGHT, PLAIN),
    "mpf_offset_outside.jpg": (UPRIGHT, PLAIN),
    "mpf_short.jpg": (UPRIGHT, PLAIN),
    "mpo.jpg": (UPRIGHT, PLAIN),
    "mpo_second_picture_cut.jpg": (UPRIGHT, PLAIN),
    "orientation_ascii_o6.jpg": (UPRIGHT, PLAIN),
    "orientation_byte_be_o6.jpg": (UPRIGHT, PLAIN),
    "orientation_exif1_xmp6.jpg": (UPRIGHT, PLAIN),
    "orientation_long_be_o6.jpg": (TURNED, PLAIN),
    "orientation_long_le_o6.jpg": (TURNED, PLAIN),
    "orientation_only_in_xmp_o6.jpg": (TURNED, PLAIN),
    "orientation_two_values_o6.jpg": (TURNED, PLAIN),
    "plain.jpg": (UPRIGHT, PLAIN),
    "plain.png": (UPRIGHT, 93.65),
    "png_bad_crc_time.png": (UPRIGHT, 93.65),
    "png_bkgd_trns.png": (UPRIGHT, 93.66),
    "png_exif_malformed.png": (UPRIGHT, 93.65),
    "png_exif_with_prefix_o6.png": (TURNED, 93.65),
    "png_gama.png": (UPRIGHT, 93.65),
    "png_large_compressed_text.png": (UPRIGHT, 93.65),
    "png_xmp_o6.png": (TURNED, 93.65),
    "tiff_12in16.tif": (UPRIGHT, 6.08),
    "tiff_big.tif": ((100, 120, 3), 94.94),
    "tiff_grey16_minisblack.tif": (UPRIGHT, 97.85),
    "tiff_grey16_miniswhite.tif": (UPRIGHT, 97.85),
    "tiff_grey8_miniswhite.tif": (UPRIGHT, 97.85),
    "tiff_jpeg.tif": (UPRIGHT, 93.68),
    "tiff_lab.tif": ((100, 120, 3), 94.83),
    "tiff_lab_truth.png": ((100, 120, 3), 94.94),
    "tiff_orientation_3.tif": ((80, 120, 3), 100.69),
    "tiff_orientation_6.tif": ((120, 80, 3), 100.69),
    "tiff_orientation_8.tif": ((120, 80, 3), 100.69),
    "tiff_rgb16.tif": ((100, 120, 3), 94.94),
    "tiff_rgb8_planar.tif": ((100, 120, 3), 94.94),
    "tiff_rgb_extra_unspecified.tif": ((100, 120, 3), 94.94),
    "tiff_uint32.tif": ((100, 120, 3), 98.71),
    "xmp_not_utf8_exif_o6.jpg": (TURNED, PLAIN),
}
REFUSED = {
    "jpeg_12bit.jpg": "12-bit",
    "jpeg_leading_newline.jpg": "not a picture that can be read",
    "tiff_float.tif": "floating-point pixels",
}
NARROW = ("long_40x15000.jpg", "long_40x20000.jpg")


def test_every_picture_among_the_cases_has_its_expectation():
    pictures = {
        path.name for path in CASES.iterdir() if path.suffix in (".jpg", ".png", ".bmp", ".tif")
    }
    assert pictures == {*EXPECTED, *REFUSED, *NARROW}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_picture_is_read_upright_with_the_right_pixels_on_all_paths(name):
    contents = (CASES / name).read_bytes()
    shape, mean = EXPECTED[name]
    image = read_image(contents)
    assert image.shape == shape
    assert image.mean() == pytest.approx(mean, abs=0.01)
    np.testing.assert_array_equal(in_training(contents), image)
    if name == "jpeg_lossless.jpg":
        with pytest.raises(tf.errors.InvalidArgumentError, match="coded without loss"):
            on_a_server(contents)
    elif name.endswith((".jpg", ".png")):
        np.testing.assert_array_equal(on_a_server(contents), image)


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_path_can_read_is_refused_by_name(name):
    contents = (CASES / name).read_bytes()
    with pytest.raises(ImageError, match=rf"{name}.*{REFUSED[name]}"):
        read_image(CASES / name)
    for decode in (in_training, on_a_server):
        with pytest.raises(tf.errors.InvalidArgumentError):
            decode(contents)


@pytest.mark.parametrize("name", NARROW)
def test_a_picture_too_narrow_once_shrunk_is_refused_in_one_line(name):
    contents = (CASES / name).read_bytes()
    assert read_image(contents).shape[1] == 40
    with pytest.raises(ImageError, match=r"too small once shrunk to fit 512 px.* 1 x 512 px"):
        read_image(contents, fit=512)
    with pytest.raises(tf.errors.InvalidArgumentError, match="too small once shrunk to fit 512"):
        on_a_server(contents)


@pytest.mark.parametrize("start", range(0, 100, 20))
def test_damaged_metadata_stop_no_path_and_change_no_pixel(photo, start):
    _compare_damaged(photo, range(start, start + 20))


@pytest.mark.slow
def test_of_a_thousand_photos_with_damaged_metadata_none_is_refused(photo):
    assert _compare_damaged(photo, range(1000)) <= 10


def _compare_damaged(photo, seeds):
    """Compares all paths; returns how many photos the server shows otherwise than by a level."""
    image = photo[100:190, 200:320]
    different = 0
    for seed in seeds:
        contents = metadata_fuzz.photo_file(image, np.random.default_rng(seed))
        expected = read_image(contents)
        np.testing.assert_array_equal(in_training(contents), expected, err_msg=str(seed))
        served = on_a_server(contents).numpy()
        assert served.shape == expected.shape, seed
        # A profile so damaged that lcms refuses it, or reads curves that no device has.
        different += np.abs(np.int16(served) - np.int16(expected)).max() > 1
    assert different <= max(1, len(seeds) // 50)
    return different


# -- TIFF, laid out in every way.


def _tiff(image, planes, bits, order, photometric=2):
    """A TIFF without compression, written out entry by entry."""
    count = 1 if image.ndim == 2 else image.shape[2]
    levels = (image.astype(np.uint32) * (257 if bits == 16 else 1)).astype(f"{order}u{bits // 8}")
    strips = [levels[..., i].tobytes() for i in range(count)] if planes == 2 else [levels.tobytes()]
    data, offsets = b"", []
    for strip in strips:
        offsets.append(8 + len(data))
        data += strip
    entries = []
    for tag, kind, values in (
        (256, "I", [image.shape[1]]),
        (257, "I", [image.shape[0]]),
        (258, "H", [bits] * count),
        (259, "H", [1]),
        (262, "H", [photometric]),
        (273, "I", offsets),
        (277, "H", [count]),
        (278, "I", [image.shape[0]]),
        (279, "I", [len(strip) for strip in strips]),
        (284, "H", [planes]),
    ):
        value = struct.pack(f"{order}{len(values)}{kind}", *values)
        if len(value) > 4:
            data, value = data + value, struct.pack(f"{order}I", 8 + len(data))
        code = {"H": 3, "I": 4}[kind]
        entries.append(struct.pack(f"{order}HHI", tag, code, len(values)) + value.ljust(4, b"\x00"))
    header = b"II" if order == "<" else b"MM"
    header += struct.pack(f"{order}HI", 42, 8 + len(data))
    directory = struct.pack(f"{order}H", len(entries)) + b"".join(entries) + b"\x00" * 4
    return header + data + directory


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("planes", "bits"), [(1, 8), (1, 16), (2, 8)])
def test_a_tiff_in_colour_is_read_right(photo, planes, bits, order):
    image = photo[100:180, 300:400]
    np.testing.assert_array_equal(read_image(_tiff(image, planes, bits, order)), image)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_of_sixteen_bits_in_planes_is_refused_by_name(photo, order):
    with pytest.raises(ImageError, match="colours lie in planes"):
        read_image(_tiff(photo[100:180, 300:400], 2, 16, order))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("photometric", [0, 1])
def test_a_grey_tiff_counts_from_white_or_from_black(photo, bits, photometric):
    image = photo[100:180, 300:400, 1]
    expected = 255 - image if photometric == 0 else image
    received = read_image(_tiff(image, 1, bits, "<", photometric))
    np.testing.assert_array_equal(received[..., 1], expected)


# -- Colour profiles.


@pytest.mark.parametrize("name", metadata_fuzz.PROFILES)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_picture_with_a_profile_is_brought_to_srgb(photo, name, kind):
    profile = metadata_fuzz.PROFILES[name]
    picture = Image.fromarray(photo[100:200, 300:430])
    file = io.BytesIO()
    lossless = {"lossless": True} if kind == "WEBP" else {}
    picture.save(file, kind, icc_profile=profile, **lossless)
    stored = np.asarray(Image.open(io.BytesIO(file.getvalue())).convert("RGB"))
    expected = _in_srgb(stored, profile)
    image = read_image(file.getvalue())
    assert np.abs(np.int16(image) - np.int16(stored)).mean() > 1
    # lcms computes with 16 bits.
    assert np.abs(image - 255 * expected).max() <= 1.2
    np.testing.assert_array_equal(in_training(file.getvalue()), image)
    if kind in ("JPEG", "PNG"):
        assert np.abs(np.int16(on_a_server(file.getvalue())) - np.int16(image)).max() <= 1


def _in_srgb(levels, profile):
    """The definition, in float64: curves, matrix to XYZ, matrix to linear sRGB, its curve."""
    at = {
        profile[132 + 12 * i : 136 + 12 * i]: int.from_bytes(
            profile[136 + 12 * i : 140 + 12 * i], "big"
        )
        for i in range(int.from_bytes(profile[128:132], "big"))
    }

    def fixed(place, count):
        return np.frombuffer(profile, ">i4", count, place) / 65536

    curve = profile[at[b"rTRC"] :]
    x = levels / 255
    if curve[:4] == b"para":
        g, a, b, c, d = fixed(at[b"rTRC"] + 12, 5)
        linear = np.where(x >= d, np.maximum(a * x + b, 0) ** g, c * x)
    else:
        count = int.from_bytes(curve[8:12], "big")
        values = np.frombuffer(curve, ">u2", count, 12)
        grid = np.linspace(0, 1, max(count, 2))
        linear = x ** (values[0] / 256) if count == 1 else np.interp(x, grid, values / 65535)
    colorants = np.stack([fixed(at[name] + 8, 3) for name in (b"rXYZ", b"gXYZ", b"bXYZ")], 1)
    srgb = ImageCms.createProfile("sRGB")
    own = ImageCms.ImageCmsProfile(srgb).profile
    to_xyz = np.stack([own.red_colorant[0], own.green_colorant[0], own.blue_colorant[0]], 1)
    linear = np.clip(linear @ colorants.T @ np.linalg.inv(to_xyz).T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def test_a_grey_picture_with_a_profile_is_brought_to_srgb(photo):
    picture = Image.fromarray(photo[100:200, 300:430]).convert("L")
    file = io.BytesIO()
    profile = metadata_fuzz.grey_profile(metadata_fuzz.gamma(1.8))
    picture.save(file, "PNG", icc_profile=profile)
    linear = (np.asarray(picture) / 255) ** 1.8
    expected = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    image = read_image(file.getvalue())
    assert np.abs(image - 255 * expected[..., np.newaxis]).max() <= 1.5
    assert np.abs(np.int16(on_a_server(file.getvalue())) - np.int16(image)).max() <= 1


def test_srgb_by_whatever_profile_changes_nothing(photo):
    picture = Image.fromarray(photo[100:200, 300:430])
    srgb = metadata_fuzz.rgb_profile(
        [(0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)],
        metadata_fuzz.SRGB_CURVE,
    )
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, own):
        file = io.BytesIO()
        picture.save(file, "PNG", icc_profile=profile)
        for decode in (read_image, in_training, on_a_server):
            np.testing.assert_array_equal(decode(file.getvalue()), np.asarray(picture))


@pytest.mark.parametrize(
    "profile", [b"x" * 500, metadata_fuzz.DISPLAY_P3[:200], b"", metadata_fuzz.grey_profile(b"")]
)
def test_a_profile_that_is_none_counts_as_not_there(photo, profile):
    picture = Image.fromarray(photo[100:200, 300:430])
    file = io.BytesIO()
    picture.save(file, "PNG", icc_profile=profile)
    for decode in (read_image, in_training, on_a_server):
        np.testing.assert_array_equal(decode(file.getvalue()), np.asarray(picture))


def test_a_server_refuses_profiles_made_of_tables_by_name(photo):
    picture = Image.fromarray(photo[100:200, 300:430]).convert("CMYK")
    header = bytearray(metadata_fuzz.DISPLAY_P3)
    header[16:20] = b"CMYK"
    file = io.BytesIO()
    picture.save(file, "JPEG", icc_profile=bytes(header))
    with pytest.raises(tf.errors.InvalidArgumentError, match="profile made of tables"):
        on_a_server(file.getvalue())


def test_transforms_are_built_once_for_many_photos():
    color_profiles._transform.cache_clear()
    for _ in range(3):
        color_profiles.to_srgb(Image.new("RGB", (40, 40)), metadata_fuzz.DISPLAY_P3)
    assert color_profiles._transform.cache_info().misses == 1
    assert int(profile_ops.fate(tf.constant(metadata_fuzz.DISPLAY_P3), tf.constant(3))) == 1


# -- Sizes.


def test_a_jpeg_that_ends_in_the_middle_of_its_pixels_is_refused_on_all_paths():
    contents = (CASES / "jpeg_no_eoi.jpg").read_bytes()
    for cut in (3, 10, 100, 5000):
        with pytest.raises(ImageError, match="ends in the middle of its pixels"):
            read_image(contents[:-cut])
        for decode in (in_training, on_a_server):
            with pytest.raises(tf.errors.InvalidArgumentError):
                decode(contents[:-cut])


def test_more_pixels_than_the_limit_are_refused_with_the_way_out(photos_folder):
    with pytest.raises(ImageError, match=r"393,216 pixels, .* the limit of 100,000 .*--max-pixels"):
        read_image(photos_folder / "kodim23.png", max_pixels=100_000)
    assert read_image(photos_folder / "kodim23.png", max_pixels=393_216).shape == (512, 768, 3)


# -- Pictures that are in memory already.


def test_arrays_and_pictures_are_taken_as_files_are(photo):
    image = photo[100:200, 300:430]
    np.testing.assert_array_equal(read_image(image), image)
    np.testing.assert_array_equal(read_image(Image.fromarray(image)), image)
    np.testing.assert_array_equal(read_image(np.float32(image) / 255), image)
    np.testing.assert_array_equal(read_image(image[..., 0]), np.stack([image[..., 0]] * 3, -1))
    assert read_image(image, fit=64).shape == (49, 64, 3)


def test_a_picture_that_pillow_opened_is_turned_and_converted_as_its_file_is(photo):
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photo[100:200, 300:430]).save(
        file, "JPEG", exif=exif, icc_profile=metadata_fuzz.DISPLAY_P3
    )
    np.testing.assert_array_equal(
        read_image(Image.open(io.BytesIO(file.getvalue()))), read_image(file.getvalue())
    )


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.full((40, 40, 3), 200.0), r"floats from 200 to 200. Divide levels by 255 first"),
        (np.full((40, 40, 3), np.nan), "floats from nan to nan"),
        (np.full((40, 40, 3), -0.1), "floats from -0.1 to -0.1"),
        (np.zeros((40, 40, 3), np.int64), r"int64 \(40, 40, 3\)"),
        (np.zeros((3, 40, 40), np.uint8), r"uint8 \(3, 40, 40\)"),
        (np.zeros((40,), np.uint8), r"uint8 \(40,\)"),
    ],
)
def test_an_array_that_is_no_picture_is_refused_with_a_hint(array, reason):
    with pytest.raises(ImageError, match=f"expected a picture.*{reason}"):
        read_image(array)
