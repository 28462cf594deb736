"""Sessions that are kept: the same scores, no harm where nothing can be kept or was damaged."""

import os
import subprocess
import sys

import numpy as np
import pytest

from reiqa_tf.runtimes import kept_sessions
from reiqa_tf.runtimes.onnx_scorer import OnnxScorer
from reiqa_tf.runtimes.opening import open_artifact
from tests.runtimes.tiny_artifacts import tiny_onnx, write_exports

PRESET = "content_lite0_biq2021"

pytestmark = pytest.mark.skipif(
    kept_sessions._processor() is None, reason="the processor does not say what it can do"
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_sessions, "_folder", lambda: tmp_path / "sessions")
    return tmp_path / "sessions"


def test_a_kept_session_gives_the_scores_of_its_file_to_the_last_bit(folder, photo):
    images = photo[None, :211, :301]
    first = open_artifact(PRESET, "onnx", threads=1)
    (kept,) = folder.iterdir()
    before = kept.stat().st_mtime_ns
    second = open_artifact(PRESET, "onnx", threads=1)
    plain = OnnxScorer(first.path, threads=1)
    assert kept.stat().st_mtime_ns == before
    assert first.contract == second.contract == plain.contract
    assert second.feature_count == plain.feature_count
    for scorer in (first, second):
        for name, expected in plain.run(images).items():
            np.testing.assert_array_equal(scorer.run(images)[name], expected)
        np.testing.assert_array_equal(scorer.features(images), plain.features(images))


def test_the_second_process_opens_what_the_first_kept_and_reads_no_file(tmp_path):
    code = (
        "import sys\n"
        "from reiqa_tf.runtimes import onnx_scorer\n"
        "from reiqa_tf.runtimes.opening import open_artifact\n"
        "read = onnx_scorer.read_artifact\n"
        "onnx_scorer.read_artifact = lambda path: print('read') or read(path)\n"
        f"open_artifact({PRESET!r}, 'onnx')"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        ).stdout
        for _ in range(2)
    ]
    assert said == ["read\n", ""]


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda contents: contents[: len(contents) // 2],
        lambda contents: contents[:1000] + b"\0\0\0\0" + contents[1004:],
        lambda contents: b"\0" * 3 + contents,
    ],
)
def test_what_was_damaged_is_made_anew(folder, photo, damage):
    images = photo[None, :64, :64]
    expected = open_artifact(PRESET, "onnx").predict(images)
    (kept,) = folder.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(damage(whole))
    np.testing.assert_array_equal(open_artifact(PRESET, "onnx").predict(images), expected)
    (kept,) = folder.iterdir()
    assert len(kept.read_bytes()) == len(whole)


def test_a_whole_file_that_onnxruntime_cannot_open_is_made_anew(folder, photo):
    open_artifact(PRESET, "onnx")
    (kept,) = folder.iterdir()
    kept.write_bytes(b"foreign")
    name, _, _ = kept.stem.rpartition("-")
    kept.rename(folder / f"{name}-{kept_sessions._checksum(kept)}.onnx")
    open_artifact(PRESET, "onnx").predict(photo[None, :64, :64])
    (kept,) = folder.iterdir()
    assert kept.stat().st_size > 1e6


def test_where_nothing_can_be_written_the_file_itself_is_opened(tmp_path, monkeypatch, photo):
    (tmp_path / "file").touch()
    monkeypatch.setattr(kept_sessions, "_folder", lambda: tmp_path / "file" / "sessions")
    assert open_artifact(PRESET, "onnx").predict(photo[None, :64, :64]).shape == (1,)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_small_files_and_files_without_a_manifest_are_not_kept(folder, tmp_path):
    write_exports(tmp_path / "small", {"model.onnx": tiny_onnx()})
    open_artifact(tmp_path / "small", "onnx")
    assert not folder.exists()


def test_the_oldest_are_dropped(folder):
    folder.mkdir()
    for i in range(6):
        (folder / f"{i}.onnx").write_bytes(b"old")
        os.utime(folder / f"{i}.onnx", (i, i))
    open_artifact(PRESET, "onnx")
    names = {path.name for path in folder.iterdir()}
    assert len(names) == 4
    assert {"3.onnx", "4.onnx", "5.onnx"} < names
