"""One function for each layout: a folder in, the rows of its tables out, nothing checked yet."""

from __future__ import annotations

import collections
import dataclasses
import pathlib
import re
import urllib.parse
from collections.abc import Mapping, Sequence

import numpy as np

from reiqa_tf.data.databases.catalog import DatabaseError
from reiqa_tf.data.databases.folder import Folder
from reiqa_tf.data.databases.tables import (
    numbers,
    read_lines,
    read_matlab_numbers,
    read_matlab_texts,
    read_table,
)


@dataclasses.dataclass(frozen=True)
class Rows:
    """What the tables of a database say.

    Attributes:
        table: path of the file that holds the scores, for messages.
        photos: list of the photos' names: ends of paths below the folder.
        scores: float64 array, in the units and the direction of the file.
        groups: list of the references' names, or None.
        distortions: list of names, or None.
        levels: array of numbers, higher is stronger, or None.
        splits: list of `train`, `val`, `test`, and of empty texts for rows that the official
            split leaves out; or None.
        rises_with_quality: array of numbers in the same tables that must rise with quality, by
            which the direction of the scores is checked; or None.
    """

    table: pathlib.Path
    photos: list[str]
    scores: np.ndarray
    groups: list[str] | None = None
    distortions: list[str] | None = None
    levels: np.ndarray | None = None
    splits: list[str] | None = None
    rises_with_quality: np.ndarray | None = None


def read_koniq(folder: Folder, size: str) -> Rows:
    """KonIQ-10k: z-scored MOS brought to 1 to 100; photos in a folder named after their size."""
    table = folder.table("koniq10k_scores_and_distributions.csv", "koniq10k_distributions_sets.csv")
    counts = ("c1", "c2", "c3", "c4", "c5")
    columns = read_table(table, ("image_name", "MOS", *counts))
    # The first file keeps the raw mean of 1 to 5 as MOS; the second one's MOS is the scaled one.
    column = "mos_zscore" if "mos_zscore" in columns else "mos"
    votes = np.stack([numbers(columns[name], table, name) for name in counts], axis=1)
    sets = folder.find("koniq10k_distributions_sets.csv")
    splits = None
    if sets is not None:
        official = read_table(sets, ("image_name", "set"))
        names = {"training": "train", "validation": "val", "test": "test"}
        by_photo = dict(zip(official["image_name"], official["set"], strict=True))
        splits = [names.get(by_photo.get(name, ""), "") for name in columns["image_name"]]
    return Rows(
        table,
        [f"{size}/{name}" for name in columns["image_name"]],
        numbers(columns[column], table, column),
        splits=splits,
        rises_with_quality=votes @ np.arange(1, 6) / votes.sum(axis=1),
    )


def read_clive(folder: Folder) -> Rows:
    """LIVE In the Wild Challenge: two MATLAB files in the same order, training photos first."""
    names = read_matlab_texts(folder.table("AllImages_release.mat"), "AllImages_release")
    table = folder.table("AllMOS_release.mat")
    scores = read_matlab_numbers(table, "AllMOS_release")
    if len(names) != len(scores):
        raise DatabaseError(
            f"{table}: expected a score for each of the {len(names)} photos of "
            f"AllImages_release.mat. Received: {len(scores)}"
        )
    training = {f"t{number}.bmp" for number in range(1, 8)}
    kept = [row for row, name in enumerate(names) if name.lower() not in training]
    return Rows(table, [names[row] for row in kept], scores[kept])


def read_flive(folder: Folder) -> Rows:
    """FLIVE (LIVE-FB, PaQ-2-PiQ): labels of the whole photos; two more tables hold the split."""
    table = folder.table("labels_image.csv")
    columns = read_table(table, ("name", "mos"))
    large, small = _flive_split(folder)
    splits = None
    if large is not None and small is not None:
        known = dict.fromkeys(map(_last, read_table(large, ("name_image",))["name_image"]), "test")
        rest = read_table(small, ("name_image", "is_valid"))
        for name, held_out in zip(rest["name_image"], rest["is_valid"], strict=True):
            known[_last(name)] = "val" if str(held_out).lower() == "true" else "train"
        splits = [known.get(_last(name), "") for name in columns["name"]]
    return Rows(table, columns["name"], numbers(columns["mos"], table, "mos"), splits=splits)


# Windows and archives have no < and > in names: the makers' own are labels640.csv and
# labels=640_padded.csv, others write _ or the codes of addresses.
_FLIVE_SPLIT = re.compile(
    r"labels(?P<marks>(?:%[0-9a-f]{2}|[^a-z0-9])*)640(?P<padded>_padded)?\.csv"
)


