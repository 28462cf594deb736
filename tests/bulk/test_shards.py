"""Shards: every photo once, nothing lost with a process, caches joined."""

import contextlib
import itertools
import os
import signal
import sqlite3
import threading
import time

import numpy as np
import pytest
from PIL import Image

from reiqa_tf.bulk import shards
from reiqa_tf.bulk.shards import ShardError, compute_shard, fill_cache, shard_of
from reiqa_tf.models.scorer import load_preset, save_preset
from reiqa_tf.presets.storage import encoders_fingerprint
from reiqa_tf.scoring.cache import CacheError, FeatureCache, photo_digest
from reiqa_tf.scoring.features import feature_table
from tests.small_models import small_scorer


def test_shards_hold_every_photo_once():
    photos = list(range(23))
    parts = [shard_of(photos, number, 5) for number in range(1, 6)]
    assert sorted(itertools.chain(*parts)) == photos
    assert {len(part) for part in parts} == {4, 5}
    with pytest.raises(ShardError, match=r"expected a shard from 1 to 5\. Received: 6"):
        shard_of(photos, 6, 5)


def test_caches_of_other_machines_are_taken_over(tmp_path):
    for name, fingerprint in (("a", "one"), ("b", "one"), ("c", "two")):
        with FeatureCache(tmp_path / name, fingerprint) as cache:
            cache.put(name, [ord(name)])
            cache.put("shared", [0.5])
    with FeatureCache(tmp_path / "a", "one") as cache:
        assert cache.take(tmp_path / "b") == 1
        assert cache.take(tmp_path / "b") == 0
        assert cache.take(tmp_path / "c") == 2
        assert cache.get("b") == [ord("b")]
        assert cache.get("a") == [ord("a")]
        assert cache.get("c") is None  # of other encoders
        with pytest.raises(CacheError, match="no such file"):
            cache.take(tmp_path / "d")
        (tmp_path / "e").write_text("no cache " * 200)
        with pytest.raises(CacheError, match="cannot be used"):
            cache.take(tmp_path / "e")
        assert cache.take(tmp_path / "c") == 0  # and it works on


@pytest.fixture
def setting(photo, tmp_path):
    save_preset(small_scorer(), tmp_path / "preset")
    generator = np.random.default_rng(0)
    photos = []
    for i in range(60):
        y, x = generator.integers(400), generator.integers(600)
        photos.append(str(tmp_path / f"{i}.png"))
        Image.fromarray(photo[y : y + 96, x : x + 96]).save(photos[-1])
    return tmp_path / "preset", photos


def test_a_worker_leaves_its_shard_in_the_cache(setting, tmp_path):
    preset, photos = setting
    scorer = load_preset(preset)
    compute_shard(preset, shard_of(photos, 2, 3), tmp_path / "f.sqlite")
    expected, _ = feature_table(scorer, photos)
    with FeatureCache(tmp_path / "f.sqlite", encoders_fingerprint(scorer)) as cache:
        for index, path in enumerate(photos):
            with open(path, "rb") as file:
                found = cache.get(photo_digest(file.read()))
            assert (found is not None) == (index % 3 == 1)
            if found is not None:
                np.testing.assert_allclose(found, expected[index], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_what_a_killed_process_leaves_undone_is_all_that_is_done_again(
    setting, tmp_path, monkeypatch
):
    preset, photos = setting
    file = tmp_path / "f.sqlite"
    photos = photos * 40  # long enough to be killed in the middle; the same digest is found again
    killed = []

    def kill_one():
        while not killed:
            for process in shards.multiprocessing.active_children():
                known = 0
                # The file is there before its table, and is locked while it is being made.
                with (
                    contextlib.suppress(sqlite3.OperationalError),
                    sqlite3.connect(f"file:{file}?mode=ro", uri=True) as commands,
                ):
                    (known,) = commands.execute("SELECT count(*) FROM features").fetchone()
                if known >= 5:
                    os.kill(process.pid, signal.SIGKILL)
                    killed.append(known)
                    return
            time.sleep(0.02)

    watcher = threading.Thread(target=kill_one)
    watcher.start()
    assert fill_cache(preset, photos, file, workers=2) == 1
    watcher.join()
    scorer = load_preset(preset)
    with FeatureCache(file, encoders_fingerprint(scorer)) as cache:
        table, problems = feature_table(scorer, photos[:60], cache=cache)
    assert not problems
    expected, _ = feature_table(scorer, photos[:60])
    np.testing.assert_allclose(table, expected, rtol=1e-4, atol=1e-5)
