"""TFRecord files of photos, written and read without TensorFlow.

A record is a `tf.train.Example` with the photo's path (`image/filename`) and the bytes of its file
as they are (`image/encoded`), so that `tf.data` reads the files too. The tests compare both with
TensorFlow's own writer and parser.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from reiqa_tf.errors import ReiqaError
from reiqa_tf.packs.checksums import masked_crc32c

NAME = "image/filename"
CONTENTS = "image/encoded"
"""What TensorFlow's own data sets call them."""

_LENGTH = struct.Struct("<Q")
_CHECKSUM = struct.Struct("<I")
_AROUND = _LENGTH.size + 2 * _CHECKSUM.size
_DELIMITED = 2
"""The type of a field of protocol buffers that is a length and so many bytes."""


class RecordError(ReiqaError):
    """A record that is damaged, or holds no photo. The message says which and why."""


class PackedPhoto(NamedTuple):
    """What a record holds.

    Attributes:
        name: path of the photo, relative to the folder that was packed; as the system encodes it.
        contents: the bytes of its file.
    """

    name: bytes
    contents: bytes


class Readable(Protocol):
    """A file that is open for reading."""

    def read(self, size: int, /) -> bytes:
        """Reads so many bytes, or what is left."""


def framed(photo: PackedPhoto) -> bytes:
    """Makes a record of a photo, as it stands in a file.

    Args:
        photo: the `PackedPhoto`.

    Returns:
        length, its checksum, the `tf.train.Example`, its checksum. The same bytes for the same
        photo: the features are in order.

    Reference: https://www.tensorflow.org/tutorials/load_data/tfrecord, tensorflow/core/example.
    """
    entries = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, _field(1, _field(1, value))))
        for name, value in ((CONTENTS, photo.contents), (NAME, photo.name))
    )
    example = _field(1, entries)
    length = _LENGTH.pack(len(example))
    return b"".join(
        (
            length,
            _CHECKSUM.pack(masked_crc32c(length)),
            example,
            _CHECKSUM.pack(masked_crc32c(example)),
        )
    )


def unframed(record: bytes, where: str) -> PackedPhoto:
    """Reads one record, and compares its checksums.

    Args:
        record: all its bytes, as they stand in the file.
        where: what messages call it.

    Returns:
        the `PackedPhoto`.

    Raises:
        RecordError: if it is damaged or holds no photo.
    """
    if len(record) < _AROUND:
        raise RecordError(f"{where}: damaged, {len(record)} bytes are no record.")
    length = _length(record[: _LENGTH.size + _CHECKSUM.size], where)
    if len(record) != length + _AROUND:
        raise RecordError(
            f"{where}: damaged, expected a record of {length + _AROUND} bytes, "
            f"received {len(record)}."
        )
    example = record[_LENGTH.size + _CHECKSUM.size : -_CHECKSUM.size]
    if _CHECKSUM.unpack(record[-_CHECKSUM.size :])[0] != masked_crc32c(example):
        raise RecordError(f"{where}: damaged, its checksum is another one.")
    return _photo_in(example, where)


def read_photos(file: Readable, where: str) -> Iterator[PackedPhoto]:
    """Reads the records of a file one after the other.

    Args:
        file: open for reading, at its beginning.
        where: what messages call it.

    Yields:
        `PackedPhoto`.

    Raises:
        RecordError: if one is damaged or holds no photo.
    """
    number = 0
    while head := file.read(_LENGTH.size + _CHECKSUM.size):
        place = f"{where}, record {number}"
        # Checked before so many bytes are asked for.
        rest = file.read(_length(head, place) + _CHECKSUM.size)
        yield unframed(head + rest, place)
        number += 1


def _length(head: bytes, where: str) -> int:
    if len(head) < _LENGTH.size + _CHECKSUM.size:
        raise RecordError(f"{where}: damaged, the file ends in the middle of it.")
    length, checksum = head[: _LENGTH.size], head[_LENGTH.size :]
    if _CHECKSUM.unpack(checksum)[0] != masked_crc32c(length):
        raise RecordError(f"{where}: damaged, the checksum of its length is another one.")
    return int(_LENGTH.unpack(length)[0])


def _photo_in(example: bytes, where: str) -> PackedPhoto:
    """The photo in a `tf.train.Example`, whatever else is in it and in whatever order."""
    found: dict[bytes, bytes] = {}
    try:
        for features in _fields(memoryview(example), 1):
            for entry in _fields(features, 1):
                (name,), (feature,) = _fields(entry, 1), _fields(entry, 2)
                for values in _fields(feature, 1):  # 1: bytes; others are numbers
                    (found[bytes(name)],) = map(bytes, _fields(values, 1))
        return PackedPhoto(found[NAME.encode()], found[CONTENTS.encode()])
    except (ValueError, IndexError, KeyError):
        raise RecordError(
            f"{where}: holds no photo; expected a tf.train.Example with {CONTENTS} and {NAME}."
        ) from None


def _field(number: int, contents: bytes) -> bytes:
    """A delimited field of protocol buffers."""
    return bytes([number << 3 | _DELIMITED]) + _varint(len(contents)) + contents


def _fields(message: memoryview, number: int) -> list[memoryview]:
    """The delimited fields of a number; a ValueError or IndexError where it is no such message."""
    found = []
    place = 0
    while place < len(message):
        tag, place = _read_varint(message, place)
        if tag & 7 != _DELIMITED:
            raise ValueError
        length, place = _read_varint(message, place)
        if place + length > len(message):
            raise ValueError
        if tag >> 3 == number:
            found.append(message[place : place + length])
        place += length
    return found


def _varint(number: int) -> bytes:
    digits = bytearray()
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    digits.append(number)
    return bytes(digits)


def _read_varint(message: memoryview, place: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[place]
        place += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, place
        shift += 7
