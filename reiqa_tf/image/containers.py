"""The file of a picture, split into what its pixels need and what is said beside them.

Cameras, phones, editors and messengers write metadata that break the rules of EXIF, XMP, ICC, PNG
and TIFF in every possible way, and a decoder that reads all of them refuses pictures whose pixels
are sound. So a file is split here before it is decoded: the decoder gets a file with nothing in it
but what the pixels need, and the three things that matter beside them (which side is up, the
colour profile, whether an end mark is missing) are read by rules that forgive.

Nothing here raises for damaged metadata: what cannot be read counts as not there.
"""

from __future__ import annotations

import dataclasses
import re
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

JPEG_MAGIC = b"\xff\xd8\xff"
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
TIFF_MAGICS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")

EXIF_PREFIX = b"Exif\x00\x00"
XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\x00"
PROFILE_PREFIX = b"ICC_PROFILE\x00"

_ORIENTATION = 0x0112
_PHOTOMETRIC = 0x0106
_BITS = 0x0102
_PLANES = 0x011C
_PROFILE = 0x8773
_XMP = 0x02BC
_MOST_ENTRIES = 512
"""Entries of a directory that are looked at; real ones have some dozens."""

_MOST_TEXT = 16 * 2**20
"""Bytes that a compressed text may have once unpacked; XMP of real photos takes some kilobytes."""

_XMP_ORIENTATION = re.compile(rb"tiff:Orientation\s*(?:=\s*[\"']|>)\s*([1-8])")


@dataclasses.dataclass(frozen=True)
class Container:
    """A file of a picture, split.

    Attributes:
        pixels: a file of the same format with nothing in it but what its pixels need.
        orientation: 1 (upright, also where nothing is said) to 8, as EXIF counts.
        profile: the ICC profile, or None.
        is_end_missing: whether the mark at the end of a JPEG was missing and has been put there.
        is_white_zero: whether the levels of a grey TIFF count from white (0) to black.
        is_ink_unsure: whether a JPEG of four colours does not say how it counts ink.
        is_reducible: whether it is a JPEG that can be decoded at reduced scale: not one that was
            coded without loss, from pixels instead of waves.
        refusal: why the picture cannot be read right, where the decoder would not notice; or None.
    """

    pixels: bytes
    orientation: int = 1
    profile: bytes | None = None
    is_end_missing: bool = False
    is_white_zero: bool = False
    is_ink_unsure: bool = False
    is_reducible: bool = False
    refusal: str | None = None


def split(contents: bytes) -> Container:
    """Splits the file of a picture.

    Args:
        contents: the bytes of the file, of any format. Formats that are not known here are
            returned as they are.

    Returns:
        `Container`.
    """
    try:
        if contents.startswith(JPEG_MAGIC):
            return _split_jpeg(contents)
        if contents.startswith(PNG_MAGIC):
            return _split_png(contents)
        if contents.startswith(b"RIFF") and contents[8:12] == b"WEBP":
            return _split_webp(contents)
        if contents.startswith(TIFF_MAGICS):
            return _split_tiff(contents)
    except (struct.error, IndexError, ValueError):  # a layout so broken that the decoder shall say
        pass
    return Container(contents)


def said_of(picture: Image.Image, container: Container) -> tuple[int, bytes | None]:
    """What is said beside the pixels of a picture that was opened.

    Args:
        picture: what Pillow made of `container.pixels`, or any picture that is open already.
        container: of its file; of formats that are not split here Pillow knows what is said.

    Returns:
        orientation, 1 to 8, and colour profile or None.
    """
    exif, xmp, profile = (picture.info.get(name) for name in ("exif", "xmp", "icc_profile"))
    orientation = container.orientation
    if orientation == 1 and (exif or xmp):
        orientation = _orientation(
            exif if isinstance(exif, bytes) else None, xmp if isinstance(xmp, bytes) else b""
        )
    return orientation, container.profile or (profile if isinstance(profile, bytes) else None)


# -- JPEG: segments, each a mark, a length and a payload, up to the first scan.

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_APP0, _APP1, _APP2, _ADOBE, _APP15, _COMMENT = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE
_LOSSLESS_FRAMES = (0xC3, 0xC7, 0xCB, 0xCF)
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}


