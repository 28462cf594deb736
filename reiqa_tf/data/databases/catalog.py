"""The table of databases: one row each, with the facts as published.

Nothing heavy is imported here, so that help texts can show the table; `loading` reads databases.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any

from reiqa_tf.errors import ReiqaError


class DatabaseError(ReiqaError):
    """A database that is not as it was published. The message names the file and the way out."""


@dataclasses.dataclass(frozen=True)
class Database:
    """A database of scored photos, as it was published.

    Attributes:
        name: what the command calls it.
        title: what papers call it.
        reader: name of the function in `readers` that reads its tables. (A name, because the
            function needs NumPy and more.)
        count: number of scored photos.
        score_range: `(low, high)` of the scale; None takes the lowest and the highest score.
        limits: `(low, high)` that no score lies outside of; wider than the scale where scores of
            a fitted model reach beyond it.
        files: what must be in the folder, for people.
        source: where it comes from.
        terms: what its makers say about its use, in a few words.
        paper: who made it.
        options: further arguments of the reader.
        lower_is_better: whether scores fall with quality (DMOS). They are mirrored at reading.
        official_split_only: whether papers use the official split once instead of random ones.
    """

    name: str
    title: str
    reader: str
    count: int
    score_range: tuple[float, float] | None
    limits: tuple[float, float]
    files: str
    source: str
    terms: str
    paper: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    lower_is_better: bool = False
    official_split_only: bool = False


_LIVE_SIZES = {"jp2k": 227, "jpeg": 233, "wn": 174, "gblur": 174, "fastfading": 174}

_KONIQ = Database(
    name="koniq10k",
    title="KonIQ-10k",
    reader="read_koniq",
    options={"size": "1024x768"},
    count=10_073,
    score_range=(1, 100),
    limits=(1, 100),
    files="koniq10k_scores_and_distributions.csv (or koniq10k_distributions_sets.csv, which "
    "also holds the official split); 1024x768/*.jpg",
    source="database.mmsp-kn.de/koniq-10k-database.html",
    terms="free for research; photos from YFCC100M, each under its own Creative Commons licence",
    paper="Hosu, Lin, Sziranyi, Saupe, IEEE TIP 29, 2020",
)

DATABASES = (
    _KONIQ,
    dataclasses.replace(
        _KONIQ,
        name="koniq10k_512x384",
        title="KonIQ-10k, 512 x 384",
        options={"size": "512x384"},
        files="the same tables; 512x384/*.jpg",
    ),
    Database(
        name="clive",
        title="LIVE Challenge (CLIVE)",
        reader="read_clive",
        count=1_162,
        score_range=(0, 100),
        limits=(0, 100),
        files="Data/AllImages_release.mat, Data/AllMOS_release.mat; Images/*",
        source="live.ece.utexas.edu/research/ChallengeDB",
        terms="free for research with acknowledgement; access on request",
        paper="Ghadiyaram, Bovik, IEEE TIP 25(1), 2016",
    ),
    Database(
        name="flive",
        title="FLIVE (LIVE-FB)",
        reader="read_flive",
        count=39_810,
        score_range=(0, 100),
        limits=(0, 100),
        official_split_only=True,
        files="labels_image.csv, labels=640_padded.csv and labels640.csv (the split; also named "
        "labels<=640_padded.csv and labels>640.csv); the photos below the folder",
        source="github.com/niu-haoran/FLIVE_Database and github.com/baidut/PaQ-2-PiQ",
        terms="labels free for research; photos from other collections, under their terms",
        paper="Ying, Niu, Gupta, Mahajan, Ghadiyaram, Bovik, CVPR 2020",
    ),
    Database(
        name="spaq",
        title="SPAQ",
        reader="read_spaq",
        count=11_125,
        score_range=(0, 100),
        limits=(0, 100),
        files="Annotations/MOS and Image attribute scores.xlsx; TestImage/*.jpg",
        source="github.com/h4nwei/SPAQ",
        terms="for research",
        paper="Fang, Zhu, Zeng, Ma, Wang, CVPR 2020",
    ),
    Database(
        name="live",
        title="LIVE, release 2",
        reader="read_live",
        options={"sizes": _LIVE_SIZES},
        count=779,
        score_range=(0, 100),
        limits=(-20, 120),
        lower_is_better=True,
        files="dmos_realigned.mat, refnames_all.mat; jp2k, jpeg, wn, gblur, fastfading, each with "
        "img1.bmp and so on",
        source="live.ece.utexas.edu/research/quality/subjective.htm",
        terms="free to use, copy and modify with the copyright notice and acknowledgement; access "
        "on request",
        paper="Sheikh, Sabir, Bovik, IEEE TIP 15(11), 2006",
    ),
    Database(
        name="csiq",
        title="CSIQ",
        reader="read_csiq",
        count=866,
        score_range=(0, 1),
        limits=(0, 1),
        lower_is_better=True,
        files="csiq.DMOS.xlsx; dst_imgs/*/*.png",
        source="s2.smu.edu/~eclarson/csiq.html",
        terms="free for research",
        paper="Larson, Chandler, Journal of Electronic Imaging 19(1), 2010",
    ),
    Database(
        name="tid2013",
        title="TID2013",
        reader="read_tid2013",
        count=3_000,
        score_range=(0, 9),
        limits=(0, 9),
        files="mos_with_names.txt; distorted_images/*.bmp",
        source="www.ponomarenko.info/tid2013.htm",
        terms="free for education and research with the copyright notice",
        paper="Ponomarenko et al., Signal Processing: Image Communication 30, 2015",
    ),
    Database(
        name="kadid10k",
        title="KADID-10k",
        reader="read_kadid",
        count=10_125,
        score_range=(1, 5),
        limits=(1, 5),
        files="dmos.csv; images/*.png",
        source="database.mmsp-kn.de/kadid-10k-database.html",
        terms="free for research",
        paper="Lin, Hosu, Saupe, QoMEX 2019",
    ),
    Database(
        name="pipal",
        title="PIPAL, training part",
        reader="read_pipal",
        count=23_200,
        score_range=None,
        limits=(0, 3_000),  # ratings in the manner of Elo around 1,500, without a fixed scale
        files="Train_Label/*.txt; Distortion_1 to Distortion_4, or any folder with the pictures",
        source="www.jasongt.com/projectpages/pipal.html",
        terms="for research",
        paper="Gu, Cai, Chen, Ye, Ren, Dong, ECCV 2020",
    ),
    Database(
        name="agiqa3k",
        title="AGIQA-3K",
        reader="read_agiqa",
        count=2_982,
        score_range=(0, 5),
        limits=(0, 5),
        files="data.csv; the pictures below the folder",
        source="github.com/lcysyzxdxc/AGIQA-3k-Database",
        terms="for research; generated pictures",
        paper="Li, Zhang, Wu et al., IEEE TCSVT 34(8), 2024",
    ),
    Database(
        name="biq2021",
        title="BIQ2021",
        reader="read_biq2021",
        count=12_000,
        score_range=(0, 1),
        limits=(0, 1),
        files="Train (Images and MOS).csv, Test (Images and MOS).csv; Images/*.jpg",
        source="github.com/nisarahmedrana/BIQ2021",
        terms="no licence file; for research",
        paper="Ahmed, Asif, Journal of Electronic Imaging 31(5), 2022",
    ),
)
"""All databases that can be read."""

NAMES = tuple(database.name for database in DATABASES)
"""What the command calls them."""


def database_named(name: str) -> Database:
    """Finds a row of `DATABASES`.

    Args:
        name: its name.

    Returns:
        `Database`.

    Raises:
        DatabaseError: if there is none, with the one that was probably meant.
    """
    if name not in NAMES:
        close = difflib.get_close_matches(name, NAMES, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise DatabaseError(
            f"expected one of {', '.join(NAMES)}, or csv. Received: {name!r}.{hint}"
        )
    return DATABASES[NAMES.index(name)]
