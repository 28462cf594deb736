"""Compare an artifact, in its runtime, with Keras: differences, ranks, and the time it takes."""

import io
import pathlib

import numpy as np
from PIL import Image

from reiqa_tf.export import contract, parity
from reiqa_tf.export.formats import size_text
from reiqa_tf.export.saved_model_timing import median_time, time_saved_model
from reiqa_tf.image.reading import open_image, read_bytes, read_image
from reiqa_tf.scoring.features import feature_table

THREADS = (1, 2)
REPEATS = 10
"""How often a photo is judged for the median of its time."""


def no_progress(description, total):  # noqa: ARG001
    """Shows nothing; what `progress` arguments below stand for, as `terminal.progress` does."""
    return iter


class Reference:
    """The pictures that artifacts are compared on, and what Keras answers to them.

    Args:
        photos: paths of the real photos that pictures are cut from.
        working_size: that of the scorer.
        scorer: the `ReIQAScorer` that answers; None takes `stored`.
        stored: what `entries` answered when the artifacts were made.
        scored: `reiqa_tf.data.scored_photos.Manifest` of photos that people scored, or None.
        progress: function from a description and a total to a wrapper of iterators.

    Attributes:
        problems: list of the errors of scored photos that could not be read.
    """

    def __init__(
        self, photos, working_size, scorer=None, stored=None, scored=None, progress=no_progress
    ):
        self.photos = photos
        self.working_size = working_size
        self.scorer = scorer
        self.stored = stored or {}
        self.scored = scored
        self.progress = progress
        self.problems = []
        self._pictures, self._answers, self._scores, self._compute = {}, {}, {}, None

    def pictures(self, size):
        """The pictures for artifacts of a size; None for any."""
        if size not in self._pictures:
            self._pictures[size] = parity.cut_pictures(self.photos, self.working_size, size)
        return self._pictures[size]

    def answers(self, size):
        """Keras's scores (features, without a head) of the pictures, or None if unknown."""
        if size not in self._answers:
            self._answers[size] = self._recall(size) if self.scorer is None else self._ask(size)
        return self._answers[size]

    def entries(self):
        """What is stored in a manifest: scores by size, and which pictures they belong to."""
        return {
            size_text(size): {
                "sha256": parity.pictures_digest(self.pictures(size)),
                "scores": [float(score) for score in answers],
            }
            for size, answers in self._answers.items()
            if answers is not None and answers.ndim == 1
        }

    def scores(self, size):
        """Keras's scores of the scored photos at a size, NaN for those that cannot be read."""
        if size not in self._scores:
            self._scores[size] = self._at_working_size() if size is None else self._at(size)
        return self._scores[size]

    def scored_pictures(self, size):
        """The scored photos one by one, as `parity.Picture`; None for those unreadable."""
        readable = np.isfinite(self.scores(None))
        for path, is_readable in zip(self.scored.paths, readable, strict=True):
            if not is_readable:
                yield None
                continue
            contents = read_bytes(path)
            if size is not None:
                yield parity.Picture(b"", parity.fit_to(open_image(contents), size))
                continue
            image = read_image(contents, fit=self.working_size)
            if not contents.startswith((b"\xff\xd8\xff", b"\x89PNG")):
                file = io.BytesIO()
                Image.fromarray(image).save(file, "PNG", compress_level=1)
                contents = file.getvalue()
            yield parity.Picture(contents, image)

    def _ask(self, size):
        compute = self.scorer.features if self.scorer.head is None else self.scorer
        pictures = self.pictures(size)
        shown = self.progress(f"Keras at {size_text(size)}", len(pictures))
        rows = [compute(each.image[np.newaxis], training=False) for each in shown(pictures)]
        return np.concatenate([np.asarray(row) for row in rows])

    def _recall(self, size):
        pictures, entry = self.pictures(size), self.stored.get(size_text(size))
        if not isinstance(entry, dict) or entry.get("sha256") != parity.pictures_digest(pictures):
            return None
        scores = np.array(entry.get("scores"), np.float32)
        return scores if scores.shape == (len(pictures),) else None

    def _at_working_size(self):
        shown = self.progress("Keras on the scored photos", len(self.scored))
        features, problems = feature_table(self.scorer, self.scored.paths, progress=shown)
        self.problems = list(problems.values())
        return np.asarray(self.scorer.head(features))

    def _at(self, size):
        known = self.scores(None)
        self._compute = self._compute or self.scorer.compile_features()
        scores = np.full(len(known), np.nan, np.float32)
        shown = self.progress(f"Keras on the scored photos at {size_text(size)}", len(known))
        both = zip(self.scored_pictures(None), self.scored_pictures(size), strict=True)
        for i, (whole, fitted) in enumerate(shown(both)):
            if whole is not None and np.array_equal(whole.image, fitted.image):
                scores[i] = known[i]
            elif whole is not None:
                scores[i] = self.scorer.head(self._compute(fitted.image[np.newaxis]))[0]
        return scores


def measure(row, path, size, known, reference):
    """Measures an artifact in its runtime.

    Args:
        row: its `Format`.
        path: where it is.
        size: `(height, width)`, or None for any.
        known: the `reiqa_tf.runtimes.contract.Contract` that goes with it.
        reference: the `Reference`.

    Returns:
        dictionary with `difference` (`worst` and `mean` as shares of the score's range, for
        features of the largest one, and `pictures`; None if Keras's answers are unknown), `srcc`
        (see `parity.rank_agreement`; None without scored photos) and `latency` (milliseconds by
        number of threads, of how many pixels and repeats).
    """
    name = known.outputs[0]
    run = row.open(path, None)
    pictures, expected = reference.pictures(size), reference.answers(size)
    shown = reference.progress(f"{pathlib.Path(path).name} on pictures", len(pictures))
    received = np.concatenate([run(picture)[name] for picture in shown(pictures)])
    apart = None
    if expected is not None:
        low, high = known.score_range or (0, np.abs(expected).max())
        apart = {**parity.difference(expected, received, high - low), "pictures": len(pictures)}
    return {
        "difference": apart,
        "srcc": _srcc(run, path, size, name, reference),
        "latency": _latency(row, path, max(pictures, key=lambda each: each.image.size)),
    }


def _srcc(run, path, size, name, reference):
    if reference.scored is None or reference.scorer is None or name != contract.SCORE:
        return None
    expected = reference.scores(size)
    received = np.full(len(expected), np.nan)
    shown = reference.progress(f"{pathlib.Path(path).name} on scored photos", len(expected))
    for i, picture in enumerate(shown(reference.scored_pictures(size))):
        if picture is not None:
            received[i] = run(picture)[name][0]
    readable = np.isfinite(expected)
    return parity.rank_agreement(
        reference.scored.scores[readable], expected[readable], received[readable]
    )


def _latency(row, path, picture):
    times = {}
    for threads in THREADS:
        if row.is_folder:
            (model,) = pathlib.Path(path).glob("*/*/saved_model.pb")
            times[str(threads)] = time_saved_model(model.parent, picture.contents, threads, REPEATS)
        else:
            run = row.open(path, threads)
            times[str(threads)] = median_time(lambda run=run: run(picture), REPEATS)
    return {
        "milliseconds": times,
        "size": list(picture.image.shape[:2]),
        "repeats": REPEATS,
    }
