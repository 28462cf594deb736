"""The table of databases, and the one way to read any of them."""

import dataclasses
import difflib
import functools
from collections.abc import Callable

import numpy as np
from scipy import stats

from reiqa_tf.data.databases import readers
from reiqa_tf.data.databases.folder import Folder
from reiqa_tf.data.databases.tables import DatabaseError
from reiqa_tf.data.scored_photos import ScoredPhotos

_NAMED = 5
"""How many missing photos a message names."""


@dataclasses.dataclass(frozen=True)
class Database:
    """A database of scored photos, as it was published.

    Attributes:
        name: what the command calls it.
        title: what papers call it.
        read: function from a `Folder` to `Rows`.
        count: number of scored photos.
        score_range: `(low, high)` of the scale; None takes the lowest and the highest score.
        limits: `(low, high)` that no score lies outside of; wider than the scale where scores of
            a fitted model reach beyond it.
        lower_is_better: whether scores fall with quality (DMOS). They are mirrored at reading.
        official_split_only: whether papers use the official split once instead of random ones.
        files: what must be in the folder, for people.
        source: where it comes from.
        terms: what its makers say about its use, in a few words.
        paper: who made it.
    """

    name: str
    title: str
    read: Callable
    count: int
    score_range: tuple[float, float] | None
    limits: tuple[float, float]
    files: str
    source: str
    terms: str
    paper: str
    lower_is_better: bool = False
    official_split_only: bool = False


_KONIQ = {
    "count": 10_073,
    "score_range": (1, 100),
    "limits": (1, 100),
    "source": "database.mmsp-kn.de/koniq-10k-database.html",
    "terms": "free for research; photos from YFCC100M, each under its own Creative Commons licence",
    "paper": "Hosu, Lin, Sziranyi, Saupe, IEEE TIP 29, 2020",
}
_LIVE_SIZES = {"jp2k": 227, "jpeg": 233, "wn": 174, "gblur": 174, "fastfading": 174}

DATABASES = (
    Database(
        name="koniq10k",
        title="KonIQ-10k",
        read=functools.partial(readers.read_koniq, size="1024x768"),
        files="koniq10k_scores_and_distributions.csv (or koniq10k_distributions_sets.csv, which "
        "also holds the official split); 1024x768/*.jpg",
        **_KONIQ,
    ),
    Database(
        name="koniq10k_512x384",
        title="KonIQ-10k, 512 x 384",
        read=functools.partial(readers.read_koniq, size="512x384"),
        files="the same tables; 512x384/*.jpg",
        **_KONIQ,
    ),
    Database(
        name="clive",
        title="LIVE Challenge (CLIVE)",
        read=readers.read_clive,
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
        read=readers.read_flive,
        count=39_810,
        score_range=(0, 100),
        limits=(0, 100),
        official_split_only=True,
        files="labels_image.csv, labels<=640_padded.csv and labels>640.csv (the split); the photos "
        "below the folder",
        source="github.com/niu-haoran/FLIVE_Database and github.com/baidut/PaQ-2-PiQ",
        terms="labels free for research; photos from other collections, under their terms",
        paper="Ying, Niu, Gupta, Mahajan, Ghadiyaram, Bovik, CVPR 2020",
    ),
    Database(
        name="spaq",
        title="SPAQ",
        read=readers.read_spaq,
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
        read=functools.partial(readers.read_live, sizes=_LIVE_SIZES),
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
        read=readers.read_csiq,
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
        read=readers.read_tid2013,
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
        read=readers.read_kadid,
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
        read=readers.read_pipal,
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
        read=readers.read_agiqa,
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
        read=readers.read_biq2021,
        count=12_000,
        score_range=(0, 1),
        limits=(0, 1),
        files="Train (Images and MOS).csv, Test (Images and MOS).csv; Images/*.jpg",
        source="github.com/nisarahmedrana/BIQ2021",
        terms="no licence file; for research",
        paper="Ahmed, Asif, Journal of Electronic Imaging 31(5), 2022",
    ),
)
"""One row a database, with the facts as published."""


def database_named(name):
    """Finds a row of `DATABASES`.

    Args:
        name: its name.

    Returns:
        `Database`.

    Raises:
        DatabaseError: if there is none, with the one that was probably meant.
    """
    names = [database.name for database in DATABASES]
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise DatabaseError(
            f"expected one of {', '.join(names)}, or csv. Received: {name!r}.{hint}"
        )
    return DATABASES[names.index(name)]


def read_database(database, folder, partial=False):
    """Reads a database from the folder that it was unpacked into, and checks it.

    Checked are the number of rows, the range and (where the tables hold something to check it by:
    levels, votes, references) the direction of the scores, and that every photo is there.

    Args:
        database: row of `DATABASES`, or its name.
        folder: the folder; tables and photos may lie anywhere below it.
        partial: whether to go on with what is there where rows or photos are missing.

    Returns:
        `ScoredPhotos`, higher is better, with groups, distortions, levels and the official split
        where the database has them. Rows that the official split leaves out have an empty split.

    Raises:
        DatabaseError: if something is missing, by file name, or not as it was published.

    Example:
    ```python
    scored = read_database("kadid10k", "databases/kadid10k")
    train, test = scored.rows(scored.groups != "I01.png"), scored.rows(...)
    ```
    """
    if isinstance(database, str):
        database = database_named(database)
    folder = Folder(folder)
    rows = database.read(folder)
    if len(rows.photos) != database.count and not (partial and len(rows.photos) < database.count):
        raise DatabaseError(
            f"{rows.table}: expected {database.count:,} scored photos of {database.title}. "
            f"Received: {len(rows.photos):,}"
        )
    _check_scores(database, rows)
    scores = rows.scores
    low, high = database.score_range or (float(scores.min()), float(scores.max()))
    paths = [folder.find(name) for name in rows.photos]
    here = [index for index, path in enumerate(paths) if path is not None]
    if len(here) < len(paths) and not partial:
        missing = [name for name, path in zip(rows.photos, paths, strict=True) if path is None]
        named = ", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
        raise DatabaseError(
            f"{folder.path}: {len(missing):,} of {len(paths):,} photos of {database.title} are "
            f"missing: {named}. Expected: {database.files}"
        )
    if not here:
        raise DatabaseError(f"{folder.path}: none of the photos of {database.title} is there.")
    scored = ScoredPhotos(
        paths=[str(path or "") for path in paths],
        scores=low + high - scores if database.lower_is_better else scores,
        score_range=(float(low), float(high)),
        **{
            name: None if column is None else np.asarray(column)
            for name, column in (
                ("groups", rows.groups),
                ("splits", rows.splits),
                ("distortions", rows.distortions),
                ("levels", rows.levels),
            )
        },
    )
    return scored.rows(here)


def _check_scores(database, rows):
    low, high = database.limits
    outside = np.flatnonzero((rows.scores < low) | (rows.scores > high))
    if outside.size:
        raise DatabaseError(
            f"{rows.table}: expected scores from {low:g} to {high:g}. Received: "
            f"{rows.scores[outside[0]]:g} for {rows.photos[outside[0]]} ({outside.size} such rows)"
        )
    evidence = rows.rises_with_quality
    if evidence is None or np.ptp(evidence) == 0 or np.ptp(rows.scores) == 0:
        return
    quality = -rows.scores if database.lower_is_better else rows.scores
    if stats.spearmanr(evidence, quality).statistic <= 0:
        raise DatabaseError(
            f"{rows.table}: expected scores that "
            f"{'fall' if database.lower_is_better else 'rise'} with quality, as {database.title} "
            "was published. Levels or votes in the same files say that these run the other way."
        )
