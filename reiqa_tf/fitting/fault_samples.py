"""Photos with faults of known kind and amount, which a diagnosis is learnt from and tested on."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from reiqa_tf.distortions.bank import distort, distortion_named
from reiqa_tf.distortions.distortion import LEVELS
from reiqa_tf.distortions.ladder import read_distortable, shrunk
from reiqa_tf.explanation.faults import FAMILIES
from reiqa_tf.image.scaling import to_levels
from reiqa_tf.typing import PathLike

SMALLEST_CHANGE = 1.0
"""Root mean square, in levels of 255, below which a distorted photo is as good as the clean one."""

_DOUBLE_SHARE = 4  # every fourth picture has two faults
_SMALLEST_SHARE = 0.4
_SMALLEST_SIDE = 96  # pixels of the shorter side, that copies are not shrunk below


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What is done to a photo.

    Attributes:
        row: place of the photo in its list.
        steps: a family's place in `FAMILIES`, a distortion's name and a level 0 to 4, for each
            fault, in the order in which they are applied.
        seed: of the draws, two integers.
        share: what is left of the photo's sides before anything is done to it, 0 to 1. A photo
            that is shrunk is sharper and has less noise and less of a codec than any camera's: so
            a fault is told from what good photos differ in.
    """

    row: int
    steps: tuple[tuple[int, str, int], ...]
    seed: tuple[int, int]
    share: float = 1.0


def smaller_copies(photo_count: int, seed: int = 0) -> list[Recipe]:
    """A recipe for each photo that shrinks it and does nothing else: more examples of good ones."""
    shares = np.random.default_rng([seed, 2]).uniform(_SMALLEST_SHARE, 1, photo_count)
    return [Recipe(row, (), (seed, 0), float(share)) for row, share in enumerate(shares)]


def choose_recipes(
    photo_count: int, count: int, seed: int = 0, shrinks: bool = False
) -> list[Recipe]:
    """Deals faults to photos: all families equally often, levels too; every fourth has two.

    Args:
        photo_count: number of photos.
        count: number of pictures to make. More of them begin with the same ones.
        seed: whole number from 0.
        shrinks: whether half of the photos are shrunk first.

    Returns:
        list of `count` `Recipe`s.
    """
    generator, sizes = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    used = [0] * len(FAMILIES)
    recipes = []

    def step(family: int) -> tuple[int, str, int]:
        number = used[family]
        used[family] += 1
        names = FAMILIES[family].distortions
        return family, names[number % len(names)], (number // len(names)) % LEVELS

    for number in range(count):
        families = [number % len(FAMILIES)]
        if number // len(FAMILIES) % _DOUBLE_SHARE == _DOUBLE_SHARE - 1:
            others = [family for family in range(len(FAMILIES)) if family != families[0]]
            families.append(int(generator.choice(others)))
        # Compression comes last, as it does in life.
        families.sort(key=lambda family: FAMILIES[family].name == "compression")
        row = (number // len(FAMILIES)) % photo_count
        # Half of the draws are above 1: of whole photos.
        share = min(1.0, sizes.uniform(_SMALLEST_SHARE, 2 - _SMALLEST_SHARE)) if shrinks else 1.0
        recipes.append(Recipe(row, tuple(map(step, families)), (seed, number), share))
    return recipes


def make_sample(
    photo: PathLike, recipe: Recipe, working_size: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Distorts a photo as a recipe says.

    Args:
        photo: path of the photo.
        recipe: the `Recipe`.
        working_size: side in pixels of the square that the photo is shrunk to, or None.

    Returns:
        pair of the picture, uint8 `(H, W, 3)`, and a float array with the amount of each family's
        fault; NaN where there is none.

    Raises:
        ImageError: if the photo cannot be read or is too narrow.
    """
    picture = read_distortable(photo, working_size, str(photo))
    picture = shrunk(picture, recipe.share, _SMALLEST_SIDE)
    amounts = np.full(len(FAMILIES), np.nan)
    with tf.device("CPU"):
        for family, name, level in recipe.steps:
            before = picture
            picture = to_levels(distort(before, name, level, recipe.seed)).numpy()
            change = picture.astype(np.float32) - before
            if np.sqrt(np.mean(change**2)) >= SMALLEST_CHANGE:
                value = float(distortion_named(name).levels[level])
                amounts[family] = _amount(name, value, change)
    return picture, amounts


_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_CHROMA = np.array([[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)


def _amount(name: str, value: float, change: np.ndarray) -> float:
    """The amount of a fault in its family's unit, of the level's value and of what it changed."""
    family = next(family for family in FAMILIES if name in family.distortions)
    if name == "lens_blur":
        return value / 2  # the standard deviation of a disk is half its radius
    if family.name == "noise":
        return float(np.sqrt(np.mean(change**2)))
    if family.name == "exposure":
        return float(100 * np.mean(change @ _LUMA) / 255)
    if family.name == "colour":
        return float(np.sqrt(np.mean((change @ _CHROMA.T) ** 2)))
    if family.name == "blocks":
        side = 32 if name == "color_block" else 16
        return 100 * value * side**2 / (change.shape[0] * change.shape[1])
    return value
