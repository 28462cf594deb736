"""Features that were computed once, kept for the next time."""

import contextlib
import hashlib
import pathlib
import sqlite3
import threading

import numpy as np
import platformdirs

from reiqa_tf.errors import ReiqaError


class CacheError(ReiqaError):
    """The cache cannot be used. The message says which file, why, and the way out."""


def default_cache_file():
    """Where features are kept unless a person says otherwise: in the user's cache folder."""
    return pathlib.Path(platformdirs.user_cache_dir("reiqa_tf")) / "features.sqlite"


class FeatureCache:
    """Features by what a photo's file holds and by the encoders that saw it. Safe in threads.

    A photo that was moved or copied is still known; one that was changed is not. Every row is
    safe on disk before the next begins, so that work that was interrupted goes on where it was.
    Use it in a `with` statement.

    Args:
        path: the SQLite file; made where there is none.
        fingerprint: text that names the encoders; `reiqa_tf.presets.storage.encoders_fingerprint`.

    Raises:
        CacheError: if the file is no such cache or cannot be written.

    Example:
    ```python
    with FeatureCache("features.sqlite", encoders_fingerprint(scorer)) as cache:
        cache.put(photo_digest("photo.jpg"), features)
        assert (cache.get(photo_digest("photo.jpg")) == features).all()
    ```
    """

    def __init__(self, path, fingerprint):
        self.path = pathlib.Path(path)
        self.fingerprint = fingerprint
        self._commands = None
        self._one_at_a_time = threading.Lock()

    def __enter__(self):
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._commands = sqlite3.connect(
                self.path, timeout=60, isolation_level=None, check_same_thread=False
            )
            self._commands.execute("PRAGMA journal_mode=WAL")
            self._commands.execute("PRAGMA synchronous=NORMAL")
            self._commands.execute(
                "CREATE TABLE IF NOT EXISTS features (encoders TEXT, photo TEXT, row BLOB, "
                "PRIMARY KEY (encoders, photo)) WITHOUT ROWID"
            )
        return self

    def __exit__(self, *_):
        self._commands.close()

    def get(self, photo):
        """Features of a photo, or None if they are not known.

        Args:
            photo: what `photo_digest` answered.

        Returns:
            float32 array `(F,)` or None.
        """
        with self._explained():
            found = self._commands.execute(
                "SELECT row FROM features WHERE encoders = ? AND photo = ?",
                (self.fingerprint, photo),
            ).fetchone()
        return None if found is None else np.frombuffer(found[0], np.float32)

    def put(self, photo, features):
        """Keeps the features of a photo.

        Args:
            photo: what `photo_digest` answered.
            features: array `(F,)`.
        """
        with self._explained():
            self._commands.execute(
                "INSERT OR REPLACE INTO features VALUES (?, ?, ?)",
                (self.fingerprint, photo, np.asarray(features, np.float32).tobytes()),
            )

    def take(self, path):
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

    @contextlib.contextmanager
    def _explained(self):
        try:
            with self._one_at_a_time:
                yield
        except (sqlite3.Error, OSError) as error:
            raise CacheError(
                f"{self.path}: the feature cache cannot be used ({error}). Free the disk, remove "
                "the file, or name another one with --cache."
            ) from error


def photo_digest(contents):
    """Names a photo by its contents.

    Args:
        contents: the bytes of the file.

    Returns:
        hexadecimal SHA-256.
    """
    return hashlib.sha256(contents).hexdigest()
