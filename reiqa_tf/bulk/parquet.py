"""Parquet files of scores and features: what the Beam pipeline writes, and how it comes back."""

import pyarrow
import pyarrow.parquet

from reiqa_tf.scoring.cache import CacheError, FeatureCache
from reiqa_tf.typing import PathLike

_SCORES = [
    ("photo", pyarrow.string()),
    ("score", pyarrow.float64()),
    ("low", pyarrow.float64()),
    ("high", pyarrow.float64()),
    ("familiar", pyarrow.bool_()),
    ("problem", pyarrow.string()),
]
_FEATURES = [
    ("sha256", pyarrow.string()),
    ("encoders", pyarrow.string()),
    ("features", pyarrow.list_(pyarrow.float32())),
]


def schema(with_features: bool) -> pyarrow.Schema:
    """Columns of the file.

    Args:
        with_features: whether features are kept beside the scores.

    Returns:
        `pyarrow.Schema`: `photo` (its path), `score`, `low`, `high`, `familiar` (as in `Score`;
        null where there is no head), `problem` (why there is no score, or null); with features
        also `sha256` (of the photo's file), `encoders` (their fingerprint) and `features`.
    """
    return pyarrow.schema(_SCORES + (_FEATURES if with_features else []))


def take_features(path: PathLike, cache_file: PathLike) -> int:
    """Brings features from a Parquet file into a cache.

    Args:
        path: file with the columns of `schema(True)`.
        cache_file: SQLite file of a `FeatureCache`; made where there is none.

    Returns:
        number of photos.

    Raises:
        CacheError: if the file is no such file.
    """
    try:
        table = pyarrow.parquet.read_table(path, columns=[name for name, _ in _FEATURES])
    except (OSError, pyarrow.ArrowException) as error:
        raise CacheError(
            f"{path}: not a Parquet file of `reiqa beam-score --features` ({error})."
        ) from None
    rows = [row for row in table.to_pylist() if row["features"]]
    for fingerprint in sorted({row["encoders"] for row in rows}):
        with FeatureCache(cache_file, fingerprint) as cache:
            for row in rows:
                if row["encoders"] == fingerprint:
                    cache.put(row["sha256"], row["features"])
    return len(rows)
