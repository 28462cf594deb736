"""An album: many scored photos, in order, with near-duplicates and bursts side by side."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, cast

import numpy as np
from PIL import Image

from reiqa_tf.albums.thumbnails import Thumbnail, make_thumbnail, thumbnail_side
from reiqa_tf.data.near_duplicates import group_alike, perceptual_hash
from reiqa_tf.data.photos import left_out_line, search_photos
from reiqa_tf.errors import ReiqaError
from reiqa_tf.image.capture_time import capture_time
from reiqa_tf.image.reading import MAX_PIXELS, photo_name, read_bytes, read_image
from reiqa_tf.presets import DEFAULT
from reiqa_tf.progress import Progress, silent
from reiqa_tf.runtimes.opening import open_scorer
from reiqa_tf.scoring.score import Score
from reiqa_tf.scoring.scorer import PhotoSource, Scorer
from reiqa_tf.typing import PathLike

if TYPE_CHECKING:
    from reiqa_tf.explanation.diagnosis import Diagnosis
    from reiqa_tf.explanation.explainer import Explainer

Order: TypeAlias = Literal["best", "worst", "name"]
"""The best photo first, the worst first, or by name."""


@dataclasses.dataclass(frozen=True, eq=False)
class Why:
    """What is kept of an `Explanation`.

    Attributes:
        diagnosis: what is wrong with the photo.
        map: points of the score that each place adds, float32 `(32, 32)`.
    """

    diagnosis: Diagnosis
    map: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class AlbumPhoto:
    """A photo that has a score.

    Attributes:
        name: its path as it was given; another name of what has none.
        score: its `Score`.
        path: of its file; None where there is none, as on standard input.
        taken: when it was taken, by the camera's clock; None if its file does not say.
        look: its perceptual hash, 64 bits.
        thumbnail: a small copy, or None if none was asked for.
        features: float32 array `(F,)`, or None if they were not asked for.
        why: what is wrong with it and where, or None if that was not asked for.
    """

    name: str
    score: Score
    path: str | None
    taken: datetime.datetime | None
    look: np.uint64
    thumbnail: Thumbnail | None = None
    features: np.ndarray | None = None
    why: Why | None = None


@dataclasses.dataclass(frozen=True)
class AlbumAbout:
    """How the photos of an album were scored.

    Attributes:
        preset: as it was asked for.
        runtime: what computed the scores: `keras`, `onnx` or `tflite`.
        score_range: `(low, high)`, the scale.
        higher_is_better: True.
        coverage: share of held-out photos whose score lay within the interval.
        working_size: side in pixels of the square that larger photos were shrunk to; None if they
            were scored as they are.
    """

    preset: str
    runtime: str
    score_range: tuple[float, float]
    higher_is_better: bool
    coverage: float
    working_size: int | None

    @classmethod
    def of(
        cls, scorer: Scorer | Explainer, preset: PathLike, native_size: bool = False
    ) -> AlbumAbout:
        """What a scorer says of itself.

        Args:
            scorer: with a head.
            preset: that it was opened from.
            native_size: whether it takes photos as they are.

        Returns:
            `AlbumAbout`.

        Raises:
            MissingHeadError: if the scorer has no head.
        """
        return cls(
            preset=os.fspath(preset),
            runtime=scorer.runtime,
            score_range=scorer.score_range,
            higher_is_better=scorer.higher_is_better,
            coverage=scorer.coverage,
            working_size=None if native_size else scorer.working_size,
        )

    @property
    def decimals(self) -> int:
        """Digits behind the point with which a score is shown: as many as tell photos apart."""
        low, high = self.score_range
        return max(0, 3 - int(np.floor(np.log10(high - low))))


@dataclasses.dataclass(frozen=True)
class Group:
    """Near-duplicates or a burst.

    Attributes:
        photos: two or more, the best first.
    """

    photos: tuple[AlbumPhoto, ...]

    @property
    def best(self) -> AlbumPhoto:
        """The photo with the highest score."""
        return self.photos[0]


class Album:
    """Scored photos. `score_album` makes one.

    Args:
        about: how the photos were scored.
        photos: those that have a score, in the order in which they were given.
        problems: why others have none; each message begins with the name of a photo.
        left_out: what searches of folders left out, in a line; empty if nothing.

    Example:
    ```python
    import reiqa_tf

    album = reiqa_tf.score_album("holiday", "content_lite0_biq2021")
    for photo in album.sorted("best"):
        print(photo.name, photo.score)
    album.save_page("holiday.html")
    ```
    """

    def __init__(
        self,
        about: AlbumAbout,
        photos: Sequence[AlbumPhoto] = (),
        problems: Sequence[ReiqaError] = (),
        left_out: str = "",
    ) -> None:
        self.about = about
        self.photos = tuple(photos)
        self.problems = tuple(problems)
        self.left_out = left_out

    @classmethod
    def of_entries(
        cls,
        about: AlbumAbout,
        entries: Mapping[int, AlbumPhoto | ReiqaError],
        problems: Sequence[ReiqaError] = (),
        left_out: str = "",
    ) -> Album:
        """Makes an album of what `score_for_album` found.

        Args:
            about: how the photos were scored.
            entries: from places in the list to photos and problems.
            problems: further ones, of what could not even be found.
            left_out: as in `Album`.

        Returns:
            `Album`, with the photos in the order of the list.
        """
        in_order = [entries[index] for index in sorted(entries)]
        return cls(
            about,
            [entry for entry in in_order if isinstance(entry, AlbumPhoto)],
            [*problems, *(entry for entry in in_order if not isinstance(entry, AlbumPhoto))],
            left_out,
        )

    @functools.cached_property
    def groups(self) -> tuple[Group, ...]:
        """Near-duplicates and bursts; see `reiqa_tf.data.near_duplicates.group_alike`."""
        looks = np.array([photo.look for photo in self.photos], np.uint64)
        taken = [photo.taken for photo in self.photos]
        return tuple(
            Group(tuple(sorted((self.photos[row] for row in rows), key=_best_first)))
            for rows in group_alike(looks, taken)
        )

    @functools.cached_property
    def places(self) -> dict[AlbumPhoto, tuple[int, int]]:
        """Number of a photo's group and its place within, from 0; none of photos on their own."""
        return {
            photo: (number, place)
            for number, group in enumerate(self.groups)
            for place, photo in enumerate(group.photos)
        }

    def sorted(self, order: Order, photos: Sequence[AlbumPhoto] | None = None) -> list[AlbumPhoto]:
        """Puts photos in order.

        Args:
            order: `best` or `worst` first, or by `name`. Photos of one score stay in their order.
            photos: some of the album's; all of them, if None.

        Returns:
            the photos in that order.

        Raises:
            ValueError: if there is no such order.
        """
        if order not in ORDERS:
            raise ValueError(f"order: expected one of {', '.join(ORDERS)}. Received: {order!r}")
        return sorted(self.photos if photos is None else photos, key=ORDERS[order])

    def best_of_groups(self) -> list[AlbumPhoto]:
        """The best photo of each group of near-duplicates or burst, and all photos of none.

        Returns:
            photos in the album's order.
        """
        return [photo for photo in self.photos if self.places.get(photo, (0, 0))[1] == 0]

    def below(self, limit: float, photos: Sequence[AlbumPhoto] | None = None) -> list[AlbumPhoto]:
        """The photos with a lower score than a limit.

        Args:
            limit: a score.
            photos: some of the album's; all of them, if None.

        Returns:
            photos in their order.
        """
        return [
            photo
            for photo in (self.photos if photos is None else photos)
            if float(photo.score) < limit
        ]

    def save_table(
        self,
        path: PathLike,
        photos: Sequence[AlbumPhoto] | None = None,
        *,
        overwrite: bool = False,
    ) -> None:
        """Writes names and scores to a file.

        Args:
            path: of the file; its ending says which kind it is: `.csv`, `.json` or `.jsonl`.
            photos: some of the album's, in any order; all of them, if None.
            overwrite: whether it may replace a file.

        Raises:
            ValueError: if the ending is another one.
            OutputError: if the file exists, or cannot be written.

        Example:
        ```python
        import reiqa_tf

        album = reiqa_tf.score_album("holiday", "content_lite0_biq2021")
        album.save_table("best.csv", album.sorted("best")[:2])
        ```
        """
        from reiqa_tf.albums.tables import save_table

        save_table(self, path, photos, overwrite=overwrite)

    def save_page(self, path: PathLike, *, title: str = "", overwrite: bool = False) -> None:
        """Writes a page to look at: one HTML file that needs no other and asks nobody for anything.

        Args:
            path: of the file, which ends with `.html`.
            title: what the photos are called; nothing, if empty.
            overwrite: whether it may replace a file.

        Raises:
            OutputError: if the file exists, or cannot be written.
        """
        from reiqa_tf.albums.page import save_page

        save_page(self, path, title=title, overwrite=overwrite)

    def save_sidecars(
        self, photos: Sequence[AlbumPhoto] | None = None, *, overwrite: bool = False
    ) -> list[ReiqaError]:
        """Writes star ratings to XMP sidecars, `photo.jpg.xmp` beside `photo.jpg`.

        Args:
            photos: some of the album's; all of them, if None.
            overwrite: whether ratings that are there already, and differ, may be replaced.

        Returns:
            why sidecars were left as they are. The others are written.
        """
        from reiqa_tf.albums.sidecars import SidecarError, save_rating

        problems: list[ReiqaError] = []
        for photo in self.photos if photos is None else photos:
            try:
                if photo.path is None:
                    raise SidecarError(f"{photo.name}: no file that a sidecar could lie beside.")
                save_rating(photo.path, photo.score.word, overwrite=overwrite)
            except ReiqaError as problem:
                problems.append(problem)
        return problems


