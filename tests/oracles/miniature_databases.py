"""Databases of a few photos in the layouts in which the real ones are distributed.

Written from the published layouts alone: file names, columns, folders, and which way scores run.
"""

import dataclasses
import functools
import itertools
import pathlib

import h5py
import numpy as np
import openpyxl
import scipy.io
from PIL import Image

from reiqa_tf.data.databases.catalog import Database, database_named


@dataclasses.dataclass
class Miniature:
    """A database of a few photos, and what must be read from it."""

    database: Database
    folder: pathlib.Path
    names: list[str]
    scores: list[float]  # as the head sees them: higher is better
    groups: list[str] | None = None
    distortions: list[str] | None = None
    levels: list[float] | None = None
    splits: list[str] | None = None


def _picture(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    levels = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    Image.fromarray(levels).resize((40, 40)).save(path)


def _csv(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [",".join(map(str, row)) for row in [header, *rows]]
    path.write_text("\n".join(lines) + "\n")


def _cells(texts):
    cells = np.empty((len(texts), 1), object)
    cells[:, 0] = texts
    return cells


def _small(name, count, **changes):
    return dataclasses.replace(database_named(name), count=count, **changes)


def _koniq(folder, name):
    size = {"koniq10k": "1024x768", "koniq10k_512x384": "512x384"}[name]
    header = ["image_name", "c1", "c2", "c3", "c4", "c5", "c_total", "MOS", "SD", "MOS_zscore"]
    names = [f"{number}.jpg" for number in (826373, 10004473376, 2096424103, 3146355)]
    votes = [(10, 40, 40, 10, 0), (0, 10, 30, 50, 10), (0, 0, 20, 60, 20), (60, 30, 10, 0, 0)]
    scaled = [43.7, 65.2, 78.25, 12.5]
    rows = [
        [n, *v, sum(v), np.dot(v, range(1, 6)) / sum(v), 0.6, z]
        for n, v, z in zip(names, votes, scaled, strict=True)
    ]
    _csv(folder / "koniq10k_scores_and_distributions.csv", header, rows)
    sets = ["training", "validation", "test", "training"]
    rows = [[*row[:7], z, 15, s] for row, z, s in zip(rows, scaled, sets, strict=True)]
    _csv(folder / "koniq10k_distributions_sets.csv", [*header[:7], "MOS", "SD", "set"], rows)
    for number, photo in enumerate(names):
        _picture(folder / size / photo, number)
    splits = ["train", "val", "test", "train"]
    return Miniature(_small(name, 4), folder, [f"{size}/{n}" for n in names], scaled, splits=splits)


def _clive(folder):
    names = [f"t{i}.bmp" for i in range(1, 8)] + ["3.bmp", "4.bmp", "5.JPG"]
    scores = [*np.linspace(20, 80, 7), 63.96, 25.3, 48.4]
    (folder / "Data").mkdir(parents=True)
    variables = {"AllImages_release": _cells(names), "AllMOS_release": np.array([scores])}
    for name, value in variables.items():
        scipy.io.savemat(folder / "Data" / f"{name}.mat", {name: value})
    for number, name in enumerate(names):
        below = "Images/trainingImages" if name.startswith("t") else "Images"
        _picture(folder / below / name, number)
    return Miniature(_small("clive", 3), folder, names[7:], scores[7:])


def _flive(folder):
    names = ["voc_emotic_ava/AVA__149.jpg", "EMOTIC/a.jpg", "VOC2012/b.jpg", "blur_dataset/c.jpg"]
    scores = [77.1, 50.25, 70.0, 31.5]
    _csv(folder / "labels_image.csv", ["name", "mos"], zip(names, scores, strict=True))
    _csv(folder / "labels>640.csv", ["name_image", "mos_image"], [["blur_dataset/c.jpg", 31.5]])
    rows = [["AVA__149.jpg", False], ["a.jpg", True]]  # b.jpg stands in neither
    _csv(folder / "labels<=640_padded.csv", ["name_image", "is_valid"], rows)
    for number, name in enumerate(names):
        _picture(folder / "database" / name, number)
    splits = ["train", "val", "", "test"]
    return Miniature(_small("flive", 4), folder, names, scores, splits=splits)


def _spaq(folder):
    header = ["Image name", "MOS", "Brightness", "Colorfulness", "Contrast", "Noisiness"]
    rows = [["00001.jpg", 23.33, 44, 37, 25, 25], ["00002.jpg", 64.5, 63, 63, 57, 62]]
    rows.append(["00003.jpg", 81, 70, 72, 71, 80])
    book = openpyxl.Workbook()
    for row in [[*header, "Sharpness"], *([*row, row[1] - 3] for row in rows)]:
        book.active.append(row)
    (folder / "Annotations").mkdir(parents=True)
    book.save(folder / "Annotations" / "MOS and Image attribute scores.xlsx")
    for number, row in enumerate(rows):
        _picture(folder / "TestImage" / row[0], number)
    names, scores = [row[0] for row in rows], [row[1] for row in rows]
    return Miniature(_small("spaq", 3), folder, names, scores)


def _live(folder):
    sizes = {"jp2k": 3, "jpeg": 2, "wn": 2, "gblur": 2, "fastfading": 2}
    photos = [f"{name}/img{i + 1}.bmp" for name, size in sizes.items() for i in range(size)]
    references = [("bikes.bmp", "parrots.bmp")[i % 2] for i in range(len(photos))]
    copies = np.array([0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0])
    dmos = np.array([45.5, 0.1, 61.25, 30, 70, 25.5, -0.2, 104.0, 20, 33, -2.5])  # realigned
    folder.mkdir(parents=True)
    scipy.io.savemat(
        folder / "dmos_realigned.mat",
        {"dmos_new": dmos[None], "dmos_std": dmos[None] * 0, "orgs": copies[None]},
    )
    scipy.io.savemat(folder / "refnames_all.mat", {"refnames_all": _cells(references).T})
    for number, name in enumerate(photos):
        _picture(folder / name, number)
    for name in set(references):
        _picture(folder / "refimgs" / name)
    kept = np.flatnonzero(copies == 0)
    return Miniature(
        _small("live", len(kept), options={"sizes": sizes}),
        folder,
        [photos[i] for i in kept],
        [100 - dmos[i] for i in kept],
        groups=[references[i] for i in kept],
        distortions=[photos[i].split("/")[0] for i in kept],
    )


def _csiq(folder):
    kinds = {"noise": "awgn/{}.AWGN.{}.png", "jpeg 2000": "jpeg2000/{}.jpeg2000.{}.png"}
    rows, names = [], []
    for (image, (kind, pattern)), level in itertools.product(
        itertools.product((1600, "boston"), kinds.items()), (1, 3, 5)
    ):
        rows.append([image, 1, kind, level, 0.05, 0.18 * level])
        names.append(f"dst_imgs/{pattern.format(image, level)}")
    book = openpyxl.Workbook()
    book.active.title = "all_by_distortion"
    sheet = book.create_sheet("all_by_image")
    sheet.append([None, None, None, "CSIQ image database"])
    for _ in range(2):
        sheet.append([None])
    for row in [["image", "dst_idx", "dst_type", "dst_lev", "dmos_std", "dmos"], *rows]:
        sheet.append([None, None, None, *row])
    folder.mkdir(parents=True)
    book.save(folder / "csiq.DMOS.xlsx")
    for number, name in enumerate(names):
        _picture(folder / name, number)
    return Miniature(
        _small("csiq", len(rows)),
        folder,
        names,
        [1 - row[5] for row in rows],
        groups=[str(row[0]) for row in rows],
        distortions=[row[2] for row in rows],
        levels=[row[3] for row in rows],
    )


def _tid2013(folder):
    # The table writes I, some of the files i, and endings in both ways: as on the real disk.
    coded = list(itertools.product((1, 25), (1, 17, 24), (1, 2, 5)))
    scores = [6.5 - level + kind / 100 for _, kind, level in coded]
    table = [f"I{i:02}_{k:02}_{level}.bmp" for i, k, level in coded]
    folder.mkdir(parents=True)
    lines = [f"{score:.5f} {name}\r\n" for score, name in zip(scores, table, strict=True)]
    (folder / "mos_with_names.txt").write_text("".join(lines))
    names = [f"distorted_images/{n}" if n[1] == "0" else f"distorted_images/i{n[1:-3]}BMP"
             for n in table]  # fmt: skip
    for number, name in enumerate(names):
        _picture(folder / name, number)
    kinds = {1: "additive Gaussian noise", 17: "contrast change", 24: "sparse sampling"}
    return Miniature(
        _small("tid2013", len(names)),
        folder,
        names,
        scores,
        groups=[f"I{i:02}" for i, _, _ in coded],
        distortions=[kinds[kind] for _, kind, _ in coded],
        levels=[level for _, _, level in coded],
    )


def _kadid10k(folder):
    coded = list(itertools.product((1, 2, 81), (1, 25), (1, 3, 5)))
    names = [f"I{i:02}_{k:02}_{level:02}.png" for i, k, level in coded]
    scores = [4.8 - 0.7 * level for _, _, level in coded]
    rows = [[n, f"{n[:3]}.png", s, 0.4] for n, s in zip(names, scores, strict=True)]
    _csv(folder / "dmos.csv", ["dist_img", "ref_img", "dmos", "var"], rows)
    for number, name in enumerate(names):
        _picture(folder / "images" / name, number)
    return Miniature(
        _small("kadid10k", len(names)),
        folder,
        [f"images/{name}" for name in names],
        scores,
        groups=[f"{name[:3]}.png" for name in names],
        distortions=[{1: "Gaussian blur", 25: "contrast change"}[kind] for _, kind, _ in coded],
        levels=[level for _, _, level in coded],
    )


def _pipal(folder):
    names, scores = [], []
    (folder / "Train_Label").mkdir(parents=True)
    for reference, first in (("A0001", 1520.0648), ("A0184", 1290.5)):
        here = [f"{reference}_{kind:02}_{number:02}.bmp" for kind in (0, 6) for number in (0, 11)]
        values = [first - 40 * number for number in range(4)]
        lines = [f"{name},{value}\n" for name, value in zip(here, values, strict=True)]
        (folder / "Train_Label" / f"{reference}.txt").write_text("".join(lines))
        names += [f"Distortion_{1 if reference == 'A0001' else 4}/{name}" for name in here]
        scores += values
    for number, name in enumerate(names):
        _picture(folder / name, number)
    stems = [pathlib.Path(name).stem for name in names]
    return Miniature(
        _small("pipal", len(names)),
        folder,
        names,
        scores,
        groups=[stem.split("_")[0] for stem in stems],
        distortions=[f"type {stem.split('_')[1]}" for stem in stems],
    )


def _agiqa3k(folder):
    header = ["name", "prompt", "adj1", "adj2", "style", "mos_quality", "std_quality"]
    rows = [
        ["AttnGAN_normal_000.jpg", '"a cat, sleeping"', "", "", "", 0.83, 0.4],
        ["DALLE2_001.jpg", "a red bus", "bright", "", "baroque style", 3.21, 0.3],
        ["sd1.5_highcorr_002.jpg", "a red bus", "", "", "", 2.5, 0.3],
    ]
    _csv(folder / "data.csv", [*header, "mos_align", "std_align"], [[*r, 2, 0.5] for r in rows])
    for number, row in enumerate(rows):
        _picture(folder / "images" / row[0], number)
    return Miniature(
        _small("agiqa3k", 3),
        folder,
        [f"images/{row[0]}" for row in rows],
        [row[5] for row in rows],
        distortions=["AttnGAN", "DALLE2", "sd1.5"],
    )


def _biq2021(folder):
    tables = {
        "Train": [["ss03 (3753).jpg", 0.8471], ["ss01 (1726).jpg", 0.2874]],
        "Test": [["ss02 (167).jpg", 0.3522]],
    }
    for side, rows in tables.items():
        lines = ["Image Name,MOS,,", *(f"{name},{score:.4f},," for name, score in rows)]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{side} (Images and MOS).csv").write_text("\n".join(lines))
    rows = [row for side in tables.values() for row in side]
    for number, row in enumerate(rows):
        _picture(folder / "Images" / row[0], number)
    return Miniature(
        _small("biq2021", 3),
        folder,
        [f"Images/{row[0]}" for row in rows],
        [row[1] for row in rows],
        splits=["train", "train", "test"],
    )


MINIATURES = {
    "koniq10k": functools.partial(_koniq, name="koniq10k"),
    "koniq10k_512x384": functools.partial(_koniq, name="koniq10k_512x384"),
    "clive": _clive,
    "flive": _flive,
    "spaq": _spaq,
    "live": _live,
    "csiq": _csiq,
    "tid2013": _tid2013,
    "kadid10k": _kadid10k,
    "pipal": _pipal,
    "agiqa3k": _agiqa3k,
    "biq2021": _biq2021,
}
"""Functions from a folder that does not exist yet to a `Miniature` in it."""


def write_version_73(path, name, values):
    """A MATLAB file of version 7.3, which is HDF5, as MATLAB writes it."""
    with h5py.File(path, "w", userblock_size=512) as file:
        if isinstance(values[0], str):
            cells = file.create_dataset(name, (1, len(values)), h5py.ref_dtype)
            for number, text in enumerate(values):
                codes = np.array([list(map(ord, text))], np.uint16).T
                cells[0, number] = file.create_dataset(f"#refs#/{number}", data=codes).ref
        else:
            file.create_dataset(name, data=np.array([values], float).T)
