"""Tables as text. Importing a library for them took a tenth of the time to a score."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

Justify: TypeAlias = Literal["left", "right"]
"""On which side of its column a cell stands."""

_GAP = "  "
_NARROWEST = 8  # to which a column is folded


def table_lines(
    columns: Sequence[tuple[str, Justify]],
    rows: Iterable[Sequence[str]],
    width: int | None = None,
    rule: str = "\N{BOX DRAWINGS LIGHT HORIZONTAL}",
) -> list[str]:
    r"""Lays a table out.

    Args:
        columns: list of `(heading, alignment)`; numbers want `"right"`. A heading may have several
            lines.
        rows: list of rows of texts. Control characters are shown as escapes.
        width: that of the terminal, in cells; cells of the widest columns are folded to fit it.
            None folds nothing.
        rule: character of the line below the headings.

    Returns:
        list of lines.

    Example:
    ```python
    from reiqa_tf.cli.tables import table_lines

    print("\n".join(table_lines([("photo", "left"), ("score", "right")], [("a.jpg", "0.71")])))
    ```
    """
    headings = [heading for heading, _ in columns]
    cells = [headings, *([_shown(cell) for cell in row] for row in rows)]
    widths = [
        max(_cells(line) for cell in column for line in cell.split("\n"))
        for column in zip(*cells, strict=True)
    ]
    if width is not None:
        room = width - len(_GAP) * len(widths)
        while sum(widths) > room and max(widths) > _NARROWEST:
            widths[widths.index(max(widths))] -= 1
    heading, *body = [_lay_out(row, columns, widths) for row in cells]
    ruled = " " + rule * (sum(widths) + len(_GAP) * (len(widths) - 1))
    return [*heading, ruled, *(line for lines in body for line in lines)]


def _lay_out(
    row: Sequence[str], columns: Sequence[tuple[str, Justify]], widths: Sequence[int]
) -> list[str]:
    """The lines of a row: as many as its cells need."""
    folded = [
        [piece for line in cell.split("\n") for piece in _folded(line, width)]
        for cell, width in zip(row, widths, strict=True)
    ]
    lines = []
    for i in range(max(map(len, folded))):
        parts = []
        for pieces, (_, side), width in zip(folded, columns, widths, strict=True):
            piece = pieces[i] if i < len(pieces) else ""
            padding = " " * (width - _cells(piece))
            parts.append(padding + piece if side == "right" else piece + padding)
        lines.append(f" {_GAP.join(parts)}".rstrip())
    return lines


def _folded(text: str, width: int) -> list[str]:
    """A text in pieces of at most `width` cells."""
    if _cells(text) <= width:
        return [text]
    if text.isascii():
        return [text[i : i + width] for i in range(0, len(text), width)]
    pieces, piece, taken = [], "", 0
    for character in text:
        size = _cells(character)
        if taken + size > width:
            pieces.append(piece)
            piece, taken = "", 0
        piece, taken = piece + character, taken + size
    return [*pieces, piece]


def _cells(text: str) -> int:
    """How many cells of a terminal a text takes: two for wide characters, none for marks."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.category(character) in ("Mn", "Me", "Cf")
        else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def _shown(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) == "Cc"
        else character
        for character in text
    )
