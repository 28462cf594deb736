"""Names and scores of an album as CSV, JSON and JSON lines."""

from __future__ import annotations

import csv
import io
import json
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NotRequired, TypedDict

from reiqa_tf.files import check_new_file, written_whole
from reiqa_tf.typing import PathLike

if TYPE_CHECKING:
    from reiqa_tf.albums.album import Album, AlbumPhoto

_DIGITS = 4
"""Digits behind the point in CSV, for a scale from 0 to 1: a tenth of what the last one of a table
tells apart."""


class TableFault(TypedDict):
    """A fault that was found in a photo.

    Attributes:
        family: its name, out of `reiqa_tf.explanation.faults`.
        probability: that the photo has it.
        amount: how much of it.
        unit: of the amount.
        text: it in words.
    """

    family: str
    probability: float
    amount: float
    unit: str
    text: str


class TableRow(TypedDict):
    """A scored photo, as tables hold it.

    Attributes:
        photo: its name.
        score: its score.
        low: lower end of the interval.
        high: upper end of the interval.
        word: bad, poor, fair, good or excellent.
        percentile: share of the photos that the head knows that score lower, 0 to 100.
        familiar: whether it is like those that the head was fitted on; None if nobody knows.
        group: number of its group of near-duplicates or burst, from 1; None if it has none.
        best_of_group: whether it is the best of its group; also where it has none.
        taken: when it was taken, in the manner of ISO 8601; None if its file does not say.
        fault: its surest fault in words; empty if nothing was found. There if it was asked for.
        faults: all faults that were found, the surest first; likewise, and not in CSV.
    """

    photo: str
    score: float
    low: float
    high: float
    word: str
    percentile: float
    familiar: bool | None
    group: int | None
    best_of_group: bool
    taken: str | None
    fault: NotRequired[str]
    faults: NotRequired[list[TableFault]]


def table_rows(album: Album, photos: Sequence[AlbumPhoto] | None = None) -> list[TableRow]:
    """Makes the rows of a table.

    Args:
        album: that the photos are in.
        photos: some of the album's, in any order; all of them, if None.

    Returns:
        list of rows, in the order of the photos.
    """
    rows: list[TableRow] = []
    for photo in album.photos if photos is None else photos:
        group, place = album.places.get(photo, (None, 0))
        row: TableRow = {
            "photo": photo.name,
            "score": float(photo.score),
            "low": photo.score.low,
            "high": photo.score.high,
            "word": photo.score.word,
            "percentile": photo.score.percentile,
            "familiar": photo.score.familiar,
            "group": None if group is None else group + 1,
            "best_of_group": place == 0,
            "taken": None if photo.taken is None else photo.taken.isoformat(),
        }
        if photo.why is not None:
            main = photo.why.diagnosis.main
            row["fault"] = "" if main is None else main.text
            row["faults"] = [
                {
                    "family": fault.family,
                    "probability": fault.probability,
                    "amount": fault.amount,
                    "unit": fault.unit,
                    "text": fault.text,
                }
                for fault in photo.why.diagnosis.found
            ]
        rows.append(row)
    return rows


def _as_csv(album: Album, rows: list[TableRow]) -> str:
    digits = album.about.decimals + _DIGITS - 3
    text = io.StringIO()
    names = [name for name in TableRow.__annotations__ if name not in ("fault", "faults")]
    if any("fault" in row for row in rows):
        names.append("fault")
    writer = csv.DictWriter(text, names, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {
                **row,
                "score": f"{row['score']:.{digits}f}",
                "low": f"{row['low']:.{digits}f}",
                "high": f"{row['high']:.{digits}f}",
                "percentile": f"{row['percentile']:.1f}",
            }
        )
    return text.getvalue()


def _as_json(album: Album, rows: list[TableRow]) -> str:
    about = album.about
    document = {
        "preset": about.preset,
        "score_range": list(about.score_range),
        "higher_is_better": about.higher_is_better,
        "coverage": about.coverage,
        "working_size": about.working_size,
        "runtime": about.runtime,
        "scores": rows,
        "problems": [str(problem) for problem in album.problems],
        "left_out": album.left_out,
    }
    return json.dumps(document, indent=2) + "\n"


def _as_json_lines(album: Album, rows: list[TableRow]) -> str:  # noqa: ARG001
    return "".join(json.dumps(row) + "\n" for row in rows)


TABLE_FORMATS: dict[str, Callable[[Album, list[TableRow]], str]] = {
    "csv": _as_csv,
    "json": _as_json,
    "jsonl": _as_json_lines,
}
"""Names of the formats, which files end with, and what writes them."""


def table_format(path: PathLike) -> str:
    """Tells a format by the ending of a file's name.

    Args:
        path: of the file.

    Returns:
        one of `TABLE_FORMATS`.

    Raises:
        ValueError: if it ends otherwise.
    """
    ending = pathlib.Path(path).suffix.lower().removeprefix(".")
    if ending not in TABLE_FORMATS:
        raise ValueError(
            f"{path}: expected a name that ends with .{', .'.join(TABLE_FORMATS)}. "
            f"Received: {f'.{ending}' if ending else 'no ending'}"
        )
    return ending


def save_table(
    album: Album,
    path: PathLike,
    photos: Sequence[AlbumPhoto] | None = None,
    *,
    format: str | None = None,  # noqa: A002 - what the command calls it
    overwrite: bool = False,
) -> None:
    """What `Album.save_table` does.

    Args:
        album: that the photos are in.
        path: as there.
        photos: as there.
        format: one of `TABLE_FORMATS`; None goes by the ending of the path.
        overwrite: as there.
    """
    text = TABLE_FORMATS[format or table_format(path)](album, table_rows(album, photos))
    check_new_file(path, overwrite)
    with written_whole(path) as scratch:
        # Names of files may be in any encoding: their bytes are written as they are.
        scratch.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")