def _flive_split(folder: Folder) -> tuple[pathlib.Path | None, pathlib.Path | None]:
    """The tables of FLIVE's photos above 640 px, and of those up to it, padded if there are both.

    Of the marks between `labels` and 640, which stand for `>` and `<=`, names keep some or none;
    two of them, or one with an equals sign, are those of the smaller photos.
    """
    large, padded, small = None, None, None
    for name, path in folder.named(_FLIVE_SPLIT).items():
        match = _FLIVE_SPLIT.fullmatch(name)
        marks = urllib.parse.unquote(match["marks"]) if match else ""
        if match and match["padded"]:
            padded = path
        elif len(marks) > 1 or "=" in marks or "<" in marks:
            small = path
        else:
            large = path
    return large, padded or small


def read_spaq(folder: Folder) -> Rows:
    """SPAQ: an Excel file, which holds scores of sharpness as well."""
    table = folder.table("MOS and Image attribute scores.xlsx")
    columns = read_table(table, ("Image name", "MOS"))
    sharpness = columns.get("sharpness")
    return Rows(
        table,
        [str(name) for name in columns["image name"]],
        numbers(columns["mos"], table, "MOS"),
        rises_with_quality=None if sharpness is None else numbers(sharpness, table, "Sharpness"),
    )


def read_live(folder: Folder, sizes: Mapping[str, int]) -> Rows:
    """LIVE release 2: five folders, and one list of all their photos, references included.

    Args:
        folder: the `Folder`.
        sizes: dictionary from each distortion's folder to its number of photos, in the list's
            order.
    """
    table = folder.table("dmos_realigned.mat")
    scores = read_matlab_numbers(table, "dmos_new")
    copies = read_matlab_numbers(table, "orgs") == 1
    references = read_matlab_texts(folder.table("refnames_all.mat"), "refnames_all")
    total = sum(sizes.values())
    if not total == len(scores) == len(copies) == len(references):
        raise DatabaseError(
            f"{table}: expected {total} values in dmos_new and orgs, and as many names in "
            f"refnames_all.mat. Received: {len(scores)}, {len(copies)} and {len(references)}"
        )
    photos = [f"{name}/img{i + 1}.bmp" for name, size in sizes.items() for i in range(size)]
    kept = np.flatnonzero(~copies)
    if copies.any() and scores[copies].mean() >= scores[kept].mean():
        raise DatabaseError(
            f"{table}: expected lower scores for the untouched references than for distorted "
            "photos: these are DMOS. The scores seem to be mirrored already."
        )
    return Rows(
        table,
        [photos[row] for row in kept],
        scores[kept],
        groups=[references[row] for row in kept],
        distortions=[photos[row].split("/")[0] for row in kept],
    )


_CSIQ_NAMES = {
    "noise": "AWGN",
    "blur": "BLUR",
    "contrast": "contrast",
    "fnoise": "fnoise",
    "jpeg": "JPEG",
    "jpeg 2000": "jpeg2000",
}


def read_csiq(folder: Folder) -> Rows:
    """CSIQ: one sheet of an Excel file, its header below a title; photos by distortion."""
    table = folder.table("csiq.DMOS.xlsx")
    columns = read_table(table, ("image", "dst_type", "dst_lev", "dmos"), sheet="all_by_image")
    references = [str(name) for name in columns["image"]]
    levels = numbers(columns["dst_lev"], table, "dst_lev")
    kinds = [str(kind).strip() for kind in columns["dst_type"]]
    unknown = sorted(set(kinds) - set(_CSIQ_NAMES))
    if unknown:
        raise DatabaseError(
            f"{table}: expected dst_type out of {', '.join(_CSIQ_NAMES)}. Received: {unknown[0]!r}"
        )
    return Rows(
        table,
        [
            f"{name}.{_CSIQ_NAMES[kind]}.{level:.0f}.png"
            for name, kind, level in zip(references, kinds, levels, strict=True)
        ],
        numbers(columns["dmos"], table, "dmos"),
        groups=references,
        distortions=kinds,
        levels=levels,
        rises_with_quality=-levels,
    )


_TID_NAMES = (
    "additive Gaussian noise",
    "colour noise",
    "spatially correlated noise",
    "masked noise",
    "high frequency noise",
    "impulse noise",
    "quantization noise",
    "Gaussian blur",
    "denoising",
    "JPEG",
    "JPEG 2000",
    "JPEG transmission errors",
    "JPEG 2000 transmission errors",
    "non-eccentricity pattern noise",
    "block-wise distortion",
    "mean shift",
    "contrast change",
    "saturation change",
    "multiplicative Gaussian noise",
    "comfort noise",
    "lossy compression of noise",
    "colour quantization with dither",
    "chromatic aberrations",
    "sparse sampling",
)