def _best_first(photo: AlbumPhoto) -> float:
    return -float(photo.score)


ORDERS: dict[Order, Callable[[AlbumPhoto], Any]] = {
    "best": _best_first,
    "worst": lambda photo: float(photo.score),
    "name": lambda photo: photo.name,
}
"""Names of the orders, and what photos are sorted by."""


def score_album(
    photos: PathLike | Sequence[PhotoSource],
    preset: PathLike = DEFAULT,
    runtime: str = "auto",
    progress: Progress = silent,
    *,
    thumbnails: bool = True,
    why: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> Album:
    """Scores photos and puts them into an album.

    Args:
        photos: a folder or a pattern, as in `search_photos`, or a list of photos as `read_image`
            takes them.
        preset: a folder, or the name of a preset that the package ships.
        runtime: as in `open_scorer`.
        progress: shows how far the work is.
        thumbnails: whether small copies are kept, which a page needs: 7 to 16 KB a photo, less the
            more photos there are.
        why: whether scores are explained: what is wrong with each photo, and where.
        max_pixels: most pixels that a photo's file may have; see `read_image`.

    Returns:
        `Album`; photos that cannot be read are among its problems.

    Raises:
        ImageError: if the folder or pattern has no photos.
        MissingHeadError: if the preset has no head.
        ReiqaError: as in `open_scorer`.

    Example:
    ```python
    import reiqa_tf

    album = reiqa_tf.score_album("holiday", "content_lite0_biq2021")
    print([photo.name for photo in album.best_of_groups()])
    ```
    """
    left_out = ""
    if isinstance(photos, (str, os.PathLike)):
        found = search_photos(photos)
        left_out = left_out_line([found])
        photos = found.photos
    scorer = _open_explainer(preset, runtime) if why else open_scorer(preset, runtime)
    side = thumbnail_side(len(photos)) if thumbnails else None
    entries = score_for_album(scorer, photos, progress, thumbnail_side=side, max_pixels=max_pixels)
    return Album.of_entries(AlbumAbout.of(scorer, preset), dict(entries), left_out=left_out)


def _open_explainer(preset: PathLike, runtime: str) -> Explainer:
    from reiqa_tf.explanation.explainer import open_explainer

    return open_explainer(preset, runtime)


def score_for_album(
    scorer: Scorer | Explainer,
    photos: Sequence[PhotoSource],
    progress: Progress = silent,
    *,
    names: Sequence[str] | None = None,
    native_size: bool = False,
    with_features: bool = False,
    thumbnail_side: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Iterator[tuple[int, AlbumPhoto | ReiqaError]]:
    """Scores photos one after the other; for those who want what there is after an interruption.

    Each file is read and decoded once: thumbnail, hash and time are taken while the photo is read
    to be scored, in the threads that read.

    Args:
        scorer: with a head; or an `Explainer`, for photos with `AlbumPhoto.why`.
        photos: as `read_image` takes them.
        progress: shows how far the work is.
        names: what to call the photos; their paths, if None.
        native_size: whether photos are scored as they are. For `ReIQAScorer` and `OnnxScorer`.
        with_features: whether features are kept. For `ReIQAScorer` and `OnnxScorer`.
        thumbnail_side: side of the square in pixels that thumbnails fit into; none, if None.
        max_pixels: most pixels that a photo's file may have; see `read_image`.

    Yields:
        pairs of a photo's place in the list and the photo, or why it could not be scored, in the
        order in which they are finished.

    Raises:
        MissingHeadError: if the scorer has no head.
    """
    watched = _Watched(
        photos,
        [photo_name(photo) for photo in photos] if names is None else names,
        None if native_size else scorer.working_size,
        thumbnail_side,
        max_pixels,
    )
    if not hasattr(scorer, "score_many"):
        yield from _explained(scorer, watched, progress, max_pixels)
        return
    scorer = cast(Scorer, scorer)
    options: dict[str, Any] = {"max_pixels": max_pixels}
    if native_size:
        options["native_size"] = True
    if with_features and scorer.runtime != "keras":  # Keras has them anyway
        options["with_features"] = True
    for outcome in scorer.score_many(watched, progress, **options):
        seen = watched.seen.pop(outcome.index, None)
        if outcome.score is None or seen is None:
            yield outcome.index, cast(ReiqaError, outcome.problem)
        else:
            features = outcome.features if with_features else None
            name = watched.names[outcome.index]
            yield outcome.index, AlbumPhoto(name, outcome.score, *seen, features)


def _explained(
    explainer: Explainer, watched: _Watched, progress: Progress, max_pixels: int
) -> Iterator[tuple[int, AlbumPhoto | ReiqaError]]:
    for found in explainer.explain_many(watched, progress, max_pixels=max_pixels):
        seen = watched.seen.pop(found.index, None)
        explanation = found.explanation
        if explanation is None or seen is None:
            yield found.index, cast(ReiqaError, found.problem)
        else:
            why = Why(explanation.diagnosis, explanation.map())
            name = watched.names[found.index]
            yield found.index, AlbumPhoto(name, explanation.score, *seen, why=why)


class _Seen(NamedTuple):
    """What is kept of a photo while it is read; as in `AlbumPhoto`."""

    path: str | None
    taken: datetime.datetime | None
    look: np.uint64
    thumbnail: Thumbnail | None


class _Watched(Sequence[Image.Image]):
    """Photos that are read when they are asked for; what an album wants to know of them is kept.

    Args:
        photos: as `read_image` takes them.
        names: what error messages call them.
        fit: as in `read_image`.
        thumbnail_side: as in `score_for_album`.
        max_pixels: as in `read_image`.
    """

    def __init__(
        self,
        photos: Sequence[PhotoSource],
        names: Sequence[str],
        fit: int | None,
        thumbnail_side: int | None,
        max_pixels: int,
    ) -> None:
        self.photos = photos
        self.names = names
        self.fit = fit
        self.thumbnail_side = thumbnail_side
        self.max_pixels = max_pixels
        self.seen: dict[int, _Seen] = {}

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> Image.Image:  # type: ignore[override]  # never a slice
        photo, name = self.photos[index], self.names[index]
        path = os.fspath(photo) if isinstance(photo, (str, os.PathLike)) else None
        if path is not None:
            photo = read_bytes(path)
        picture = Image.fromarray(read_image(photo, self.fit, name, self.max_pixels))
        picture.filename = name  # type: ignore[attr-defined]  # as PIL.Image.open says it
        side = self.thumbnail_side
        self.seen[index] = _Seen(
            path=path,
            taken=capture_time(photo) if isinstance(photo, bytes) else None,
            look=perceptual_hash(picture),
            thumbnail=None if side is None else make_thumbnail(picture, side),
        )
        return picture
