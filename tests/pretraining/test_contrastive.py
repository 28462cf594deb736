"""The loop: what it leaves behind, how it goes on, what it refuses."""

import base64
import csv
import dataclasses
import html.parser
import importlib.util
import json
import shutil
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from reiqa_tf.files import OutputError
from reiqa_tf.models.scorer import load_preset
from reiqa_tf.presets.folders import read_metadata
from reiqa_tf.pretraining import config as configuration
from reiqa_tf.pretraining import contrastive as module
from reiqa_tf.pretraining.content_views import ContentViews
from reiqa_tf.pretraining.contrastive import train_encoder
from reiqa_tf.pretraining.quality_views import QualityViews
from reiqa_tf.pretraining.run_report import LABELS, steps_to_fill_the_queue, write_run_report
from reiqa_tf.pretraining.views_picture import ViewsPicture, mosaic
from reiqa_tf.training.checkpoints import CheckpointFolder
from reiqa_tf.training.history import Line, Panel, plot_history, read_history
from reiqa_tf.training.objective import TrainingError
from reiqa_tf.training.settings import as_dictionary
from reiqa_tf.training.tensor_board import TensorBoardError, TensorBoardLog
from tests.oracles.stand_in import StandIn, tiny_config
from tests.stopping import StopAfter


class _Recorder(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.epochs = []
        self.events = []

    def on_train_begin(self, logs=None):
        self.events.append("begin")

    def on_train_end(self, logs=None):
        self.events.append("end")

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append((epoch, dict(logs)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run: its folder, photos and epochs."""
    folder = tmp_path_factory.mktemp("whole")
    pipeline, recorder = StandIn(), _Recorder()
    observers = [
        recorder,
        ViewsPicture(folder),
        TensorBoardLog(folder / "tensorboard", {"views": mosaic}),
        keras.callbacks.TensorBoard(folder / "of_keras", update_freq="batch"),
    ]
    result = train_encoder(tiny_config(), pipeline, folder, callbacks=observers)
    assert (result.step, result.steps, result.interrupted) == (6, 6, False)
    return folder, pipeline, recorder, result


def _final(folder):
    return CheckpointFolder(folder / "checkpoints", 2).newest()


def _same(folder, other):
    one, two = _final(folder), _final(other)
    assert one.step == two.step
    assert set(one.arrays) == set(two.arrays)
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, two.arrays[name], err_msg=name)
    assert one.about == two.about


@pytest.mark.parametrize(
    ("number", "steps"),
    [pytest.param(signal.SIGTERM, 1, marks=pytest.mark.slow), (signal.SIGINT, 4)],
)
def test_a_run_that_was_stopped_goes_on_bit_for_bit(whole, tmp_path, number, steps):
    folder, pipeline, recorder, _ = whole
    first, second, later = StandIn(), StandIn(), _Recorder()
    stopped = train_encoder(tiny_config(), first, tmp_path, callbacks=[StopAfter(steps, number)])
    assert (stopped.step, stopped.interrupted) == (steps, True)
    assert not (tmp_path / "preset").exists()
    finished = train_encoder(tiny_config(), second, tmp_path, callbacks=[later])
    assert (finished.step, finished.interrupted) == (6, False)
    _same(folder, tmp_path)
    assert first.seen + second.seen == pipeline.seen
    assert later.epochs == recorder.epochs[-len(later.epochs) :]
    columns, again = read_history(folder / "history.csv"), read_history(tmp_path / "history.csv")
    for name in ("step", "epoch", "loss", "accuracy", "learning_rate"):
        np.testing.assert_array_equal(columns[name], again[name], err_msg=name)


def test_a_run_that_crashed_goes_on_from_its_newest_checkpoint(whole, tmp_path):
    class Crash(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if len(list((tmp_path / "checkpoints").glob("*.npz"))) == 2:
                raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        train_encoder(tiny_config(), StandIn(), tmp_path, callbacks=[Crash()])
    assert not (tmp_path / "preset").exists()
    # The newest checkpoint is damaged, so that the run goes on from the one before.
    path = tmp_path / "checkpoints" / "step-000000004.npz"
    path.write_bytes(path.read_bytes()[:-50])
    again = StandIn()
    with pytest.warns(UserWarning, match="step-000000004.npz: damaged"):
        train_encoder(tiny_config(), again, tmp_path)
    assert len(again.seen) == 4 * 4  # steps 3 to 6
    _same(whole[0], tmp_path)


@pytest.mark.slow  # trains three times
def test_a_run_goes_on_bit_for_bit_without_the_preset_that_it_began_with(tmp_path):
    start = tmp_path / "start"
    train_encoder(tiny_config(), StandIn(), tmp_path / "other").scorer.save_to_preset(start)
    config = dataclasses.replace(
        tiny_config(), encoder=dataclasses.replace(tiny_config().encoder, start=str(start))
    )
    train_encoder(config, StandIn(), tmp_path / "whole")
    train_encoder(config, StandIn(), tmp_path / "halves", callbacks=[StopAfter(3, signal.SIGTERM)])
    shutil.rmtree(start)
    assert train_encoder(config, StandIn(), tmp_path / "halves").step == 6
    _same(tmp_path / "whole", tmp_path / "halves")


def test_the_state_that_is_saved_is_all_that_there_is(whole):
    names = set(_final(whole[0]).arrays)
    for part in ("/quality/", "/momentum_encoder/", "queue/keys", "queue/pointer", "velocity"):
        assert any(part in name for name in names), part
    assert any(name.endswith("iteration") for name in names)


def test_every_step_has_its_row_and_every_epoch_its_means(whole):
    folder, _, recorder, _ = whole
    with open(folder / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [int(row["epoch"]) for row in rows] == [1, 1, 2, 2, 3, 3]
    assert recorder.events == ["begin", "end"]
    for epoch, logs in recorder.epochs:
        of_epoch = [float(row["loss"]) for row in rows if int(row["epoch"]) == epoch + 1]
        assert logs["loss"] == pytest.approx(np.mean(of_epoch))
    panels = [Panel("SRCC of the probe", [Line([(0, 0.1), (6, 0.2)])])]
    plot_history(folder / "history.csv", folder / "curves.png", LABELS, panels)
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")


def _scalars(events, name):
    return [
        (event.step, tf.make_ndarray(event.tensor_proto).item()) for event in events.Tensors(name)
    ]


def test_tensorboard_shows_every_step_every_epoch_and_the_views(whole):
    folder, _, recorder, _ = whole
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    columns = read_history(folder / "history.csv")
    for name in ("loss", "accuracy", "learning_rate", "pairs_per_second"):
        shown = _scalars(events, f"step/{name}")
        assert [step for step, _ in shown] == [1, 2, 3, 4, 5, 6]
        np.testing.assert_allclose([value for _, value in shown], columns[name], rtol=1e-6)
    means = [(2 * (epoch + 1), logs["loss"]) for epoch, logs in recorder.epochs]
    assert _scalars(events, "epoch/loss") == [(step, pytest.approx(mean)) for step, mean in means]
    pictures = events.Tensors("views")
    assert [event.step for event in pictures] == [0, 2, 4]  # the first step of each epoch
    width, height, png = tf.make_ndarray(pictures[0].tensor_proto)
    assert (int(width), int(height)) == (6 * 32 + 5 * 8, 2 * (2 * 32) + 8)
    shown = np.asarray(tf.io.decode_png(png, channels=4))
    np.testing.assert_array_equal(shown, np.asarray(Image.open(folder / "views.png")))


def test_the_picture_of_views_shows_queries_above_their_keys(whole):
    folder, *_ = whole
    (first,) = StandIn().dataset().take(1)
    shown = np.asarray(Image.open(folder / "views.png"))
    for i, (x, y) in {0: (0, 0), 5: (200, 0), 6: (0, 72), 7: (40, 72)}.items():
        query, key = (first[name][i].numpy() for name in ("query", "key"))
        np.testing.assert_array_equal(shown[y : y + 32, x : x + 32, :3], query)
        np.testing.assert_array_equal(shown[y + 32 : y + 64, x : x + 32, :3], key)
    assert (shown[64:72, :, 3] == 0).all()
    assert (shown[:64, :32, 3] == 255).all()


def test_kerass_own_tensorboard_works_with_the_loop(whole):
    events = EventAccumulator(str(whole[0] / "of_keras" / "train"))
    events.Reload()
    assert len(events.Tensors("batch_loss")) == 6
    assert len(events.Tensors("epoch_loss")) == 3


def test_without_tensorboard_the_way_to_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(TensorBoardError, match=r"pip install 'reiqa_tf\[tensorboard\]'"):
        TensorBoardLog(tmp_path)


class _Page(html.parser.HTMLParser):
    """Tables as rows of texts, and all that a page refers to."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.references, self.open = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "img", "source"):
            self.open.append(tag)
        self.references += [v for k, v in attributes if k in ("src", "srcset", "href")]
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "tr" in self.open and data.strip():
            self.rows[-1].append(data.strip())


def test_the_report_says_why_the_loss_rises_at_first(whole, tmp_path):
    folder, *_ = whole
    for name in ("config.json", "history.csv"):
        shutil.copy(folder / name, tmp_path / name)
    write_run_report(tmp_path)
    steps = steps_to_fill_the_queue(json.loads((folder / "config.json").read_text())["config"])
    text = (tmp_path / "report.html").read_text()
    assert f"In the first {steps} steps keys of photos take their places" in text
    assert ("and ends before" in text) == (steps >= 6)


def test_the_queue_is_filled_with_the_pairs_that_the_views_make():
    quality = configuration.QualityPairs(patch=32, distorted=3, levels_each=3)
    content = configuration.ContentPairs(patch=32)
    assert quality.pairs_per_photo == QualityViews(32, 3, 3).pairs == 8
    assert content.pairs_per_photo == ContentViews(32).pairs == 1
    smoke = as_dictionary(configuration.load_config("smoke"))
    assert steps_to_fill_the_queue(smoke) == 7  # 100 keys, 16 a step


def test_the_report_holds_curves_views_tables_and_configuration_in_itself(whole, tmp_path):
    folder, *_ = whole
    for name in ("config.json", "history.csv", "views.png"):
        shutil.copy(folder / name, tmp_path / name)
    write_run_report(tmp_path)
    page = _Page((tmp_path / "report.html").read_text())
    assert len(page.references) == 3  # curves for light and for dark grounds, views
    for reference in page.references:
        assert reference.startswith("data:image/png;base64,")
    pictures = [base64.b64decode(each.partition(",")[2]) for each in page.references]
    assert pictures[2] == (folder / "views.png").read_bytes()
    assert len(set(pictures)) == 3
    assert ["optimizer.rate", "8.0"] in page.rows
    assert ["encoder.backbone.blocks", "[1, 1]"] in page.rows

    (tmp_path / "probe.csv").write_text("step,srcc\n0,-0.125\n6,0.5\n")
    kinds = {"by_distortion": {"<b>": 0.25}, "distortion_chance": 0.04, "level_chance": 0.2}
    rows = [{"step": s, "distortion": s / 10, "level": 0.3, **kinds} for s in (0, 6)]
    (tmp_path / "retrieval.json").write_text(json.dumps(rows))
    write_run_report(tmp_path)
    page = _Page((tmp_path / "report.html").read_text())
    for row in (
        ["0", "-0.125"],
        ["6", "0.500"],
        ["6", "60.0 %", "30.0 %"],
        ["by chance", "4.0 %", "20.0 %"],
        ["<b>", "25 %", "25 %"],
    ):
        assert row in page.rows


def test_the_preset_is_the_trained_encoder_with_its_expert(whole):
    folder, _, _, result = whole
    scorer, about = load_preset(folder / "preset"), read_metadata(folder / "preset")
    assert list(scorer.experts()) == ["quality"]
    assert scorer.head is None
    assert (about["expert"], about["network"]) == ("quality", "query")
    arrays = _final(folder).arrays
    trained = {
        name.split("/quality/")[1]: array
        for name, array in arrays.items()
        if name.startswith("model/") and "/quality/" in name
    }
    assert len(trained) == len(scorer.quality.variables)
    for variable in scorer.quality.variables:
        np.testing.assert_array_equal(variable, trained[variable.path.split("/quality/")[1]])
    images = np.random.default_rng(0).uniform(size=(1, 40, 48, 3)).astype(np.float32)
    np.testing.assert_array_equal(scorer.features(images), result.scorer.features(images))


@pytest.mark.parametrize("result", ["query", pytest.param("momentum", marks=pytest.mark.slow)])
def test_the_network_that_was_asked_for_becomes_the_preset(tmp_path, result):
    config = tiny_config(
        result=result,
        pairs=configuration.ContentPairs(patch=32),
        optimizer=configuration.AdamW(rate=0.01, per_photos=4),
        schedule=configuration.Schedule(epochs=1, warmup_epochs=0),
    )
    trained = train_encoder(config, StandIn(), tmp_path)
    network = {"query": "content", "momentum": "momentum_encoder"}[result]
    kernel = next(
        array
        for name, array in _final(tmp_path).arrays.items()
        if f"/{network}/" in name and name.endswith("stem/convolution/kernel")
    )
    np.testing.assert_array_equal(trained.scorer.content.backbone.stem.convolution.kernel, kernel)


def test_another_run_in_the_same_folder_is_refused(whole):
    with pytest.raises(
        TrainingError, match=r"other settings \(config.seed: 0 and 1; there and now"
    ):
        train_encoder(tiny_config(seed=1), StandIn(), whole[0])
    with pytest.raises(TrainingError, match=r"photos.count: 10 and 11"):
        train_encoder(tiny_config(), StandIn(photos=11), whole[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"batch_size": 12}, "at most as many as there are photos, 10"), ({"parts": 3}, "8 pairs")],
)
def test_batches_that_cannot_be_are_refused(tmp_path, changes, message):
    config = tiny_config(**changes)
    with pytest.raises(TrainingError, match=message):
        train_encoder(config, StandIn(batch_size=config.batch_size), tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_loss_that_is_not_finite_stops_the_run_and_spoils_no_checkpoint(tmp_path, monkeypatch):
    class Broken(module.TrainingStep):
        def __call__(self, batch):
            logs = super().__call__(batch)
            return {**logs, "loss": np.nan} if int(self.optimizer.iterations) == 3 else logs

    monkeypatch.setattr(module, "TrainingStep", Broken)
    with pytest.raises(TrainingError, match=r"step 3: the loss is nan.*lower optimizer.rate"):
        train_encoder(tiny_config(), StandIn(), tmp_path)
    assert _final(tmp_path).step == 2


def test_a_full_disk_while_training_is_told_and_the_run_goes_on(whole, tmp_path, monkeypatch):
    save, refused = CheckpointFolder.save, []

    def no_space(self, checkpoint):
        if checkpoint.step == 4:
            refused.append(4)
            raise OutputError("no space left")
        save(self, checkpoint)

    monkeypatch.setattr(CheckpointFolder, "save", no_space)
    with pytest.warns(UserWarning, match="no space left The run goes on"):
        result = train_encoder(tiny_config(), StandIn(), tmp_path)
    assert (result.step, refused) == (6, [4])
    _same(whole[0], tmp_path)


def test_a_callback_can_stop_the_run(tmp_path):
    config = tiny_config(schedule=dataclasses.replace(tiny_config().schedule, epochs=50))
    stopper = keras.callbacks.EarlyStopping(monitor="loss", mode="min", patience=0)
    result = train_encoder(config, StandIn(), tmp_path, callbacks=[stopper])
    assert result.step < result.steps == 100
    assert _final(tmp_path).step == result.step
    assert (tmp_path / "preset").is_dir()