def read_tid2013(folder: Folder) -> Rows:
    """TID2013: a score and a name on each line; the name says reference, distortion and level."""
    table = folder.table("mos_with_names.txt")
    lines = read_lines(table)
    parts = [_coded(words[1], table, _TID_NAMES) for words in lines]
    levels = np.array([level for _, _, level in parts], float)
    return Rows(
        table,
        [f"distorted_images/{words[1]}" for words in lines],
        numbers([words[0] for words in lines], table, "MOS"),
        groups=[reference for reference, _, _ in parts],
        distortions=[kind for _, kind, _ in parts],
        levels=levels,
        rises_with_quality=-levels,
    )


_KADID_NAMES = (
    "Gaussian blur",
    "lens blur",
    "motion blur",
    "colour diffusion",
    "colour shift",
    "colour quantization",
    "colour saturation 1",
    "colour saturation 2",
    "JPEG 2000",
    "JPEG",
    "white noise",
    "white noise in colour components",
    "impulse noise",
    "multiplicative noise",
    "denoising",
    "brighten",
    "darken",
    "mean shift",
    "jitter",
    "non-eccentricity patch",
    "pixelate",
    "quantization",
    "colour block",
    "high sharpen",
    "contrast change",
)


def read_kadid(folder: Folder) -> Rows:
    """KADID-10k: the column `dmos` rises with quality, whatever its name."""
    table = folder.table("dmos.csv")
    columns = read_table(table, ("dist_img", "ref_img", "dmos"))
    parts = [_coded(name, table, _KADID_NAMES) for name in columns["dist_img"]]
    levels = np.array([level for _, _, level in parts], float)
    return Rows(
        table,
        columns["dist_img"],
        numbers(columns["dmos"], table, "dmos"),
        groups=columns["ref_img"],
        distortions=[kind for _, kind, _ in parts],
        levels=levels,
        rises_with_quality=-levels,
    )


def read_pipal(folder: Folder) -> Rows:
    """PIPAL: a text file for each reference; the type of distortion is in the photo's name."""
    tables = folder.tables("Train_Label/*.txt")
    lines = [words for table in tables for words in read_lines(table, ",")]
    return Rows(
        tables[0].parent,
        [words[0] for words in lines],
        numbers([words[1] for words in lines], tables[0].parent, "score"),
        groups=[words[0].split("_")[0] for words in lines],
        distortions=[f"type {words[0].split('_')[1]}" for words in lines],
    )


def read_agiqa(folder: Folder) -> Rows:
    """AGIQA-3K: a picture's name begins with the generator that made it."""
    table = folder.table("data.csv")
    columns = read_table(table, ("name", "mos_quality"))
    return Rows(
        table,
        columns["name"],
        numbers(columns["mos_quality"], table, "mos_quality"),
        distortions=[name.split("_")[0] for name in columns["name"]],
    )


def read_biq2021(folder: Folder) -> Rows:
    """BIQ2021: one table for each side of the official split."""
    photos: list[str] = []
    scores: list[np.ndarray] = []
    splits: list[str] = []
    for split in ("Train", "Test"):
        table = folder.table(f"{split} (Images and MOS).csv")
        columns = read_table(table, ("Image Name", "MOS"))
        photos += columns["image name"]
        scores.append(numbers(columns["mos"], table, "MOS"))
        splits += [split.lower()] * len(columns["mos"])
    repeated = [name for name, count in collections.Counter(photos).items() if count > 1]
    if repeated:
        raise DatabaseError(f"{table}: {repeated[0]} stands in both tables or twice in one.")
    return Rows(table, photos, np.concatenate(scores), splits=splits)


def _last(name: str) -> str:
    return pathlib.PurePosixPath(name).name


def _coded(name: str, table: pathlib.Path, kinds: Sequence[str]) -> tuple[str, str, int]:
    """Reference, distortion and level of a name such as `I01_07_3.bmp`."""
    try:
        reference, *rest = pathlib.PurePosixPath(name).stem.split("_")
        kind, level = map(int, rest)
    except ValueError:
        kind = 0
    if not 1 <= kind <= len(kinds):
        raise DatabaseError(
            f"{table}: expected names such as I01_07_3: reference, distortion (1 to {len(kinds)}), "
            f"level. Received: {name!r}"
        )
    return reference.upper(), kinds[kind - 1], level
