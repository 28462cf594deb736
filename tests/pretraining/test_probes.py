"""What is measured of the features while an encoder is trained."""

import types

import numpy as np
import pytest
import tensorflow as tf

from reiqa_tf.data.scored_photos import ScoredPhotos
from reiqa_tf.distortions import LEVELS, NAMES, distort
from reiqa_tf.pretraining import probe, retrieval
from reiqa_tf.pretraining.probe import LinearProbe, probe_srcc, read_probes
from reiqa_tf.pretraining.retrieval import (
    SIDE,
    Retrieval,
    RetrievalProbe,
    distorted_features,
    read_middles,
    read_retrievals,
    retrieve,
)
from reiqa_tf.training.callbacks import ProbeError
from tests.oracles.stand_in import tiny_config
from tests.small_models import small_scorer


def _loop(features):
    """One version after the other, as the definition says."""
    rows = {
        (p, d, level): features[p, d, level].astype(float)
        for p in range(features.shape[0])
        for d in range(features.shape[1])
        for level in range(features.shape[2])
    }
    values = np.array(list(rows.values()))
    mean, deviation = values.mean(0), values.std(0)

    def cosine(one, other):
        one, other = (one - mean) / deviation, (other - mean) / deviation
        return one @ other / np.linalg.norm(one) / np.linalg.norm(other)

    same_distortion = same_level = 0
    for (p, d, level), row in rows.items():
        others = {key: cosine(row, other) for key, other in rows.items() if key[0] != p}
        same_distortion += max(others, key=others.get)[1] == d
        alike = {key: value for key, value in others.items() if key[1] == d}
        same_level += max(alike, key=alike.get)[2] == level
    return same_distortion / len(rows), same_level / len(rows)


def test_retrieval_is_its_definition_in_a_loop():
    generator = np.random.default_rng(0)
    kinds = generator.normal(size=(1, 4, 1, 6)) + generator.normal(size=(1, 4, 3, 6))
    features = (kinds + generator.normal(size=(3, 4, 3, 6))).astype(np.float32)
    measured = retrieve(features)
    expected = _loop(features)
    assert (measured.distortion, measured.level) == pytest.approx(expected)
    assert 0.3 < expected[0] < 1
    assert np.mean(list(measured.by_distortion.values())) == pytest.approx(expected[0])


def test_features_that_say_everything_retrieve_everything_and_noise_nothing():
    shape = (3, len(NAMES), LEVELS)
    d, level = np.indices(shape)[1:]
    angle = 2 * np.pi * (d + 0.1 * level) / len(NAMES)
    perfect = retrieve(np.stack([np.cos(angle), np.sin(angle)], -1).astype(np.float32))
    assert (perfect.distortion, perfect.level) == (1, 1)
    noise = retrieve(np.random.default_rng(0).normal(size=(*shape, 50)))
    assert noise.distortion == pytest.approx(noise.distortion_chance, abs=0.03)
    assert noise.level == pytest.approx(noise.level_chance, abs=0.08)


def test_one_photo_has_no_neighbours():
    with pytest.raises(ProbeError, match="two photos or more"):
        retrieve(np.zeros((1, 26, 5, 3)))


def test_middles_are_the_middle_and_small_photos_are_mirrored(photos_folder, photo, tmp_path):
    from PIL import Image

    Image.fromarray(photo[:100, :300]).save(tmp_path / "small.png")
    middle, small = read_middles([photos_folder / "kodim23.png", tmp_path / "small.png"])
    np.testing.assert_array_equal(middle, photo[144 : 144 + SIDE, 272 : 272 + SIDE])
    np.testing.assert_array_equal(small[:100], photo[:100, 38 : 38 + SIDE])
    np.testing.assert_array_equal(small[100:200], small[:100][::-1])


@pytest.mark.slow
def test_features_stand_where_their_distortion_and_level_say(photos_folder):
    scorer = small_scorer(head=None)
    (middle,) = read_middles([photos_folder / "kodim05.png"])
    table = distorted_features(scorer, [middle])
    for name, level in (("gaussian_blur", 3), ("darken", 0)):
        image = np.rint(255 * distort(middle, name, level).numpy()).astype(np.uint8)
        expected = scorer.features(image[None])[0]
        np.testing.assert_allclose(
            table[0, NAMES.index(name), level], expected, rtol=1e-3, atol=1e-4
        )


def _scored(splits, count=120):
    scores = np.random.default_rng(1).uniform(size=count)
    return ScoredPhotos([f"{i}.png" for i in range(count)], scores, (0.0, 1.0), splits)


@pytest.mark.parametrize("split", [True, False])
def test_the_probe_is_high_for_features_that_know_and_low_for_those_that_do_not(split):
    splits = np.array(["train"] * 60 + ["val"] * 20 + ["test"] * 40) if split else None
    scored = _scored(splits)
    generator = np.random.default_rng(0)
    noise = generator.normal(size=(120, 8))
    knowing = noise.copy()
    knowing[:, 3] += 30 * scored.scores
    assert probe_srcc(knowing, scored) > 0.9
    assert probe_srcc(noise, scored) < 0.5


