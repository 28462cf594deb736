"""What `reiqa score` writes: checked before photos are scored, written and printed afterwards."""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from reiqa_tf.cli import terminal
from reiqa_tf.errors import ReiqaError

if TYPE_CHECKING:
    import numpy as np

    from reiqa_tf.albums.album import Album, AlbumPhoto
    from reiqa_tf.scoring.scorer import PhotoSource


def check(arguments: argparse.Namespace) -> None:
    """Refuses, before the work begins, what could not be written at its end.

    Args:
        arguments: of the command.

    Raises:
        OutputError: if a file is in the way, cannot be written or has the wrong ending.
    """
    from reiqa_tf.files import OutputError, check_new_file

    if arguments.out:
        _format_of_file(arguments)
    if arguments.page and pathlib.Path(arguments.page).suffix.lower() not in (".html", ".htm"):
        raise OutputError(f"{arguments.page}: expected a name that ends with .html for --page")
    paths = [path for path in (arguments.out, arguments.page, arguments.features) if path]
    if len({os.path.realpath(path) for path in paths}) < len(paths):
        raise OutputError("--out, --page and --features: expected different files")
    for path in paths:
        check_new_file(path, arguments.overwrite)


def check_sidecars(photos: Iterable[PhotoSource]) -> None:
    """Refuses folders that no sidecar can be written to.

    Args:
        photos: those whose sidecars are to be written.

    Raises:
        OutputError: if there is such a folder.
    """
    from reiqa_tf.albums.sidecars import is_elsewhere, sidecar_path
    from reiqa_tf.files import OutputError, check_new_file

    folders = {os.path.dirname(photo): photo for photo in photos if isinstance(photo, str)}
    for photo in folders.values():
        if is_elsewhere(photo):
            raise OutputError(
                f"{photo}: in a pack or on a store, where no sidecar can lie beside it. Score the "
                "folder that it came from, or leave --xmp out"
            )
        check_new_file(sidecar_path(photo), overwrite=True)


def needs_scores(arguments: argparse.Namespace) -> bool:
    """Whether something was asked for that there is not without scores.

    Args:
        arguments: of the command.
    """
    return bool(arguments.out or arguments.page or arguments.xmp) or _chooses(arguments)


def save(
    album: Album,
    listed: Sequence[AlbumPhoto],
    arguments: argparse.Namespace,
    with_sidecars: bool,
) -> list[ReiqaError]:
    """Writes the files that were asked for, and says on stderr which.

    Args:
        album: what was scored.
        listed: photos that `--out` is to hold.
        arguments: of the command.
        with_sidecars: whether sidecars are written, if they were asked for.

    Returns:
        why something could not be written.
    """
    from reiqa_tf.files import OutputError

    failures: list[ReiqaError] = []
    overwrite = arguments.overwrite
    try:
        if arguments.features and album.photos:
            rows = [(photo.name, photo.features) for photo in album.photos]
            write_features(arguments.features, rows)
        if arguments.out:
            from reiqa_tf.albums.tables import save_table

            form = _format_of_file(arguments)
            save_table(album, arguments.out, listed, format=form, overwrite=overwrite)
            _say(f"{arguments.out}: {_count(len(listed))}")
        if arguments.page:
            album.save_page(arguments.page, title=_title(arguments.photos), overwrite=overwrite)
            megabytes = os.path.getsize(arguments.page) / 1e6
            _say(f"{arguments.page}: {_count(len(album.photos))}, {megabytes:.1f} MB")
    except OutputError as failure:
        failures.append(failure)
    if arguments.xmp and with_sidecars:
        kept = album.save_sidecars(overwrite=overwrite)
        _say(f"{_count(len(album.photos) - len(kept))} rated in sidecars")
        failures += kept
    return failures


