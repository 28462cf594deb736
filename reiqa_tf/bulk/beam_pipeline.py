"""Scores of millions of photos: an Apache Beam pipeline, from photos or packs to Parquet."""

import dataclasses
import os
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, cast

import apache_beam as beam
from apache_beam.io import fileio
from apache_beam.io.filesystems import FileSystems
from apache_beam.io.parquetio import WriteToParquet

from reiqa_tf.bulk.parquet import schema
from reiqa_tf.errors import ReiqaError
from reiqa_tf.packs.pack import PACK_FILE
from reiqa_tf.packs.records import read_photos
from reiqa_tf.scoring.cache import photo_digest
from reiqa_tf.scoring.features import compute_features
from reiqa_tf.scoring.scorer import Outcome, Scorer
from reiqa_tf.typing import PathLike

_LOG_LEVEL = "WARNING"
"""Below it workers tell of each of their steps."""

_LARGEST_BATCH = 32
"""Photos that a worker holds at a time."""


class BeamError(ReiqaError):
    """A pipeline that has nothing to do, or does not come to its end."""


class ScorePhotos(beam.DoFn):
    """Scores batches of photos; the model is opened once a worker.

    Scores come from the fastest runtime that the preset was exported to, with one thread: runners
    start a worker a core. Features come from Keras, which knows whose they are.

    Args:
        preset: a folder that every worker can read, or the name of a shipped preset.
        with_features: whether features are kept beside the scores.
    """

    def __init__(self, preset: PathLike, with_features: bool = False) -> None:
        self._preset = preset
        self._with_features = with_features

    def setup(self) -> None:
        """Opens the model; Beam calls this once before the first batch."""
        if not self._with_features:
            from reiqa_tf.runtimes.opening import open_scorer

            self._scorer: Scorer = open_scorer(self._preset, threads=1)
            return
        from reiqa_tf.models.scorer import load_preset
        from reiqa_tf.presets.storage import encoders_fingerprint

        self._keras_scorer = load_preset(self._preset)
        self._compute = self._keras_scorer.compile_features()
        self._encoders = encoders_fingerprint(self._keras_scorer)

    def process(self, batch: list[tuple[str, bytes]]) -> Iterator[dict[str, Any]]:
        """Scores one batch.

        Args:
            batch: list of `(path, bytes)`.

        Yields:
            dictionary with the columns of `reiqa_tf.bulk.parquet.schema`, a photo each.
        """
        contents = [of_file for _, of_file in batch]
        for outcome in self._outcomes(contents):
            row = dict.fromkeys(schema(self._with_features).names)
            row["photo"] = batch[outcome.index][0]
            if outcome.problem is not None:
                row["problem"] = str(outcome.problem)
            elif outcome.score is not None:
                score = outcome.score
                row.update(
                    score=float(score), low=score.low, high=score.high, familiar=score.familiar
                )
            if self._with_features:
                row["sha256"] = photo_digest(contents[outcome.index])
                row["encoders"] = self._encoders
                row["features"] = None if outcome.features is None else outcome.features.tolist()
            yield row

    def _outcomes(self, contents: Sequence[bytes]) -> Iterator[Outcome]:
        if not self._with_features:
            yield from self._scorer.score_many(contents)
            return
        scorer = self._keras_scorer
        for outcome in compute_features(scorer, contents, compute=self._compute):
            if outcome.features is not None and scorer.has_head:
                score = scorer.judge_features(outcome.features[None])[0]
                outcome = dataclasses.replace(outcome, score=score)
            yield outcome


def _photos_of(file: fileio.ReadableFile) -> Iterator[tuple[str, bytes]]:
    """The photo that a file is, or those that a shard of a pack holds."""
    path = file.metadata.path
    if not path.endswith(".tfrecord"):
        yield path, file.read()
        return
    folder = path.rpartition("/")[0]
    with file.open() as shard:
        for photo in read_photos(cast(BinaryIO, shard), path):
            yield f"{folder}/{os.fsdecode(photo.name)}", photo.contents


def _pattern_of(source: str) -> str:
    """The pattern of the files to read; of a pack, its shards."""
    folder = source.rstrip("/")
    return f"{folder}/*.tfrecord" if FileSystems.exists(f"{folder}/{PACK_FILE}") else source


def run_pipeline(
    pattern: str,
    output: str,
    preset: PathLike,
    with_features: bool = False,
    options: Sequence[str] = (),
) -> None:
    """Scores all photos that a pattern matches, or all of a pack.

    The result appears when all of it is there; what a worker loses is done again by another, as
    the runner provides.

    Args:
        pattern: of the photos' paths, on any file system that Beam knows, such as
            `photos/**.jpg` or `gs://bucket/*.jpg`; or the folder of a pack.
        output: file that ends with `.parquet`, or the beginning of the names of several.
        preset: as in `ScorePhotos`.
        with_features: as in `ScorePhotos`.
        options: options for Beam, such as `--runner=DataflowRunner`.

    Raises:
        BeamError: if no file matches, or a worker is lost on a runner that does not replace it.
    """
    pattern = _pattern_of(pattern)
    if not any(match.metadata_list for match in FileSystems.match([pattern], limits=[1])):
        raise BeamError(f"{pattern}: no file matches this pattern.")
    single = output.endswith(".parquet")
    words = [f"--default_sdk_harness_log_level={_LOG_LEVEL}", *options]  # the last one counts
    try:
        with beam.Pipeline(options=beam.options.pipeline_options.PipelineOptions(words)) as p:
            _ = (
                p
                | "match" >> fileio.MatchFiles(pattern)
                | "spread" >> beam.Reshuffle()
                | "open" >> fileio.ReadMatches()
                | "read" >> beam.FlatMap(_photos_of)
                | "batch" >> beam.BatchElements(max_batch_size=_LARGEST_BATCH)
                | "score" >> beam.ParDo(ScorePhotos(preset, with_features))
                | "write"
                >> WriteToParquet(
                    output.removesuffix(".parquet"),
                    schema(with_features),
                    file_name_suffix=".parquet",
                    num_shards=1 if single else 0,
                    shard_name_template="" if single else None,
                )
            )
    except RuntimeError as error:  # Beam has logged where it was
        reason = str(error).strip(" .\n").rpartition("\n")[2] or type(error).__name__
        raise BeamError(
            f"{output}: not written, the pipeline ended before its work did ({reason}). If a "
            "worker was lost, start the same command again."
        ) from error