def test_test_rows_are_not_looked_at_when_the_probe_is_fitted():
    splits = np.array(["train"] * 80 + ["test"] * 40)
    scored = _scored(splits)
    features = np.random.default_rng(0).normal(size=(120, 3))
    features[80:, 0] += 30 * scored.scores[80:]  # only the test rows know
    assert abs(probe_srcc(features, scored)) < 0.95


def test_a_probe_measures_first_and_every_few_epochs_and_forgets_what_will_be_redone(
    tmp_path, monkeypatch
):
    values = iter([0.1, 0.2, 0.3, 0.4])
    monkeypatch.setattr(probe, "trained_scorer", lambda *_: None)
    monkeypatch.setattr(probe, "feature_table", lambda *_: (np.zeros((120, 2)), {5: "damaged"}))
    monkeypatch.setattr(probe, "probe_srcc", lambda *_: next(values))
    optimizer = types.SimpleNamespace(iterations=tf.Variable(0))
    model = types.SimpleNamespace(optimizer=optimizer)

    def made():
        callback = LinearProbe(tiny_config(), _scored(None), tmp_path, every=2)
        callback.set_model(model)
        return callback

    first = made()
    first.on_train_begin()
    for epoch in range(2):
        optimizer.iterations.assign_add(2)
        logs = {}
        first.on_epoch_end(epoch, logs)
    assert logs == {"probe_srcc": 0.2}
    assert read_probes(tmp_path / "probe.csv") == [(0, 0.1), (4, 0.2)]
    optimizer.iterations.assign(2)  # killed, and resumed from a checkpoint before that
    again = made()
    again.on_train_begin()
    assert read_probes(tmp_path / "probe.csv") == [(0, 0.1)]
    for epoch in (1, 2):  # the last epoch is measured though it is no second one
        optimizer.iterations.assign_add(2)
        again.on_epoch_end(epoch, {})
    assert read_probes(tmp_path / "probe.csv") == [(0, 0.1), (4, 0.3), (6, 0.4)]


def test_retrieval_is_measured_first_and_every_few_epochs(tmp_path, monkeypatch, photos_folder):
    shares = iter([0.1, 0.2, 0.3, 0.4])
    monkeypatch.setattr(retrieval, "trained_scorer", lambda *_: None)
    monkeypatch.setattr(retrieval, "distorted_features", lambda _, photos: photos)
    monkeypatch.setattr(retrieval, "retrieve", lambda _: Retrieval(next(shares), 0.5, {}))
    model = types.SimpleNamespace(optimizer=types.SimpleNamespace(iterations=tf.Variable(0)))
    paths = sorted(photos_folder.glob("*.png"))

    def made():
        callback = RetrievalProbe(tiny_config(), paths, tmp_path, every=2)
        callback.set_model(model)
        callback.on_train_begin()
        return callback

    def measured():
        rows = read_retrievals(tmp_path / "retrieval.json")
        return [(row["step"], row["distortion"]) for row in rows]

    first = made()
    assert len(first.photos) == 3
    assert measured() == [(0, 0.1)]
    for epoch, expected in enumerate([{}, {"retrieval_distortion": 0.2, "retrieval_level": 0.5}]):
        model.optimizer.iterations.assign_add(2)
        logs = {}
        first.on_epoch_end(epoch, logs)
        assert logs == expected
    assert measured() == [(0, 0.1), (4, 0.2)]
    model.optimizer.iterations.assign(2)  # killed, and resumed from a checkpoint before that
    again = made()
    assert measured() == [(0, 0.1)]
    for epoch in (1, 2):  # the last epoch is measured though it is no second one
        model.optimizer.iterations.assign_add(2)
        again.on_epoch_end(epoch, {})
    assert measured() == [(0, 0.1), (4, 0.3), (6, 0.4)]
    (row, *_) = read_retrievals(tmp_path / "retrieval.json")
    assert (row["distortion_chance"], row["level_chance"]) == (1 / 26, 1 / 5)


def test_of_many_photos_some_are_taken_from_the_whole_list(tmp_path, monkeypatch):
    monkeypatch.setattr(retrieval, "read_middles", list)
    chosen = RetrievalProbe(tiny_config(), list(range(590)), tmp_path).photos
    assert len(chosen) == retrieval.MOST_PHOTOS
    assert (chosen[0], chosen[-1]) == (0, 589)
    assert set(np.diff(chosen)) <= {12, 13}
    for count in (2, 49, 50):
        assert RetrievalProbe(tiny_config(), list(range(count)), tmp_path).photos == list(
            range(count)
        )


def test_a_probe_that_cannot_be_is_refused(tmp_path):
    with pytest.raises(ProbeError, match="Received: 0"):
        RetrievalProbe(tiny_config(), ["a.png", "b.png"], tmp_path, every=0)
    with pytest.raises(ProbeError, match="two photos or more"):
        RetrievalProbe(tiny_config(), ["a.png"], tmp_path)
    with pytest.raises(ProbeError, match="rows of train and of test"):
        LinearProbe(tiny_config(), _scored(np.array(["train"] * 120)), tmp_path)
    with pytest.raises(ProbeError, match="Received: 0"):
        LinearProbe(tiny_config(), _scored(None), tmp_path, every=0)