def print_listed(album: Album, listed: Sequence[AlbumPhoto], arguments: argparse.Namespace) -> None:
    """Prints the photos, unless they went elsewhere.

    Args:
        album: what was scored.
        listed: photos to print, in their order.
        arguments: of the command.
    """
    if arguments.out or ((arguments.page or arguments.xmp) and not _chooses(arguments)):
        return
    if arguments.format in (None, "table"):
        _print_table(album, listed, arguments.below)
        return
    from reiqa_tf.albums.tables import TABLE_FORMATS, table_rows

    sys.stdout.write(TABLE_FORMATS[arguments.format](album, table_rows(album, listed)))


def write_features(path: str, rows: Sequence[tuple[str, np.ndarray | None]]) -> None:
    """Writes features for other programs.

    Args:
        path: of the file, in NumPy's format `.npz`; it will hold `photos` (N,) and `features`
            (N, F).
        rows: pairs of a photo's name and its features.

    Raises:
        OutputError: if it cannot be written.
    """
    import numpy as np

    from reiqa_tf.files import written_whole

    with written_whole(path) as scratch, open(scratch, "wb") as file:
        table = np.stack([features for _, features in rows if features is not None])
        np.savez(file, photos=np.array([name for name, _ in rows]), features=table)


def _chooses(arguments: argparse.Namespace) -> bool:
    """Whether an option says what is printed, and how."""
    return (
        arguments.format is not None
        or arguments.sort is not None
        or arguments.top is not None
        or arguments.below is not None
        or arguments.best_of_bursts
    )


def _format_of_file(arguments: argparse.Namespace) -> str:
    from reiqa_tf.albums.tables import table_format
    from reiqa_tf.files import OutputError

    if arguments.format == "table":
        raise OutputError("--format table is for the terminal; with --out take csv, json or jsonl")
    if arguments.format is not None:
        return str(arguments.format)
    try:
        return table_format(arguments.out)
    except ValueError as error:
        raise OutputError(f"{error}. Or say what it is: --format csv") from None


def _print_table(album: Album, listed: Sequence[AlbumPhoto], limit: float | None) -> None:
    about = album.about
    low, high = about.score_range
    size = f"at most {about.working_size} px" if about.working_size else "native size"
    captions = [f"{about.preset}: {low:g} to {high:g}, higher is better; {size}; {about.runtime}"]
    if limit is not None:
        captions.append(f"{_count(len(listed))} of {len(album.photos):,} below {limit:g}")
    if not listed:
        if limit is not None:
            print(captions[1])
        return
    is_explained = any(photo.why is not None for photo in listed)
    columns: list[tuple[str, terminal.Justify]] = [
        ("photo", "left"),
        ("score", "right"),
        ("word", "left"),
        ("percentile", "right"),
        (f"{about.coverage:.0%} interval", "right"),
        ("", "left"),
    ]
    if is_explained:
        columns.insert(-1, ("main fault", "left"))
    digits = about.decimals
    rows = [
        (
            photo.name,
            f"{float(photo.score):.{digits}f}",
            photo.score.word or "",
            "" if photo.score.percentile is None else f"{photo.score.percentile:.0f}",
            f"{photo.score.low:.{digits}f} to {photo.score.high:.{digits}f}",
            *([_main_fault(photo)] if is_explained else []),
            _remark(album, photo),
        )
        for photo in listed
    ]
    terminal.print_table(None, columns, rows, "\n".join(captions))


def _main_fault(photo: AlbumPhoto) -> str:
    main = None if photo.why is None else photo.why.diagnosis.main
    return "" if main is None else main.text


def _remark(album: Album, photo: AlbumPhoto) -> str:
    remarks = ["unfamiliar"] if photo.score.familiar is False else []
    if photo in album.places:
        group, place = album.places[photo]
        count = len(album.groups[group].photos)
        remarks.append(f"best of {count}" if place == 0 else f"{place + 1} of {count}")
    return ", ".join(remarks)


def _title(sources: Sequence[str]) -> str:
    """What to call the photos on a page: the names of the folders and files."""
    names = [os.path.basename(os.path.abspath(source)) for source in sources if source != "-"]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _count(number: int) -> str:
    return f"{number:,} photo{'s'[: number != 1]}"


def _say(text: str) -> None:
    print(f"reiqa: {text}", file=sys.stderr)
