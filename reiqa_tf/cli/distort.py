"""`reiqa distort`: the bank of distortions on a photo of yours."""

import argparse

from reiqa_tf.cli import terminal
from reiqa_tf.cli.startup import start_tensorflow

_EXAMPLES = """\
  reiqa distort photo.jpg --out gallery.png                           all of them, five levels each
  reiqa distort photo.jpg --out jitter.png --name jitter              one, five levels
  reiqa distort photo.jpg --out noisy.png --name gaussian_noise --level 4    one, at full size

Levels go from 1, the mildest, to 5; below each picture stands what a level is (px, variance,
quality, ...). In a gallery the photo is first brought to --side pixels, so that a pixel of the
picture is a pixel of the distortion. (In Python, `reiqa_tf.distort` counts levels from 0 to 4.)"""


def add_parser(subparsers: terminal.Subparsers) -> None:
    """Adds the subcommand."""
    parser = terminal.add_parser(
        subparsers, "distort", run, "Draw the distortions of the training bank.", _EXAMPLES
    )
    parser.add_argument("photo", metavar="PHOTO", help="photo to distort")
    parser.add_argument(
        "--out", required=True, metavar="FILE", help="picture to write (.png, .jpg or .webp)"
    )
    parser.add_argument("--name", metavar="NAME", help="one distortion instead of all")
    parser.add_argument(
        "--level", type=int, choices=range(1, 6), help="one level, 1 (mildest) to 5, with --name"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the random ones (default: 0)")
    parser.add_argument(
        "--side",
        type=int,
        default=160,
        metavar="PX",
        help="side of the square that a photo of the gallery fits into (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Draws the gallery, or distorts one photo, and returns the exit code."""
    from PIL import Image

    from reiqa_tf.errors import ReiqaError
    from reiqa_tf.image import contact_sheet
    from reiqa_tf.image.reading import read_image

    if arguments.level is not None and arguments.name is None:
        raise ReiqaError("--level says which level of one distortion: add --name.")
    contact_sheet.require_name(arguments.out)
    fit = None if arguments.level is not None else max(arguments.side, 48)
    photo = read_image(arguments.photo, fit=fit)
    start_tensorflow()
    from reiqa_tf.distortions.bank import DISTORTIONS, distort, distortion_named
    from reiqa_tf.image.scaling import to_levels

    seed = (arguments.seed, 0)
    try:
        chosen = [distortion_named(arguments.name)] if arguments.name else list(DISTORTIONS)
    except ValueError as error:
        raise ReiqaError(f"--name: {error}") from None
    if arguments.level is not None:
        image = distort(photo, arguments.name, arguments.level - 1, seed)
        contact_sheet.save(Image.fromarray(to_levels(image).numpy()), arguments.out)
        return 0
    rows = [
        contact_sheet.PictureRow(
            heading=f"{DISTORTIONS.index(distortion) + 1}  {distortion.name}: {distortion.unit}"
            + ("" if distortion.ordered else " (not ordered)"),
            images=[
                to_levels(distort(photo, distortion.name, level, seed)).numpy()
                for level in range(len(distortion.levels))
            ],
            captions=[f"{value:g}" for value in distortion.levels],
        )
        for distortion in terminal.show_progress(chosen, "distorting", len(chosen))
    ]
    height, width = photo.shape[:2]
    title = f"The bank of distortions at {width} x {height} px, levels 1 to 5"
    columns = 2 if len(rows) > 1 else 1
    contact_sheet.save(contact_sheet.draw(rows, title, columns), arguments.out)
    return 0
