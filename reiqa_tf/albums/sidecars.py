"""Star ratings in XMP sidecars: small files beside photos that photo managers read."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
from xml.parsers import expat

from reiqa_tf.errors import ReiqaError
from reiqa_tf.files import written_whole
from reiqa_tf.image.reading import read_bytes
from reiqa_tf.packs.pack import find_in_pack
from reiqa_tf.remote import is_remote
from reiqa_tf.typing import PathLike

STARS = {"bad": 1, "poor": 2, "fair": 3, "good": 4, "excellent": 5}
"""Number of stars for each word."""

_XMP = "http://ns.adobe.com/xap/1.0/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_RATING = f"{_XMP} Rating"
_DESCRIPTION = f"{_RDF} Description"

_NEW = """\
<?xpacket begin="\N{ZERO WIDTH NO-BREAK SPACE}" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="{stars}"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


class SidecarError(ReiqaError):
    """A sidecar that is left as it is. The message names it, the reason and the way out."""


def sidecar_path(photo: PathLike) -> pathlib.Path:
    """Where the sidecar of a photo lies.

    Args:
        photo: path of the photo.

    Returns:
        `photo.jpg.xmp` for `photo.jpg`, as darktable, digiKam and Immich name it. Adobe's programs
        look for `photo.xmp`, and beside raw files alone: it would be the raw file's own.
    """
    return pathlib.Path(f"{os.fspath(photo)}.xmp")


def is_elsewhere(photo: PathLike) -> bool:
    """Whether a photo is in a pack or on an object store, where no sidecar can lie beside it.

    Args:
        photo: its path or address.
    """
    return is_remote(photo) or find_in_pack(photo, look_for_packs=False) is not None


def save_rating(photo: PathLike, word: str, *, overwrite: bool = False) -> None:
    """Writes a star rating to the sidecar of a photo. The photo itself is never touched.

    In a sidecar that is there already everything else stays as it is, byte for byte.

    Args:
        photo: path of the photo.
        word: one of `STARS`.
        overwrite: whether another rating, which a person may have given, is replaced.

    Raises:
        SidecarError: if there is another rating, what is there is not understood, or the photo is
            no file of its own.
        OutputError: if it cannot be written.

    Example:
    ```python
    from reiqa_tf.albums.sidecars import save_rating

    save_rating("photo.jpg", "good")  # four stars in photo.jpg.xmp
    ```

    Reference: Adobe, XMP Specification, part 1 (serialization) and part 2 (`xmp:Rating`).
    """
    if is_elsewhere(photo):
        raise SidecarError(f"{os.fspath(photo)}: no file that a sidecar could lie beside.")
    path = sidecar_path(photo)
    stars = STARS[word]
    if os.path.lexists(path):
        before = read_bytes(path)
        after = rated(before, stars, os.fspath(path), overwrite)
        if after == before:
            return
    else:
        after = _NEW.format(stars=stars).encode()
    with written_whole(path) as scratch:
        scratch.write_bytes(after)


def rated(contents: bytes, stars: int, name: str, overwrite: bool = False) -> bytes:
    """Puts a rating into the bytes of a sidecar.

    Only the place of the rating is changed. An XML library that reads and writes the whole would
    lose prefixes, comments and padding, on which some programs rely.

    Args:
        contents: of the file, UTF-8.
        stars: 1 to 5.
        name: of the file, for messages.
        overwrite: as in `save_rating`.

    Returns:
        the new bytes.

    Raises:
        SidecarError: as in `save_rating`.
    """
    found = _find(contents, name)
    if found.rating is not None:
        value = found.rating.value.strip()
        if value == str(stars):
            return contents
        if value not in ("", "0") and not overwrite:
            raise SidecarError(
                f"{name}: left as it is, it has {value} as its rating. To replace that: --overwrite"
            )
        return _replaced(contents, found.rating.start, found.rating.end, str(stars))
    place = found.description
    attribute = f' {found.prefix}:Rating="{stars}"'
    if found.declares:
        attribute = f' xmlns:{found.prefix}="{_XMP}"{attribute}'
    return _replaced(contents, place, place, attribute)


@dataclasses.dataclass(frozen=True)
class _Rating:
    """A rating that is there: its text, and the bytes that it takes."""

    value: str
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class _Found:
    """Where a rating is, or may be put: after the name of the first description of the photo."""

    rating: _Rating | None
    description: int
    prefix: str
    declares: bool


