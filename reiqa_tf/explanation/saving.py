"""Explanations as files: a picture, a page, or numbers."""

from __future__ import annotations

import base64
import io
import json
import pathlib
from typing import Any

import numpy as np
from PIL import Image

from reiqa_tf.explanation.drawing import (
    color_limit,
    colors_of,
    decimals_of,
    draw,
    if_everywhere,
    waterfall,
)
from reiqa_tf.explanation.explanation import Explanation
from reiqa_tf.files import check_new_file, written_whole
from reiqa_tf.pages import page_template
from reiqa_tf.typing import PathLike

_PICTURES: dict[str, dict[str, Any]] = {
    ".png": {"optimize": True},
    ".jpg": {"quality": 88},
    ".jpeg": {"quality": 88},
    ".webp": {"quality": 85, "method": 4},
}

ENDINGS = (*_PICTURES, ".html", ".htm", ".json")
"""What the names of files may end with."""


def check_ending(path: PathLike) -> None:
    """Refuses a name whose ending says nothing; for use before the work begins.

    Args:
        path: of the file.

    Raises:
        ValueError: if it ends otherwise than `ENDINGS`.
    """
    if pathlib.Path(path).suffix.lower() not in ENDINGS:
        raise ValueError(f"{path}: expected a name that ends with {', '.join(ENDINGS)}")


def save(explanation: Explanation, path: PathLike, *, overwrite: bool = False) -> None:
    """What `Explanation.save` does.

    Args:
        explanation: to be written.
        path: as there.
        overwrite: as there.
    """
    check_ending(path)
    check_new_file(path, overwrite)
    ending = pathlib.Path(path).suffix.lower()
    with written_whole(path) as scratch:
        if ending in _PICTURES:
            draw(explanation).save(scratch, **_PICTURES[ending])
        elif ending == ".json":
            scratch.write_text(as_json(explanation), encoding="utf-8")
        else:
            scratch.write_text(_page(explanation), encoding="utf-8")


def as_json(explanation: Explanation) -> str:
    """An explanation as JSON.

    Args:
        explanation: the `Explanation`.

    Returns:
        text, which ends with a line break.
    """
    return json.dumps(explanation.as_dictionary(), indent=1) + "\n"


def map_image(points: np.ndarray, limit: float) -> str:
    """A map as a picture inside a page, which browsers stretch over a photo.

    Args:
        points: array `(32, 32)` of an `Explanation`.
        limit: where the scale of `if_everywhere(points)` ends.

    Returns:
        address that holds the picture itself.
    """
    return _address(Image.fromarray(colors_of(if_everywhere(points), limit)), "png")


def _address(picture: Image.Image, kind: str, **options: Any) -> str:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def _page(why: Explanation) -> str:
    limit = color_limit(if_everywhere(why.map()))
    maps = [("everything", why.map())]
    for expert, size in why.parts_by("expert", "size"):
        maps.append((f"{expert}, {size} size", why.map(expert, size)))
    maps += [(f"{n.expert}, {n.size} size, {n.kind}", found) for n, found in why.maps.items()]
    bars = waterfall(why)
    ends = [bar.begin for bar in bars] + [bar.end for bar in bars]
    ends += [why.average, float(why.score)]
    photo = Image.fromarray(why.picture)
    return page_template("reiqa_tf.explanation").render(
        why=why,
        name=why.name.encode("utf-8", "backslashreplace").decode(),
        decimals=decimals_of(why.score_range),
        limit=f"{limit:g}",
        photo=_address(photo, "jpeg", quality=88),
        width=photo.width,
        height=photo.height,
        maps=[
            {"label": label, "image": map_image(found, limit), "points": float(found.sum())}
            for label, found in maps
        ],
        bars=bars,
        lowest=min(ends),
        room=(max(ends) - min(ends)) or 1.0,
    )
