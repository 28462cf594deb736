"""Presets: round trips, digests, and everything that must be refused."""

import hashlib
import json
import re
import shutil

import numpy as np
import pytest

import reiqa_tf
from reiqa_tf import presets
from reiqa_tf.models.scorer import ReIQAScorer, load_preset, save_preset
from reiqa_tf.presets.folders import (
    PresetError,
    check_writable,
    preset_folder,
    preset_version,
    read_metadata,
)
from reiqa_tf.presets.storage import encoders_fingerprint
from tests.small_models import small_scorer


@pytest.fixture(scope="module")
def original(scorer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("original") / "preset"
    save_preset(scorer, folder, license="CC0-1.0", data="none")
    return folder


@pytest.fixture
def folder(original, tmp_path):
    return shutil.copytree(original, tmp_path / "preset")


@pytest.fixture(scope="module")
def images(photo):
    return photo[None, :64, :80]


def _reseal(folder):
    """Writes digests that fit the files again, as somebody with bad intentions would."""
    metadata = json.loads((folder / "metadata.json").read_text())
    for name in metadata["sha256"]:
        metadata["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "metadata.json").write_text(json.dumps(metadata))


def _change_config(folder, change):
    config = json.loads((folder / "config.json").read_text())
    change(config["config"])
    (folder / "config.json").write_text(json.dumps(config))
    _reseal(folder)


def test_a_preset_has_the_three_files_of_keras_hub(folder):
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "model.weights.h5",
        "metadata.json",
    }


def test_a_scorer_comes_back_exactly(scorer, folder, images):
    again = ReIQAScorer.from_preset(folder)
    np.testing.assert_array_equal(
        again.predict(images, verbose=0), scorer.predict(images, verbose=0)
    )
    assert again.get_config() == scorer.get_config()
    assert encoders_fingerprint(again) == encoders_fingerprint(scorer)


def test_metadata_say_what_the_preset_is(scorer, folder):
    metadata = read_metadata(folder)
    assert metadata["license"] == "CC0-1.0"
    assert metadata["working_size"] == 96
    assert metadata["score_range"] == [0, 1]
    assert metadata["higher_is_better"] is True
    assert metadata["parameter_count"] == scorer.count_params()
    weights = (folder / "model.weights.h5").read_bytes()
    assert metadata["sha256"]["model.weights.h5"] == hashlib.sha256(weights).hexdigest()


def test_a_version_changes_with_what_is_saved_and_not_with_what_is_said(folder):
    version = preset_version(folder)
    assert re.fullmatch(re.escape(reiqa_tf.__version__) + r"\+[0-9a-f]{8}", version)
    metadata = json.loads((folder / "metadata.json").read_text())
    (folder / "metadata.json").write_text(json.dumps({**metadata, "license": "MIT"}))
    assert preset_version(folder) == version
    _change_config(folder, lambda config: config.update(working_size=64))
    assert preset_version(folder) != version


def test_a_shipped_name_means_the_shipped_preset_wherever_a_command_is_run(
    original, tmp_path, monkeypatch
):
    shutil.copytree(original, tmp_path / presets.DEFAULT)
    monkeypatch.chdir(tmp_path)
    assert preset_folder(presets.DEFAULT) != tmp_path / presets.DEFAULT
    assert read_metadata(presets.DEFAULT)["license"] != "CC0-1.0"
    assert read_metadata(f"./{presets.DEFAULT}")["license"] == "CC0-1.0"


def test_half_precision_rounds_the_encoders_weights_and_leaves_the_head_alone(scorer, tmp_path):
    save_preset(scorer, tmp_path / "full")
    save_preset(scorer, tmp_path / "half", half_precision=True)
    again = load_preset(tmp_path / "half")
    for name, encoder in again.experts().items():
        for ours, theirs in zip(encoder.variables, scorer.experts()[name].variables, strict=True):
            np.testing.assert_array_equal(ours, theirs.numpy().astype(np.float16))
    np.testing.assert_array_equal(again.head.kernel, scorer.head.kernel)
    sizes = [(tmp_path / each / "model.weights.h5").stat().st_size for each in ("full", "half")]
    encoders = sum(encoder.count_params() for encoder in scorer.experts().values())
    assert sizes[0] - sizes[1] == pytest.approx(2 * encoders, rel=0.05)


def test_a_preset_can_be_loaded_with_a_mixed_policy(scorer, folder, images):
    mixed = ReIQAScorer.from_preset(folder, dtype="mixed_bfloat16")
    for encoder in mixed.experts().values():
        assert encoder.backbone.compute_dtype == "bfloat16"
        assert {variable.dtype for variable in encoder.variables} == {"float32"}
    expected = scorer.features(images).numpy()
    received = mixed.features(images).numpy()
    assert received.dtype == np.float32
    assert 0 < np.abs(received - expected).max() < 0.05 * np.abs(expected).max()


def test_a_preset_without_a_head_comes_back_without_one(tmp_path, images):
    scorer = small_scorer(head=None, quality=None, working_size=None)
    save_preset(scorer, tmp_path / "encoder")
    again = load_preset(tmp_path / "encoder")
    assert again.head is None
    assert again.quality is None
    np.testing.assert_array_equal(again.features(images), scorer.features(images))
    assert read_metadata(tmp_path / "encoder")["score_range"] is None


def test_other_weights_or_another_working_size_have_another_fingerprint(scorer):
    known = encoders_fingerprint(scorer)
    assert encoders_fingerprint(small_scorer(seed=1)) != known
    assert encoders_fingerprint(small_scorer(working_size=128)) != known
    assert encoders_fingerprint(small_scorer()) == known


def test_an_older_preset_is_replaced_and_another_folder_is_not(folder, tmp_path):
    other = small_scorer(seed=5)
    save_preset(other, folder)
    assert encoders_fingerprint(load_preset(folder)) == encoders_fingerprint(other)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(PresetError, match="other things in it"):
        save_preset(other, tmp_path / "mine")
    with pytest.raises(PresetError, match="other things in it"):
        check_writable(tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_an_interrupted_save_leaves_the_older_preset_and_nothing_else(
    scorer, folder, tmp_path, monkeypatch
):
    before = read_metadata(folder)

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ReIQAScorer, "save_weights", full_disk)
    with pytest.raises(PresetError, match="No space left on device"):
        save_preset(scorer, folder)
    assert read_metadata(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["preset"]


def test_a_disk_that_is_too_full_is_refused_before_anything_is_written(
    scorer, tmp_path, monkeypatch
):
    space = shutil.disk_usage(tmp_path)._replace(free=100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: space)
    with pytest.raises(PresetError, match=r"No space left on device: [\d,]+ bytes, 100,000 free"):
        save_preset(scorer, tmp_path / "preset")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_a_changed_file_is_recognised_by_its_digest(folder, name):
    contents = bytearray((folder / name).read_bytes())
    contents[len(contents) // 2] ^= 1
    (folder / name).write_bytes(contents)
    with pytest.raises(PresetError, match=f"{name}: damaged or changed"):
        load_preset(folder)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "metadata.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(PresetError, match=name.replace(".", r"\.")):
        load_preset(folder)


def test_an_unknown_name_gets_the_nearest_that_is_shipped():
    with pytest.raises(PresetError, match="Did you mean content_lite0_biq2021"):
        load_preset("content_lite0_biq2012")
    with pytest.raises(PresetError, match=r"Shipped are: .*content_lite0_biq2021"):
        load_preset("something else")


def test_a_foreign_class_is_refused_by_name_and_never_imported(folder, tmp_path):
    canary = tmp_path / "canary"
    foreign = {
        "module": "os",
        "class_name": "system",
        "config": f"touch {canary}",
        "registered_name": "os>system",
    }

    def plant(config):
        config["content"]["config"]["backbone"] = foreign

    _change_config(folder, plant)
    with pytest.raises(PresetError, match="foreign class 'os>system'"):
        load_preset(folder)
    assert not canary.exists()


def test_a_lambda_is_refused(folder):
    lambda_layer = {"module": "keras.layers", "class_name": "Lambda", "config": {}}

    def plant(config):
        config["quality"] = lambda_layer

    _change_config(folder, plant)
    with pytest.raises(PresetError, match="foreign class 'Lambda'"):
        load_preset(folder)


def test_a_class_of_ours_in_the_wrong_place_is_refused(folder):
    def swap(config):
        config["head"] = config["content"]

    _change_config(folder, swap)
    with pytest.raises(PresetError, match="do not make a scorer"):
        load_preset(folder)


def test_weights_of_another_model_are_refused(folder, tmp_path):
    save_preset(small_scorer(quality=None), tmp_path / "other")
    (folder / "model.weights.h5").write_bytes(
        (tmp_path / "other" / "model.weights.h5").read_bytes()
    )
    _reseal(folder)
    with pytest.raises(PresetError, match="do not make a scorer"):
        load_preset(folder)


def test_weights_that_are_not_finite_are_refused(scorer, tmp_path):
    broken = small_scorer()
    broken.head.bias.assign(np.nan)
    save_preset(broken, tmp_path / "broken")
    with pytest.raises(PresetError, match="head/bias are not finite"):
        load_preset(tmp_path / "broken")


def test_weights_that_half_precision_cannot_hold_are_refused(tmp_path):
    large = small_scorer()
    large.content.variables[0].assign(large.content.variables[0] * 1e6)
    with pytest.raises(PresetError, match="does not fit into float16"):
        save_preset(large, tmp_path / "large", half_precision=True)
    assert not (tmp_path / "large").exists()


@pytest.mark.parametrize("seed", range(100))
def test_a_mutated_preset_is_refused_in_one_line_or_loads_the_same_weights(
    scorer, folder, images, seed
):
    generator = np.random.default_rng(seed)
    name = ("config.json", "model.weights.h5", "metadata.json")[seed % 3]
    contents = bytearray((folder / name).read_bytes())
    for _ in range(generator.integers(1, 4)):
        place = int(generator.integers(len(contents)))
        match generator.integers(4):
            case 0:
                contents[place] ^= 1 << int(generator.integers(8))
            case 1:
                del contents[place:]
                contents += b"\0"
            case 2:
                contents[place:place] = generator.bytes(int(generator.integers(1, 50)))
            case 3:
                end = place + int(generator.integers(1, 200))
                del contents[place:end]
                contents += b" "
    (folder / name).write_bytes(contents)
    refusal = None
    try:
        again = load_preset(folder)
    except PresetError as error:
        refusal = str(error)
    if refusal is not None:
        assert "\n" not in refusal
        assert str(folder) in refusal
    else:  # what changed was a remark in the metadata, or a digit of nothing that is read
        assert name == "metadata.json"
        np.testing.assert_array_equal(again.features(images), scorer.features(images))
