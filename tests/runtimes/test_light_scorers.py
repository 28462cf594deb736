"""Both light scorers: the same behaviour, the same numbers, clear errors, no TensorFlow."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from reiqa_tf.image.reading import ImageError, read_image
from reiqa_tf.runtimes import onnx_scorer
from reiqa_tf.runtimes.errors import (
    ArtifactError,
    MissingArtifactError,
    MissingFeaturesError,
    MissingRuntimeError,
)
from reiqa_tf.runtimes.litert_scorer import LiteRTScorer
from reiqa_tf.runtimes.onnx_scorer import OnnxScorer
from reiqa_tf.scoring.score import MissingHeadError
from tests.runtimes.tiny_artifacts import (
    CONTRACT,
    expected_score,
    tiny_onnx,
    tiny_tflite,
    write_exports,
)


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    files = {
        "model.onnx": tiny_onnx(),
        "model.tflite": tiny_tflite(),
        "fixed.tflite": tiny_tflite(64, 80),
    }
    return write_exports(tmp_path_factory.mktemp("exports"), files)


@pytest.fixture(params=[(OnnxScorer, "model.onnx"), (LiteRTScorer, "model.tflite")])
def scorer(request, exports):
    scorer_class, name = request.param
    return scorer_class(exports / name, threads=1)


def test_scores_are_those_of_the_graph_alone_in_batches_and_in_another_order(scorer, photo):
    images = np.stack([photo[i : i + 70, 2 * i : 2 * i + 90] for i in range(0, 200, 40)])
    expected = [expected_score(image) for image in images]
    together = scorer.predict(images)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, expected, rtol=1e-5)
    alone = [scorer.predict(image[None])[0] for image in images]
    np.testing.assert_array_equal(alone, together)
    np.testing.assert_array_equal(scorer.predict(images[::-1])[::-1], together)
    np.testing.assert_allclose(scorer.run(images)["distance"], 4 * together, rtol=1e-6)


def test_a_photo_from_a_file_is_brought_to_the_working_size_first(scorer, photos_folder):
    path = photos_folder / "kodim23.png"
    expected = expected_score(read_image(path, fit=96))
    score = scorer.score(path)
    assert score == pytest.approx(expected, rel=1e-5)
    assert (score.low, score.high) == pytest.approx((expected - 0.1, expected + 0.1), rel=1e-5)
    assert scorer.score(path.read_bytes()) == score
    with pytest.raises(ImageError, match=r"gone\.png"):
        scorer.score(photos_folder / "gone.png")


def test_many_photos_go_side_by_side_and_keep_scores_and_places(exports, photo, monkeypatch):
    monkeypatch.setattr(onnx_scorer, "_MANY", 10)
    photos = [photo[i : i + 40 + i, : 50 + 2 * i] for i in range(30)]
    alone, several = (OnnxScorer(exports / "model.onnx", threads=number) for number in (1, 3))
    expected = [alone.score(picture) for picture in photos]
    photos.insert(7, b"no photo")
    outcomes = list(several.score_many(photos))
    assert [outcome.index for outcome in outcomes] == list(range(31))
    assert isinstance(outcomes.pop(7).problem, ImageError)
    assert [outcome.score for outcome in outcomes] == expected
    assert several.threads == 3


def test_a_batch_on_several_cores_is_what_each_picture_is_alone(exports, photo):
    images = np.stack([photo[i : i + 70, 2 * i : 2 * i + 90] for i in range(0, 200, 20)])
    alone, several = (OnnxScorer(exports / "model.onnx", threads=number) for number in (1, 8))
    for name, values in several.run(images).items():
        np.testing.assert_array_equal(
            values, np.concatenate([alone.run(i[None])[name] for i in images])
        )


def test_intervals_end_with_the_scale_and_distant_photos_are_unfamiliar(scorer, photo, monkeypatch):
    outputs = {"score": np.float32([0.02, 0.97, 1.3]), "distance": np.float32([1, 2, 2.1])}
    outputs["spread"] = np.float32([1, 1, 2])
    monkeypatch.setattr(scorer, "run", lambda _: outputs)
    scores = scorer.judge(photo[None])
    assert [score.familiar for score in scores] == [True, True, False]
    limits = [(score.low, score.high) for score in scores]
    np.testing.assert_allclose(limits, [(0, 0.12), (0.87, 1), (1.1, 1.3)], atol=1e-6)


def test_a_scorer_says_what_it_was_made_of(scorer):
    assert scorer.working_size == 96
    assert scorer.score_range == (0.0, 1.0)
    assert scorer.coverage == 0.9
    assert scorer.higher_is_better
    assert scorer.has_head
    assert scorer.threads == 1
    assert scorer.contract.preset == "tiny"


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((64, 64, 3), np.uint8),
        np.zeros((1, 64, 64, 4), np.uint8),
        np.zeros((1, 64, 64, 3), np.float32),
        np.zeros((0, 64, 64, 3), np.uint8),
    ],
)
def test_what_is_no_batch_of_levels_is_refused(scorer, images):
    with pytest.raises(ValueError, match=r"expected \(batch, H, W, 3\).* Received: "):
        scorer.predict(images)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2"])
def test_a_number_of_threads_is_a_number_of_threads(exports, threads):
    for scorer_class, name in ((OnnxScorer, "model.onnx"), (LiteRTScorer, "model.tflite")):
        with pytest.raises(ValueError, match="threads: expected 1 or more"):
            scorer_class(exports / name, threads=threads)


def test_a_file_of_one_size_takes_photos_of_that_size_alone(exports, photo):
    scorer = LiteRTScorer(exports / "fixed.tflite")
    image = photo[:64, :80]
    assert scorer.predict(image[None])[0] == pytest.approx(expected_score(image), rel=1e-5)
    with pytest.raises(ArtifactError, match=r"64 x 80 px .* alone. Received: 80 x 64 px"):
        scorer.predict(photo[None, :80, :64])


def test_encoders_alone_answer_features_and_say_how_to_get_scores(tmp_path, photo):
    known = {key: CONTRACT[key] for key in ("preset", "weights_sha256", "feature_count")}
    known["outputs"] = "features"
    props = {key: json.dumps(value) for key, value in known.items()}
    (tmp_path / "model.onnx").write_bytes(tiny_onnx(props, outputs=("features",)))
    scorer = OnnxScorer(tmp_path / "model.onnx")
    image = photo[:64, :64]
    assert scorer.run(image[None])["features"][0] == pytest.approx(expected_score(image), rel=1e-5)
    assert not scorer.has_head
    assert scorer.working_size is None
    for act in (scorer.predict, scorer.judge):
        with pytest.raises(MissingHeadError, match="reiqa fit"):
            act(image[None])
    with pytest.raises(MissingHeadError):
        scorer.score_range  # noqa: B018


def test_a_file_gives_features_if_they_stand_beside_its_scores(tmp_path, exports, photo):
    (tmp_path / "model.onnx").write_bytes(
        tiny_onnx(outputs=("score", "spread", "distance", "features"))
    )
    scorer = OnnxScorer(tmp_path / "model.onnx")
    images = np.stack([photo[:64, :80], photo[64:128, :80]])
    features = scorer.compile_features()(images)
    assert (features.dtype, features.shape) == (np.float32, (2, scorer.feature_count))
    np.testing.assert_array_equal(scorer.features(images), features)
    np.testing.assert_array_equal(features[:, 0], scorer.predict(images))
    assert set(scorer.run(images)) == {"score", "spread", "distance"}
    with pytest.raises(ValueError, match="uint8 levels 0 to 255"):
        scorer.features(images / 255)


def test_a_file_of_an_older_version_says_that_it_gives_scores_alone(exports, photo):
    scorer = OnnxScorer(exports / "model.onnx")
    for act in (lambda: scorer.feature_count, scorer.compile_features, lambda: scorer.features(0)):
        with pytest.raises(MissingFeaturesError, match="reiqa export --preset tiny --format onnx"):
            act()


def test_a_file_needs_no_manifest(tmp_path, exports, photo):
    for scorer_class, name in ((OnnxScorer, "model.onnx"), (LiteRTScorer, "model.tflite")):
        (tmp_path / name).write_bytes((exports / name).read_bytes())
        received = scorer_class(tmp_path / name).predict(photo[None])[0]
        assert received == pytest.approx(expected_score(photo), rel=1e-5)


@pytest.mark.parametrize(
    ("scorer_class", "package", "name", "line"),
    [
        (OnnxScorer, "onnxruntime", "model.onnx", "pip install onnxruntime"),
        (LiteRTScorer, "ai_edge_litert", "model.tflite", r"pip install 'reiqa_tf\[tflite\]'"),
    ],
)
def test_where_the_runtime_is_missing_the_way_to_it_is_named(
    exports, monkeypatch, scorer_class, package, name, line
):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, f"{package}.interpreter", None)
    with pytest.raises(MissingRuntimeError, match=line):
        scorer_class(exports / name)


@pytest.mark.parametrize("scorer_class", [OnnxScorer, LiteRTScorer])
def test_a_file_that_is_not_there_is_missing(tmp_path, scorer_class):
    with pytest.raises(MissingArtifactError, match="no such file"):
        scorer_class(tmp_path / "model")


@pytest.mark.parametrize(
    ("scorer_class", "name"), [("OnnxScorer", "onnx"), ("LiteRTScorer", "tflite")]
)
def test_scoring_imports_neither_tensorflow_nor_keras(exports, photos_folder, scorer_class, name):
    code = (
        f"import sys, reiqa_tf\n"
        f"scorer = reiqa_tf.{scorer_class}({str(exports / ('model.' + name))!r})\n"
        f"print(float(scorer.score({str(photos_folder / 'kodim23.png')!r})))\n"
        "heavy = {'tensorflow', 'keras', 'h5py', 'scipy', 'sklearn', 'matplotlib', 'absl'}\n"
        "print(*sorted(heavy & {module.split('.')[0] for module in sys.modules}))"
    )
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    score, heavy = result.stdout.split("\n", 1)
    assert float(score) == pytest.approx(
        expected_score(np.asarray(Image.open(photos_folder / "kodim23.png"))), abs=2e-3
    )
    assert heavy.strip() == ""