def _split_jpeg(contents: bytes) -> Container:
    kept = [contents[:2]]
    exif: bytes | None = None
    xmp = b""
    profile_parts: dict[int, bytes] = {}
    has_adobe_mark = is_lossless = False
    offset = 2
    for mark, begin, payload in _segments(contents):
        offset = begin
        if mark == _SOS:
            break
        is_lossless |= mark in _LOSSLESS_FRAMES
        is_application = _APP0 <= mark <= _APP15 or mark == _COMMENT
        if mark == _APP1 and exif is None and payload.startswith(EXIF_PREFIX):
            exif = payload
        elif mark == _APP1 and payload.startswith(XMP_PREFIX):
            xmp += payload[len(XMP_PREFIX) :]
        elif mark == _APP2 and payload.startswith(PROFILE_PREFIX) and len(payload) > 14:
            profile_parts.setdefault(payload[12], payload[14:])
        is_needed = mark == _APP0 and payload.startswith(b"JFIF\x00")
        if mark == _ADOBE and payload.startswith(b"Adobe"):
            is_needed = has_adobe_mark = True
        if is_needed or not is_application:
            kept.append(struct.pack(">BBH", 0xFF, mark, len(payload) + 2) + payload)
    scans = contents[offset:]
    is_end_missing = b"\xff\xd9" not in scans
    kept += [scans, b"\xff\xd9" if is_end_missing else b""]
    profile = b"".join(part for _, part in sorted(profile_parts.items())) or None
    return Container(
        b"".join(kept),
        _orientation(exif, xmp),
        profile,
        is_end_missing=is_end_missing,
        is_ink_unsure=not has_adobe_mark,
        is_reducible=not is_lossless,
    )


