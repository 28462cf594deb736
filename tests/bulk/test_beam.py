"""The Beam pipeline on the direct runner: every photo once, the scores of `reiqa score`."""

import importlib.util

import numpy as np
import pytest
from PIL import Image

from reiqa_tf.bulk.packing import pack
from reiqa_tf.cli.main import main, parse
from reiqa_tf.models.scorer import load_preset, save_preset
from reiqa_tf.presets.storage import encoders_fingerprint
from tests.small_models import small_scorer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("apache_beam") is None, reason="Apache Beam is not installed"
    ),
    # Beam and what it is made of, on a Python that is newer than parts of it.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def folder(photo, tmp_path_factory):
    """A preset and forty photos, one of which is broken."""
    folder = tmp_path_factory.mktemp("beam")
    save_preset(small_scorer(), folder / "preset")
    (folder / "photos").mkdir()
    generator = np.random.default_rng(0)
    for i in range(40):
        y, x = generator.integers(400), generator.integers(600)
        Image.fromarray(photo[y : y + 64, x : x + 64 + i % 3]).save(folder / f"photos/{i}.png")
    (folder / "photos" / "7.png").write_bytes(b"broken")
    return folder


def _rows(path):
    import pyarrow.parquet

    return {row["photo"]: row for row in pyarrow.parquet.read_table(path).to_pylist()}


@pytest.fixture(scope="module")
def scored(folder):
    output = folder / "scores.parquet"
    words = ["reiqa", "beam-score", "--input", f"{folder}/photos/*.png", "--output", str(output)]
    assert main(parse([*words, "--preset", str(folder / "preset"), "--features"])) == 0
    return _rows(output)


def test_every_photo_has_its_row_and_the_score_that_it_has_alone(folder, scored):
    assert len(scored) == 40
    scorer = load_preset(folder / "preset")
    for path, row in scored.items():
        if path.endswith("/7.png"):
            assert row["score"] is None
            assert "not a picture" in row["problem"]
            continue
        assert row["problem"] is None
        score = scorer.score(path)
        assert row["score"] == pytest.approx(float(score), rel=1e-4)
        assert row["low"] == pytest.approx(score.low, rel=1e-4, abs=1e-6)
        assert row["familiar"] == score.familiar


def test_the_benchmark_takes_features_from_the_file(folder, scored, tmp_path):
    from reiqa_tf.bulk.parquet import take_features
    from reiqa_tf.scoring.cache import FeatureCache, photo_digest

    assert take_features(folder / "scores.parquet", tmp_path / "f.sqlite") == 39
    fingerprint = encoders_fingerprint(load_preset(folder / "preset"))
    contents = (folder / "photos" / "3.png").read_bytes()
    (row,) = (row for path, row in scored.items() if path.endswith("/3.png"))
    with FeatureCache(tmp_path / "f.sqlite", fingerprint) as cache:
        np.testing.assert_array_equal(
            cache.get(photo_digest(contents)), np.array(row["features"], np.float32)
        )


def test_a_pack_has_the_scores_of_the_folder_in_whatever_runtime(folder, scored, tmp_path):
    packed = pack(folder / "photos", folder / "packed", shard_photos=7)
    assert list(packed.left_out) == ["7.png"]
    words = ["reiqa", "beam-score", "--input", packed.folder, "--output", f"{tmp_path}/part"]
    assert main(parse([*words, "--preset", str(folder / "preset")])) == 0
    rows = {}
    for path in tmp_path.glob("part*.parquet"):
        rows |= _rows(path)
    assert sorted(rows) == sorted(packed.paths)
    for path, row in rows.items():
        as_file = scored[path.replace("/packed/", "/photos/")]
        assert row["score"] == pytest.approx(as_file["score"], rel=1e-4)
        assert row["problem"] is None


def test_a_pattern_that_matches_nothing_is_refused_and_nothing_is_written(folder, capsys):
    output = folder / "none.parquet"
    words = ["reiqa", "beam-score", "--input", f"{folder}/*.tif", "--output", str(output)]
    assert main(parse([*words, "--preset", str(folder / "preset")])) == 1
    assert "no file matches this pattern" in capsys.readouterr().err
    assert not output.exists()


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    from reiqa_tf.bulk.parquet import take_features
    from reiqa_tf.scoring.cache import CacheError

    (tmp_path / "a.parquet").write_text("no table")
    with pytest.raises(CacheError, match=r"a\.parquet: not a Parquet file"):
        take_features(tmp_path / "a.parquet", tmp_path / "f.sqlite")