class _Reader:
    """Notes where in the bytes of a sidecar things are, by the names that they really have."""

    def __init__(self, contents: bytes) -> None:
        self.contents = contents
        self.ratings: list[_Rating] = []
        self.description: tuple[int, str | None] | None = None
        self._prefixes: list[tuple[str, str]] = []
        self._open: int | None = None
        self._depth = 0
        self._text = ""
        parser = expat.ParserCreate("utf-8", namespace_separator=" ")
        parser.ordered_attributes = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartNamespaceDeclHandler = self._declare
        parser.EndNamespaceDeclHandler = self._forget
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._read
        self.parser = parser
        parser.Parse(contents, True)

    def _refuse(self, *_: object) -> None:
        raise ValueError("it has a document type, which XMP has not")

    def _declare(self, prefix: str | None, uri: str) -> None:
        self._prefixes.append((prefix or "", uri))

    def _forget(self, prefix: str | None) -> None:
        for place in reversed(range(len(self._prefixes))):
            if self._prefixes[place][0] == (prefix or ""):
                del self._prefixes[place]
                return

    def _start(self, name: str, attributes: list[str]) -> None:
        self._depth += 1
        start = self.parser.CurrentByteIndex
        if name == _DESCRIPTION:
            if self.description is None:
                tag = re.compile(rb"<[^\s/>]+").match(self.contents, start)
                if tag is None:
                    raise ValueError("its first description cannot be found")
                self.description = tag.end(), self._prefix_of(_XMP)
            if _RATING in attributes[::2]:
                self._note_attribute(start)
        elif name == _RATING:
            self._open, self._text = self._depth, ""
            self._from = self._tag_end(start)
        elif self._open is not None:
            raise ValueError("its rating is more than a number")

    def _end(self, name: str) -> None:  # noqa: ARG002
        if self._open == self._depth:
            end = self.parser.CurrentByteIndex
            if end < self._from:
                raise ValueError("its rating is an empty element")
            self.ratings.append(_Rating(self._text, self._from, end))
            self._open = None
        self._depth -= 1

    def _read(self, text: str) -> None:
        self._text += text

    def _prefix_of(self, uri: str) -> str | None:
        """A prefix that stands for a namespace here; None if there is none."""
        known = dict(self._prefixes)
        return next((prefix for prefix, found in known.items() if prefix and found == uri), None)

    def _tag_end(self, start: int) -> int:
        """Where the tag that begins at `start` ends; a quoted value may hold its end mark."""
        tag = re.compile(rb"<(?:[^\"'>]|\"[^\"]*\"|'[^']*')*>").match(self.contents, start)
        if tag is None:
            raise ValueError("a tag without an end")
        return tag.end()

    def _note_attribute(self, start: int) -> None:
        tag = self.contents[start : self._tag_end(start)]
        prefixes = [prefix for prefix, uri in dict(self._prefixes).items() if uri == _XMP]
        names = b"|".join(re.escape(prefix.encode()) for prefix in prefixes if prefix)
        # Values are matched whole, so that nothing within one is taken for an attribute.
        pattern = rb"\s([^\s=\"'<>/]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')"
        for attribute in re.finditer(pattern, tag):
            if re.fullmatch(rb"(?:%s):Rating" % names, attribute[1]):
                part = 2 if attribute[2] is not None else 3
                value = attribute[part].decode()
                begin, end = attribute.span(part)
                self.ratings.append(_Rating(value, start + begin, start + end))


def _find(contents: bytes, name: str) -> _Found:
    try:
        contents.decode("utf-8")
        reader = _Reader(contents)
        if reader.description is None:
            raise ValueError("it has no description of a photo")
        if len(reader.ratings) > 1:
            raise ValueError("it has more than one rating")
    except (ValueError, expat.ExpatError) as error:
        raise SidecarError(f"{name}: left as it is, no XMP that is understood ({error}).") from None
    place, prefix = reader.description
    rating = reader.ratings[0] if reader.ratings else None
    return _Found(rating, place, prefix or _free_prefix(contents), prefix is None)


def _free_prefix(contents: bytes) -> str:
    """`xmp`, or something like it if the file means another thing by that."""
    prefix = "xmp"
    while f"xmlns:{prefix}".encode() in contents:
        prefix += "r"
    return prefix


def _replaced(contents: bytes, start: int, end: int, text: str) -> bytes:
    return contents[:start] + text.encode() + contents[end:]
