"""Features of many photos: sizes mixed, files broken, work interrupted, memory bounded."""

import numpy as np
import pytest
from PIL import Image

from reiqa_tf.image.reading import read_image
from reiqa_tf.presets.storage import encoders_fingerprint
from reiqa_tf.scoring import features as module
from reiqa_tf.scoring.cache import FeatureCache
from reiqa_tf.scoring.features import compute_features, compute_native_features, feature_table
from tests.small_models import small_scorer


@pytest.fixture(scope="module")
def scorer():
    return small_scorer()


@pytest.fixture(scope="module")
def paths(photo, tmp_path_factory):
    """Twenty crops of seven sizes, two of which are broken."""
    folder = tmp_path_factory.mktemp("crops")
    generator = np.random.default_rng(0)
    paths = []
    for i in range(20):
        height, width = [(96, 96), (96, 64), (64, 96), (40, 80), (80, 80), (200, 150), (33, 35)][
            i % 7
        ]
        y, x = generator.integers(300), generator.integers(600)
        paths.append(str(folder / f"{i}.png"))
        Image.fromarray(photo[y : y + height, x : x + width]).save(paths[-1])
    (folder / "3.png").write_bytes(b"broken")
    (folder / "11.png").unlink()
    return paths


def _expected(scorer, path):
    return scorer.features(read_image(path, fit=scorer.working_size)[None])[0].numpy()


def test_photos_of_mixed_sizes_get_the_features_that_each_has_alone(scorer, paths):
    table, problems = feature_table(scorer, paths)
    for i, path in enumerate(paths):
        if i not in problems:
            np.testing.assert_allclose(table[i], _expected(scorer, path), rtol=2e-4, atol=1e-5)


def test_broken_photos_are_named_and_the_rest_is_computed(scorer, paths):
    table, problems = feature_table(scorer, paths)
    assert list(problems) == [3, 11]
    assert "3.png: not a picture" in str(problems[3])
    assert "11.png: no such file" in str(problems[11])
    assert np.isnan(table[[3, 11]]).all()
    assert np.isfinite(np.delete(table, [3, 11], axis=0)).all()


def test_bytes_are_taken_as_photos_too(scorer, paths):
    with open(paths[0], "rb") as file:
        contents = file.read()
    table, _ = feature_table(scorer, [contents, paths[0]])
    np.testing.assert_allclose(table[0], table[1], rtol=1e-5, atol=1e-6)


def test_known_features_are_taken_from_the_cache_and_not_computed(
    scorer, paths, tmp_path, monkeypatch
):
    with FeatureCache(tmp_path / "f.sqlite", encoders_fingerprint(scorer)) as cache:
        first, _ = feature_table(scorer, paths, cache=cache)

        def never(_):
            raise AssertionError("computed again")

        monkeypatch.setattr(type(scorer), "compile_features", lambda _: never)
        second, problems = feature_table(scorer, paths, cache=cache)
    np.testing.assert_array_equal(second, first)
    assert list(problems) == [3, 11]


def test_interrupted_work_goes_on_where_it_was(scorer, paths, tmp_path, monkeypatch):
    batches = []
    compile_features = type(scorer).compile_features

    def counting(scorer):
        compute = compile_features(scorer)

        def counted(images):
            if len(batches) == 3:
                raise KeyboardInterrupt
            batches.append(len(images))
            return compute(images)

        return counted

    with FeatureCache(tmp_path / "f.sqlite", encoders_fingerprint(scorer)) as cache:
        monkeypatch.setattr(type(scorer), "compile_features", counting)
        with pytest.raises(KeyboardInterrupt):
            feature_table(scorer, paths, cache=cache, batch_size=2)
        kept = sum(batches)
        assert kept == 6
        batches.clear()
        monkeypatch.setattr(type(scorer), "compile_features", compile_features)
        computed = []
        monkeypatch.setattr(
            cache,
            "put",
            lambda photo, row, put=cache.put: (computed.append(photo), put(photo, row)),
        )
        table, problems = feature_table(scorer, paths, cache=cache, batch_size=2)
    assert len(computed) == 20 - 2 - kept
    assert np.isfinite(np.delete(table, list(problems), axis=0)).all()


def test_few_photos_wait_in_memory_however_many_there_are(scorer, paths, monkeypatch):
    waiting = []
    read_ahead = module._read_ahead

    def watched(*arguments):
        for read in read_ahead(*arguments):
            waiting.append(read.index)
            yield read

    monkeypatch.setattr(module, "_read_ahead", watched)
    most, finished = 0, 0
    good = [path for i, path in enumerate(paths) if i not in (3, 11)] * 10
    for _ in compute_features(scorer, good, batch_size=2):
        finished += 1
        most = max(most, len(waiting) - finished)
    assert finished == len(good)
    assert most <= 2 * (module._WAITING_BATCHES + 1)


def test_at_native_size_photos_are_not_shrunk(scorer, paths, photos_folder):
    large = str(photos_folder / "kodim19.png")
    whole, damaged = compute_native_features(scorer, [large, paths[3]])
    expected = scorer.features(read_image(large)[None])[0]
    np.testing.assert_allclose(whole.features, expected, rtol=2e-4, atol=1e-5)
    assert (damaged.index, damaged.features) == (1, None)
    assert damaged.problem is not None
