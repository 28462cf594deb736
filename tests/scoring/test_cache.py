"""The feature cache: keyed by contents and encoders, safe in threads, clear when it fails."""

import concurrent.futures

import numpy as np
import pytest

from reiqa_tf.scoring.cache import CacheError, FeatureCache, photo_digest


def test_features_come_back_exactly_in_another_session(tmp_path):
    features = np.random.default_rng(0).normal(size=50).astype(np.float32)
    with FeatureCache(tmp_path / "new" / "f.sqlite", "encoders") as cache:
        assert cache.get("photo") is None
        cache.put("photo", features)
    with FeatureCache(tmp_path / "new" / "f.sqlite", "encoders") as cache:
        np.testing.assert_array_equal(cache.get("photo"), features)


def test_other_encoders_and_other_photos_are_not_mistaken(tmp_path):
    with FeatureCache(tmp_path / "f.sqlite", "a") as cache:
        cache.put(photo_digest(b"one"), [1.0])
    with FeatureCache(tmp_path / "f.sqlite", "b") as cache:
        assert cache.get(photo_digest(b"one")) is None
    with FeatureCache(tmp_path / "f.sqlite", "a") as cache:
        assert cache.get(photo_digest(b"two")) is None
        assert cache.get(photo_digest(b"one")) == [1.0]


def test_threads_and_two_connections_share_it(tmp_path):
    path = tmp_path / "f.sqlite"
    with (
        FeatureCache(path, "a") as one,
        FeatureCache(path, "a") as two,
        concurrent.futures.ThreadPoolExecutor(8) as threads,
    ):
        list(threads.map(lambda i: (one, two)[i % 2].put(str(i), [i]), range(200)))
        found = list(threads.map(lambda i: (two, one)[i % 2].get(str(i)), range(200)))
    np.testing.assert_array_equal(np.concatenate(found), np.arange(200, dtype=np.float32))


def test_a_file_that_is_no_cache_is_refused_by_name(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work " * 100)
    with pytest.raises(CacheError, match=r"thesis\.txt: the feature cache cannot be used"):
        FeatureCache(tmp_path / "thesis.txt", "a").__enter__()
    assert (tmp_path / "thesis.txt").read_text().startswith("years of work")
