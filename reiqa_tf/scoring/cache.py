"""Features that were computed once, kept for the next time."""

from __future__ import annotations

import contextlib
import hashlib
import pathlib
import sqlite3
import threading
from collections.abc import Iterator

import numpy as np
import platformdirs

from reiqa_tf.errors import ReiqaError
from reiqa_tf.typing import PathLike


class CacheError(ReiqaError):
    """The cache cannot be used. The message says which file, why, and the way out."""


def default_cache_file() -> pathlib.Path:
    """Where features are kept unless a person says otherwise: in the user's cache folder."""
    return pathlib.Path(platformdirs.user_cache_dir("reiqa_tf")) / "features.sqlite"


class FeatureCache:
    """Features by what a photo's file holds and by the encoders that saw it. Safe in threads.

    A photo that was moved or copied is still known; one that was changed is not. Rows serve all
    runtimes, whichever computed them: their features are equal but for rounding. Every row is
    safe on disk before the next begins, so that work that was interrupted goes on where it was.
    Use it in a `with` statement.

    Args:
        path: the SQLite file; made where there is none.
        fingerprint: text that names the encoders; `reiqa_tf.presets.storage.encoders_fingerprint`.

    Raises:
        CacheError: if the file is no such cache or cannot be written.

    Example:
    ```python
    import pathlib
    import numpy as np
    from reiqa_tf.scoring.cache import FeatureCache, photo_digest

    photo = photo_digest(pathlib.Path("photo.jpg").read_bytes())
    features = np.arange(5, dtype=np.float32)
    with FeatureCache("features.sqlite", fingerprint="encoders of this example") as cache:
        cache.put(photo, features)
        assert (cache.get(photo) == features).all()
    ```
    """

    def __init__(self, path: PathLike, fingerprint: str) -> None:
        self.path = pathlib.Path(path)
        self.fingerprint = fingerprint
        self._connection: sqlite3.Connection | None = None
        self._one_at_a_time = threading.Lock()

    def __enter__(self) -> FeatureCache:
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                self.path, timeout=60, isolation_level=None, check_same_thread=False
            )
            self._commands.execute("PRAGMA journal_mode=WAL")
            self._commands.execute("PRAGMA synchronous=NORMAL")
            self._commands.execute(
                "CREATE TABLE IF NOT EXISTS features (encoders TEXT, photo TEXT, row BLOB, "
                "PRIMARY KEY (encoders, photo)) WITHOUT ROWID"
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._commands.close()

    def get(self, photo: str) -> np.ndarray | None:
        """Features of a photo, or None if they are not known.

        Args:
            photo: what `photo_digest` returned.

        Returns:
            float32 array `(F,)` or None.
        """
        with self._explained():
            found = self._commands.execute(
                "SELECT row FROM features WHERE encoders = ? AND photo = ?",
                (self.fingerprint, photo),
            ).fetchone()
        return None if found is None else np.frombuffer(found[0], np.float32)

    def put(self, photo: str, features: np.ndarray) -> None:
        """Keeps the features of a photo.

        Args:
            photo: what `photo_digest` returned.
            features: array `(F,)`.
        """
        with self._explained():
            self._commands.execute(
                "INSERT OR REPLACE INTO features VALUES (?, ?, ?)",
                (self.fingerprint, photo, np.asarray(features, np.float32).tobytes()),
            )

    def take(self, path: PathLike) -> int:
        """Takes over the rows of another cache, of whatever encoders: the work of other machines.

        Args:
            path: the other's SQLite file.

        Returns:
            number of rows that were not known before.

        Raises:
            CacheError: if it is no such cache.
        """
        path = pathlib.Path(path)
        if not path.is_file():
            raise CacheError(f"{path}: no such file. Expected a cache of another run.")
        with self._explained():
            self._commands.execute("ATTACH DATABASE ? AS other", (str(path),))
            try:
                before = self._commands.total_changes
                self._commands.execute(
                    "INSERT OR IGNORE INTO features SELECT encoders, photo, row FROM other.features"
                )
                return self._commands.total_changes - before
            finally:
                self._commands.execute("DETACH DATABASE other")

    @property
    def _commands(self) -> sqlite3.Connection:
        if self._connection is None:
            raise CacheError(f"{self.path}: not open. Use the cache in a `with` statement.")
        return self._connection

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            with self._one_at_a_time:
                yield
        except (sqlite3.Error, OSError) as error:
            raise CacheError(
                f"{self.path}: the feature cache cannot be used ({error}). Free the disk, remove "
                "the file, or name another one with --cache."
            ) from error


def open_cache(
    path: PathLike | None, fingerprint: str
) -> contextlib.AbstractContextManager[FeatureCache | None]:
    """A `FeatureCache` for a `with` statement, or None in its place where nothing is to be kept.

    Args:
        path: the SQLite file, or None.
        fingerprint: as in `FeatureCache`.

    Returns:
        a context manager.

    Raises:
        CacheError: as `FeatureCache`, on entering.
    """
    return contextlib.nullcontext() if path is None else FeatureCache(path, fingerprint)


def photo_digest(contents: bytes) -> str:
    """Names a photo by its contents.

    Args:
        contents: the bytes of the file.

    Returns:
        hexadecimal SHA-256.
    """
    return hashlib.sha256(contents).hexdigest()
