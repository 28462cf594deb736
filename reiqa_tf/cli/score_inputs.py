"""What is to be scored or compared: files, folders, patterns, and what comes on standard input."""

from __future__ import annotations

import dataclasses
import os
import sys
from typing import TYPE_CHECKING

from reiqa_tf.errors import ReiqaError

if TYPE_CHECKING:
    from reiqa_tf.scoring.scorer import PhotoSource


@dataclasses.dataclass
class FoundInputs:
    """Photos, and what could not be found.

    Attributes:
        names: what to call the photos.
        photos: their paths, or the bytes of what came on standard input.
        problems: why others are none.
        left_out: what searches of folders left out, in a line; empty if nothing.
    """

    names: list[str] = dataclasses.field(default_factory=list)
    photos: list[PhotoSource] = dataclasses.field(default_factory=list)
    problems: list[ReiqaError] = dataclasses.field(default_factory=list)
    left_out: str = ""

    @property
    def asked(self) -> int:
        """Number of photos that were asked for."""
        return len(self.photos) + len(self.problems)


def find_inputs(sources: list[str]) -> FoundInputs:
    """Finds what a person means by the arguments of the command.

    Says on stderr what searches of folders left out.

    Args:
        sources: paths, folders, patterns, and `-` for standard input: a photo, or a list of paths.

    Returns:
        `FoundInputs`.
    """
    from reiqa_tf.data.photos import FoundPhotos, left_out_line, search_photos
    from reiqa_tf.image.reading import ImageError

    inputs = FoundInputs()
    searches: list[FoundPhotos] = []
    for source in sources:
        if source == "-":
            contents = sys.stdin.buffer.read()
            listed = _paths_in(contents)
            if listed is None:
                inputs.names.append("-")
                inputs.photos.append(contents)
                continue
            if not listed:
                inputs.problems.append(ImageError("-: no photo and no path on standard input."))
        else:
            listed = [source]
        for path in listed:
            try:
                found = search_photos(path)
            except ImageError as problem:
                inputs.problems.append(problem)
                continue
            searches.append(found)
            inputs.names += found.photos
            inputs.photos += found.photos
    inputs.left_out = left_out_line(searches)
    if inputs.left_out:
        print(f"reiqa: {inputs.left_out}", file=sys.stderr)
    return inputs


def _paths_in(contents: bytes) -> list[str] | None:
    """The paths of a list, one a line or ended by zeros; None if the bytes are a photo's.

    Names may be in any encoding. Bytes that are neither a known picture nor lines of text count as
    a photo, which is then refused in one line.
    """
    from reiqa_tf.image.formats import format_of

    if format_of(contents) is not None:
        return None
    if contents.startswith((b"\xff\xfe", b"\xfe\xff")):  # as PowerShell writes lists
        contents = contents.decode("utf-16", "replace").encode()
    contents = contents.removeprefix(b"\xef\xbb\xbf")
    if any(byte < 32 and byte not in b"\0\t\n\r" for byte in contents):
        return None
    lines = contents.split(b"\0") if b"\0" in contents else contents.splitlines()
    paths = [os.fsdecode(line) for line in lines if line.strip()]
    return [path if os.path.lexists(path) else path.strip() for path in paths]