def _segments(contents: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Marks, places and payloads from the start of a JPEG to its first scan."""
    offset = 2
    while offset + 4 <= len(contents):
        if contents[offset] != 0xFF:  # stray bytes between segments
            offset += 1
            continue
        mark = contents[offset + 1]
        if mark == 0xFF:  # fill bytes
            offset += 1
        elif mark in _WITHOUT_LENGTH or mark in (0x00, _SOI):
            offset += 2
        elif mark in (_SOS, _EOI):
            yield mark, offset, b""
            return
        else:
            (length,) = struct.unpack_from(">H", contents, offset + 2)
            yield mark, offset, contents[offset + 4 : offset + 2 + max(length, 2)]
            offset += 2 + max(length, 2)
    yield _EOI, len(contents), b""


# -- PNG: chunks, each a length, a name, a payload and a check sum.

_NEEDED_CHUNKS = {b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"IEND"}


def _split_png(contents: bytes) -> Container:
    kept = [PNG_MAGIC]
    exif: bytes | None = None
    xmp = b""
    profile = None
    for name, payload, whole in _chunks(contents):
        if name in _NEEDED_CHUNKS:
            kept.append(whole)
        elif name == b"eXIf" and exif is None:
            exif = payload
        elif name == b"iCCP":
            profile = _unpacked(payload.partition(b"\x00")[2][1:])
        elif name in (b"iTXt", b"tEXt", b"zTXt"):
            keyword, text = _png_text(name, payload)
            if keyword == b"XML:com.adobe.xmp":
                xmp += text
            elif keyword in (b"Raw profile type exif", b"Raw profile type APP1") and exif is None:
                exif = _from_hexadecimal(text)
            elif keyword == b"Raw profile type xmp":
                xmp += _from_hexadecimal(text)
        if name == b"IEND":
            break
    else:
        kept.append(struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND")))
    return Container(b"".join(kept), _orientation(exif, xmp), profile or None)


def _chunks(contents: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Names, payloads and whole bytes of the chunks of a PNG; the last may be cut."""
    offset = len(PNG_MAGIC)
    while offset + 8 <= len(contents):
        (length,) = struct.unpack_from(">I", contents, offset)
        name = contents[offset + 4 : offset + 8]
        yield (
            name,
            contents[offset + 8 : offset + 8 + length],
            contents[offset : offset + 12 + length],
        )
        offset += 12 + length


def _png_text(name: bytes, payload: bytes) -> tuple[bytes, bytes]:
    """Keyword and text of a text chunk, unpacked."""
    keyword, _, text = payload.partition(b"\x00")
    if name == b"zTXt":
        return keyword, _unpacked(text[1:])
    if name == b"iTXt":
        is_packed = text[:1] == b"\x01"
        text = text[2:].partition(b"\x00")[2].partition(b"\x00")[2]
        return keyword, _unpacked(text) if is_packed else text
    return keyword, text


def _unpacked(packed: bytes) -> bytes:
    """What zlib packed, as far as it can be read."""
    try:
        return zlib.decompressobj().decompress(packed, _MOST_TEXT)
    except zlib.error:
        return b""


def _from_hexadecimal(text: bytes) -> bytes:
    """The bytes that ImageMagick writes as text: name, length, hexadecimal digits."""
    words = text.split()
    try:
        return bytes.fromhex(b"".join(words[2:]).decode("ascii"))
    except (UnicodeDecodeError, ValueError):
        return b""


# -- WebP: chunks of a RIFF file.

_NEEDED_RIFF = {b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"}
_METADATA_FLAGS = 0x20 | 0x08 | 0x04  # profile, EXIF, XMP


def _split_webp(contents: bytes) -> Container:
    kept: list[bytes] = []
    found: dict[bytes, bytes] = {}
    offset = 12
    while offset + 8 <= len(contents):
        name = contents[offset : offset + 4]
        (length,) = struct.unpack_from("<I", contents, offset + 4)
        payload = contents[offset + 8 : offset + 8 + length]
        if name == b"VP8X" and payload:
            payload = bytes([payload[0] & ~_METADATA_FLAGS]) + payload[1:]
        if name in _NEEDED_RIFF:
            kept.append(name + struct.pack("<I", length) + payload + b"\x00" * (length % 2))
        else:
            found.setdefault(name, payload)
        offset += 8 + length + length % 2
    body = b"WEBP" + b"".join(kept)
    return Container(
        b"RIFF" + struct.pack("<I", len(body)) + body,
        _orientation(found.get(b"EXIF"), found.get(b"XMP ", b"")),
        found.get(b"ICCP"),
    )


# -- TIFF: a directory of entries, which EXIF data are, too.

_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_TYPE_SIZES |= {16: 8, 17: 8, 18: 8}
_WHOLE_NUMBERS = {3: "H", 4: "I"}

_DEEP_PLANES = (
    "a TIFF of more than 8 bits whose colours lie in planes of their own, which Pillow reads "
    "wrong. Save it with interleaved colours, or as PNG."
)

_NEEDED_ENTRIES = {
    *range(254, 260),  # kind, width, height, bits, compression
    _PHOTOMETRIC,
    266,  # order of bits
    273,  # where the strips are
    *range(277, 280),  # samples of a pixel, rows and bytes of a strip
    284,  # planes
    *range(292, 294),  # options of the fax compressions
    317,  # predictor
    320,  # palette
    *range(322, 326),  # tiles
    332,  # inks
    *range(338, 342),  # extra samples, format, smallest and largest sample
    347,  # tables of JPEG
    *range(512, 522),  # old JPEG
    *range(529, 533),  # YCbCr
}


@dataclasses.dataclass(frozen=True)
class _Entry:
    tag: int
    kind: int
    count: int
    raw: bytes
    value: bytes


@dataclasses.dataclass(frozen=True)
class _Layout:
    """How numbers stand in a TIFF: order of bytes, classic or big."""

    order: str
    is_big: bool

    @property
    def offset(self) -> str:
        return self.order + ("Q" if self.is_big else "I")

    @property
    def count(self) -> str:
        return self.order + ("Q" if self.is_big else "H")


def _directory(tiff: bytes) -> tuple[_Layout, list[_Entry]]:
    """The entries of a TIFF's first directory, as far as they can be read.

    Raises:
        struct.error: if there is no directory.
        ValueError: likewise.
    """
    order = {b"II": "<", b"MM": ">"}[tiff[:2]] if tiff[:2] in (b"II", b"MM") else ""
    if not order:
        raise ValueError("no TIFF header")
    is_big = struct.unpack_from(order + "H", tiff, 2)[0] == 43
    layout = _Layout(order, is_big)
    place = 8 if is_big else 4
    (offset,) = struct.unpack_from(layout.offset, tiff, place)
    (count,) = struct.unpack_from(layout.count, tiff, offset)
    offset += struct.calcsize(layout.count)
    size = 20 if is_big else 12
    entries = []
    for number in range(min(count, _MOST_ENTRIES)):
        raw = tiff[offset + number * size : offset + (number + 1) * size]
        if len(raw) < size:
            break
        tag, kind = struct.unpack_from(order + "HH", raw)
        (items,) = struct.unpack_from(layout.offset, raw, 4)
        place = 12 if is_big else 8
        length = items * _TYPE_SIZES.get(kind, 1)
        if length > size - place:
            (place,) = struct.unpack_from(layout.offset, raw, place)
            value = tiff[place : place + length]
        else:
            value = raw[place : place + length]
        entries.append(_Entry(tag, kind, items, raw, value))
    return layout, entries


def _number(layout: _Layout, entry: _Entry) -> int | None:
    """The first whole number of an entry."""
    kind = _WHOLE_NUMBERS.get(entry.kind)
    if kind is None or len(entry.value) < struct.calcsize(kind):
        return None
    number: int = struct.unpack_from(layout.order + kind, entry.value)[0]
    return number


def _split_tiff(contents: bytes) -> Container:
    layout, entries = _directory(contents)
    by_tag = {entry.tag: entry for entry in reversed(entries)}
    needed = [entry.raw for entry in entries if entry.tag in _NEEDED_ENTRIES]
    # A new directory at the end names what the pixels need; everything else stays unread.
    place = len(contents) + len(contents) % 2
    header = 8 if layout.is_big else 4
    pointer = struct.pack(layout.offset, place)
    directory = struct.pack(layout.count, len(needed)) + b"".join(needed)
    directory += struct.pack(layout.offset, 0)
    pixels = contents[:header] + pointer + contents[header + len(pointer) :]
    pixels += b"\x00" * (len(contents) % 2) + directory

    def number(tag: int) -> int | None:
        return _number(layout, by_tag[tag]) if tag in by_tag else None

    has_deep_planes = number(_PLANES) == 2 and (number(_BITS) or 0) > 8
    xmp = by_tag[_XMP].value if _XMP in by_tag else b""
    return Container(
        pixels,
        _valid(number(_ORIENTATION)) if _ORIENTATION in by_tag else _xmp_orientation(xmp),
        by_tag[_PROFILE].value if _PROFILE in by_tag else None,
        is_white_zero=number(_PHOTOMETRIC) == 0,
        refusal=_DEEP_PLANES if has_deep_planes else None,
    )


# -- Which side is up.


def exif_orientation(exif: bytes) -> int | None:
    """The orientation in EXIF data, however damaged.

    Args:
        exif: the data; prefixes `Exif`, which some tools write twice and others leave out, are
            skipped.

    Returns:
        1 to 8, or None if nothing is said. An orientation that is none counts as 1.
    """
    while exif.startswith(EXIF_PREFIX):
        exif = exif[len(EXIF_PREFIX) :]
    try:
        layout, entries = _directory(exif)
    except (struct.error, ValueError):
        return None
    for entry in entries:
        if entry.tag == _ORIENTATION:
            return _valid(_number(layout, entry))
    return None


def _orientation(exif: bytes | None, xmp: bytes) -> int:
    said = exif_orientation(exif) if exif is not None else None
    return _xmp_orientation(xmp) if said is None else said


def _xmp_orientation(xmp: bytes) -> int:
    found = _XMP_ORIENTATION.search(xmp)
    return int(found[1]) if found else 1


def _valid(orientation: int | None) -> int:
    return orientation if orientation is not None and 1 <= orientation <= 8 else 1
