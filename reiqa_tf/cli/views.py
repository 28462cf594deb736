"""`reiqa views`: the pairs of crops that training makes of a photo."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from reiqa_tf.cli import terminal
from reiqa_tf.cli.startup import start_tensorflow

if TYPE_CHECKING:
    import numpy as np

    from reiqa_tf.image.contact_sheet import PictureRow

_EXAMPLES = """\
  reiqa views photo.jpg --out views.png                    pairs for the quality-aware encoder
  reiqa views photo.jpg --out views.png --seed 7           another draw
  reiqa views photo.jpg --out views.png --kind content     pairs for the content-aware encoder

Query and key of a pair stand side by side, as the encoder sees them. Of a quality pair both are
distorted alike and overlap in 10 % to 30 % of their area."""


def add_parser(subparsers: terminal.Subparsers) -> None:
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers, "views", run, "Draw the training pairs of a photo.", _EXAMPLES
    )
    parser.add_argument("photo", metavar="PHOTO", help="photo to take views of")
    parser.add_argument(
        "--out", required=True, metavar="FILE", help="picture to write (.png, .jpg or .webp)"
    )
    parser.add_argument(
        "--kind", choices=sorted(_ROWS), default="quality", help="of encoder (default: quality)"
    )
    parser.add_argument("--patch", type=int, default=160, help="side of a crop (default: 160 px)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default: 0)")


def run(arguments: argparse.Namespace) -> int:
    """Draws the pairs and returns the exit code."""
    from reiqa_tf.errors import ReiqaError
    from reiqa_tf.image import contact_sheet
    from reiqa_tf.image.reading import read_image

    contact_sheet.require_name(arguments.out)
    photo = read_image(arguments.photo)
    start_tensorflow()
    try:
        rows = _ROWS[arguments.kind](photo, arguments.patch, arguments.seed)
    except ValueError as error:
        raise ReiqaError(str(error)) from None
    title = f"Pairs for the {arguments.kind}-aware encoder: query and key"
    contact_sheet.save(contact_sheet.draw(rows, title, columns=min(2, len(rows))), arguments.out)
    return 0


def _quality_rows(photo: np.ndarray, patch: int, seed: int) -> list[PictureRow]:
    from reiqa_tf.distortions.bank import DISTORTIONS
    from reiqa_tf.image.contact_sheet import PictureRow
    from reiqa_tf.pretraining.quality_views import CLEAN, QualityViews

    views = QualityViews(patch)
    photo = views.enlarged(photo)
    plan = views.draw((seed, 0), *photo.shape[:2])
    queries, keys = (part.numpy() for part in views.apply(photo, plan))
    rows = []
    for version, (index, level) in enumerate(
        zip(plan.distortions.numpy(), plan.levels.numpy(), strict=True)
    ):
        heading = "clean"
        if index != CLEAN:
            distortion = DISTORTIONS[index]
            heading = f"{distortion.name} {distortion.levels[level]:g} ({distortion.unit})"
        images, captions = [], []
        for scale, size in enumerate(("full", "half")):
            pair = 2 * version + scale
            images += [queries[pair], keys[pair]]
            swapped = ", swapped" if plan.swapped.numpy()[scale, version] else ""
            captions += [f"query, {size}{swapped}", f"key, {size}{swapped}"]
        rows.append(PictureRow(heading, images, captions))
    return rows


def _content_rows(photo: np.ndarray, patch: int, seed: int) -> list[PictureRow]:
    from reiqa_tf.image.contact_sheet import PictureRow
    from reiqa_tf.pretraining.content_views import ContentViews

    views = ContentViews(patch)
    rows = []
    for number in range(8):
        query, key = views(photo, (seed, number))
        rows.append(
            PictureRow(
                f"seed ({seed}, {number})", [query[0].numpy(), key[0].numpy()], ["query", "key"]
            )
        )
    return rows


_ROWS = {"quality": _quality_rows, "content": _content_rows}
