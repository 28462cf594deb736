"""Records: the checksum of the standard, and the bytes that TensorFlow writes and reads."""

import io

import numpy as np
import pytest
import tensorflow as tf

from reiqa_tf.packs.checksums import crc32c, masked_crc32c
from reiqa_tf.packs.records import PackedPhoto, RecordError, framed, read_photos, unframed


def plain_crc32c(contents):
    """Bit after bit, as RFC 3720 defines it."""
    crc = 0xFFFFFFFF
    for byte in contents:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(reversed(range(32))), 0x113FDB5C),
        (b"123456789", 0xE3069283),
    ],
)
def test_checksums_are_those_of_rfc_3720(contents, expected):
    assert crc32c(contents) == expected


@pytest.mark.parametrize("length", [0, 1, 63, 64, 255, 256, 257, 5000, 65535, 65536, 65793])
def test_the_checksum_of_any_length_is_that_of_the_plain_loop(length):
    contents = np.random.default_rng(length).integers(0, 256, length, np.uint8).tobytes()
    assert crc32c(contents) == plain_crc32c(contents)


PHOTOS = [
    PackedPhoto(b"a/1.jpg", b"\xff\xd8\xff" + bytes(300)),
    PackedPhoto("b/\N{LATIN SMALL LETTER E WITH ACUTE}.png".encode(), b"short\x00\x00"),
    PackedPhoto(b"c.jpg", bytes(range(256)) * 300),
]


def example_of(photo):
    """The same by TensorFlow's own messages."""
    return tf.train.Example(
        features=tf.train.Features(
            feature={
                name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
                for name, value in (
                    ("image/filename", photo.name),
                    ("image/encoded", photo.contents),
                )
            }
        )
    )


def test_tensorflow_reads_what_is_written(tmp_path):
    path = tmp_path / "photos.tfrecord"
    path.write_bytes(b"".join(map(framed, PHOTOS)))
    string = tf.io.FixedLenFeature((), tf.string)
    features = {"image/filename": string, "image/encoded": string}
    for record, photo in zip(tf.data.TFRecordDataset(str(path)), PHOTOS, strict=True):
        parsed = tf.io.parse_single_example(record, features)
        assert parsed["image/filename"].numpy() == photo.name
        assert parsed["image/encoded"].numpy() == photo.contents


def test_what_tensorflow_writes_is_read_and_written_alike(tmp_path):
    path = str(tmp_path / "photos.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for photo in PHOTOS:
            writer.write(example_of(photo).SerializeToString(deterministic=True))
    with open(path, "rb") as file:
        contents = file.read()
    assert list(read_photos(io.BytesIO(contents), path)) == PHOTOS
    assert contents == b"".join(map(framed, PHOTOS))


def test_other_features_of_an_example_are_passed_over():
    example = example_of(PHOTOS[0])
    example.features.feature["image/width"].int64_list.value.append(512)
    example.features.feature["image/format"].bytes_list.value.append(b"jpeg")
    with_more = example.SerializeToString()
    length = len(with_more).to_bytes(8, "little")
    record = b"".join(
        part + masked_crc32c(part).to_bytes(4, "little") for part in (length, with_more)
    )
    assert unframed(record, "here") == PHOTOS[0]


def test_damage_anywhere_is_told():
    record = framed(PHOTOS[1])
    for place in range(len(record)):
        damaged = bytearray(record)
        damaged[place] ^= 1
        with pytest.raises(RecordError, match=r"^here: damaged"):
            unframed(bytes(damaged), "here")
    for end in range(1, len(record)):
        with pytest.raises(RecordError, match="damaged"):
            list(read_photos(io.BytesIO(record[:end]), "here"))
    nothing = b"no example at all"
    length = len(nothing).to_bytes(8, "little")
    foreign = b"".join(
        part + masked_crc32c(part).to_bytes(4, "little") for part in (length, nothing)
    )
    with pytest.raises(RecordError, match=r"here: holds no photo; expected a tf.train.Example"):
        unframed(foreign, "here")
