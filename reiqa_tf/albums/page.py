"""A page to look at an album: one HTML file, with the photos' thumbnails inside."""

from __future__ import annotations

import base64
import json
import os
import urllib.parse
from typing import TYPE_CHECKING, Any

import numpy as np

from reiqa_tf.albums.sidecars import STARS
from reiqa_tf.data.near_duplicates import BURST_SECONDS
from reiqa_tf.files import check_new_file, written_whole
from reiqa_tf.pages import page_template
from reiqa_tf.typing import PathLike

if TYPE_CHECKING:
    from reiqa_tf.albums.album import Album, AlbumPhoto

_WORDS = tuple(STARS)  # the worst first


def save_page(album: Album, path: PathLike, *, title: str = "", overwrite: bool = False) -> None:
    """What `Album.save_page` does.

    Args:
        album: whose photos are shown; those without a thumbnail by their names alone.
        path: as there.
        title: as there.
        overwrite: as there.
    """
    check_new_file(path, overwrite)
    about = album.about
    template = page_template("reiqa_tf.albums")
    data = _data(album, path)
    text = template.render(
        title=_printable(title),
        about=about,
        album=album,
        groups=len(album.groups),
        burst_seconds=f"{BURST_SECONDS:g}",
        problems=[_printable(str(problem)) for problem in album.problems],
        left_out=_printable(album.left_out),
        limit=f"{data['limit']:g}",
        data=_for_script(data),
    )
    with written_whole(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def _data(album: Album, path: PathLike) -> dict[str, Any]:
    """What the script of the page reads; see `page.js`."""
    folder = os.path.dirname(os.path.abspath(path))
    limit = _map_limit(album)
    return {
        "limit": limit,
        "range": list(album.about.score_range),
        "decimals": album.about.decimals,
        "coverage": album.about.coverage,
        "words": list(_WORDS),
        "photos": [_entry(album, photo, folder, limit) for photo in album.sorted("best")],
    }


def _map_limit(album: Album) -> float:
    """Where the colours of all maps end; 0 where there is no map."""
    maps = [photo.why.map for photo in album.photos if photo.why is not None]
    if not maps:
        return 0.0
    from reiqa_tf.explanation.drawing import color_limit, if_everywhere

    return color_limit(if_everywhere(np.stack(maps)))


def _entry(album: Album, photo: AlbumPhoto, folder: str, limit: float) -> dict[str, Any]:
    score = photo.score
    group, place = album.places.get(photo, (None, 0))
    entry: dict[str, Any] = {
        "path": _printable(photo.name),
        "score": round(float(score), 6),
        "low": round(score.low, 6),
        "high": round(score.high, 6),
        "percentile": round(score.percentile, 1),
        "word": _WORDS.index(score.word),
    }
    if score.familiar is False:
        entry["unfamiliar"] = True
    if group is not None:
        entry["group"] = group
        entry["place"] = place
    if photo.taken is not None:
        entry["taken"] = photo.taken.isoformat(" ", "seconds")
    if photo.path is not None:
        entry["link"] = _link(photo.path, folder)
    if photo.why is not None:
        from reiqa_tf.explanation.saving import map_image

        diagnosis = photo.why.diagnosis
        entry["fault"] = "" if diagnosis.main is None else diagnosis.main.family
        entry["faults"] = diagnosis.text
        entry["map"] = map_image(photo.why.map, limit)
    if photo.thumbnail is not None:
        encoded = base64.b64encode(photo.thumbnail.contents).decode()
        entry["image"] = f"data:{photo.thumbnail.kind};base64,{encoded}"
    return entry


def _link(photo: str, folder: str) -> str:
    """Address of a photo, seen from the page's folder. It is followed on a click alone."""
    try:
        relative = os.path.relpath(photo, folder)
    except ValueError:  # another drive of Windows
        return "file:///" + urllib.parse.quote(os.path.abspath(photo).replace(os.sep, "/"))
    return "./" + urllib.parse.quote(os.fsencode(relative.replace(os.sep, "/")))


def _printable(text: str) -> str:
    """A text without what no page can hold: bytes of file names that are in no known encoding."""
    return text.encode("utf-8", "backslashreplace").decode()


def _for_script(data: dict[str, Any]) -> str:
    """JSON that may stand inside an element `script`: no mark of HTML is left in it."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
