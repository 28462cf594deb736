"""Photos whose metadata were damaged at random, as real files are; the pixels stay sound."""

import io
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

CASES = pathlib.Path(__file__).parents[1] / "cases"
"""Files that real tools write."""

XMP = (
    b"<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>"
    b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description "
    b"xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Orientation='%d'/></rdf:RDF></x:xmpmeta>"
)


def _fixed(number):
    return struct.pack(">i", round(number * 65536))


def rgb_profile(colorants, curve):
    """An ICC profile of curves and a matrix.

    Args:
        colorants: XYZ of red, green and blue, adapted to D50: three rows of three numbers.
        curve: the bytes of its three tone curves.
    """
    tags = {
        b"desc": b"desc" + struct.pack(">II", 0, 2) + b"x\x00" + b"\x00" * 78,
        b"cprt": b"text\x00\x00\x00\x00x\x00\x00\x00",
        b"wtpt": b"XYZ \x00\x00\x00\x00" + b"".join(map(_fixed, (0.9642, 1, 0.8249))),
    }
    for name, color in zip("rgb", colorants, strict=True):
        tags[name.encode() + b"XYZ"] = b"XYZ \x00\x00\x00\x00" + b"".join(map(_fixed, color))
        tags[name.encode() + b"TRC"] = curve
    return _profile(b"RGB ", tags)


def grey_profile(curve):
    """An ICC profile for grey pictures, of one tone curve."""
    return _profile(
        b"GRAY",
        {
            b"desc": b"desc" + struct.pack(">II", 0, 2) + b"x\x00" + b"\x00" * 78,
            b"cprt": b"text\x00\x00\x00\x00x\x00\x00\x00",
            b"wtpt": b"XYZ \x00\x00\x00\x00" + b"".join(map(_fixed, (0.9642, 1, 0.8249))),
            b"kTRC": curve,
        },
    )


def _profile(space, tags):
    table, data = struct.pack(">I", len(tags)), b""
    begin = 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        table += name + struct.pack(">II", begin + len(data), len(value))
        data += value + b"\x00" * (-len(value) % 4)
    header = struct.pack(">I4sI", begin + len(data), b"test", 0x02400000)
    header += b"mntr" + space + b"XYZ " + struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp"
    header += b"\x00" * 28 + b"".join(map(_fixed, (0.9642, 1, 0.8249)))
    return header.ljust(128, b"\x00") + table + data


def parametric(*numbers):
    """A tone curve as a formula: g, a, b, c, d of ICC.1:2022, 10.18, function type 3."""
    return b"para\x00\x00\x00\x00\x00\x03\x00\x00" + b"".join(map(_fixed, numbers))


def gamma(exponent):
    """A tone curve that is a power."""
    return b"curv" + struct.pack(">IIH", 0, 1, round(exponent * 256)) + b"\x00\x00"


def table(exponent, points=256):
    """The same as a table."""
    values = [round(65535 * (i / (points - 1)) ** exponent) for i in range(points)]
    return b"curv" + struct.pack(f">II{points}H", 0, points, *values)


SRGB_CURVE = parametric(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)

# Colorants, adapted to D50: SMPTE EG 432-1 (Display P3), Adobe RGB (1998), ROMM RGB.
DISPLAY_P3 = rgb_profile(
    [(0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)],
    SRGB_CURVE,
)
ADOBE_RGB = rgb_profile(
    [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)],
    gamma(563 / 256),
)
ROMM_RGB = rgb_profile(
    [(0.7977, 0.2880, 0.0), (0.1352, 0.7119, 0.0), (0.0313, 0.0001, 0.8249)], table(1.8)
)
PROFILES = {"Display P3": DISPLAY_P3, "Adobe RGB": ADOBE_RGB, "ROMM RGB": ROMM_RGB}


def exif_data(orientation, generator):
    """EXIF data with an orientation among other entries, some of a wrong type."""
    exif = Image.Exif()
    exif.endian = "<" if generator.integers(2) else ">"
    exif[0x010F] = "a maker"
    exif[0x0112] = orientation
    exif[0x011A] = 72.0
    exif[0x8298] = "a note " * int(generator.integers(1, 40))
    return exif.tobytes()


def photo_file(image, generator):
    """A JPEG or PNG with metadata of all kinds, of which some bytes were changed at random."""
    picture = Image.fromarray(image)
    if generator.integers(5) == 0:
        picture = picture.convert("L")
    orientation = int(generator.integers(1, 9))
    exif = exif_data(orientation, generator) if generator.integers(4) else None
    xmp = XMP % int(generator.integers(1, 9)) if generator.integers(2) else None
    profile = None
    if generator.integers(2):
        profile = list(PROFILES.values())[generator.integers(3)]
        if picture.mode == "L":
            profile = grey_profile(gamma(1.8))
    file = io.BytesIO()
    if generator.integers(2):
        options = {"exif": exif} if exif else {}
        options |= {"icc_profile": profile} if profile else {}
        picture.save(file, "JPEG", quality=90, **options, **({"xmp": xmp} if xmp else {}))
        contents = file.getvalue()
        begin, end = 2, contents.index(b"\xff\xdb")
    else:
        info = PngInfo()
        if xmp:
            info.add_itxt("XML:com.adobe.xmp", xmp.decode(), zip=bool(generator.integers(2)))
        info.add_text("Comment", "words " * int(generator.integers(50)), zip=True)
        options = {"exif": exif} if exif else {}
        picture.save(file, "PNG", pnginfo=info, icc_profile=profile, **options)
        contents = file.getvalue()
        begin, end = 33, contents.index(b"IDAT") - 4
    return _damaged(contents, begin, end, generator)


def _damaged(contents, begin, end, generator):
    """A file with up to 20 bytes changed inside of payloads; lengths and names stay."""
    changed = bytearray(contents)
    places = _payload_places(contents, begin, end)
    for _ in range(int(generator.integers(0, 21)) if places.size else 0):
        changed[int(generator.choice(places))] = int(generator.integers(256))
    return bytes(changed)


def _payload_places(contents, begin, end):
    places, offset = [], begin
    is_jpeg = contents[:2] == b"\xff\xd8"
    while offset < end:
        if is_jpeg:
            length = struct.unpack_from(">H", contents, offset + 2)[0] - 2
            places += range(offset + 4, offset + 4 + length)
            offset += 4 + length
        else:
            (length,) = struct.unpack_from(">I", contents, offset)
            places += range(offset + 8, offset + 12 + length)  # the check sum as well
            offset += 12 + length
    return np.array(places)


def chunk(name, payload):
    """A chunk of a PNG."""
    body = name + payload
    return struct.pack(">I", len(payload)) + body + struct.pack(">I", zlib.crc32(body))
