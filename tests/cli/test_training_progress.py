"""The bar of a run, on terminals of all widths."""

import contextlib
import io
import re
import types

import pytest
import tensorflow as tf
from rich.console import Console

from reiqa_tf.cli.training_progress import TrainingProgress


def _shown(width, done=0, terminal=True):
    """The last picture of a bar after a run of two epochs with three steps each."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=width, color_system=None)
    progress = TrainingProgress(console)
    progress.set_params({"epochs": 2, "steps": 3})
    iterations = tf.Variable(done)
    progress.set_model(
        types.SimpleNamespace(optimizer=types.SimpleNamespace(iterations=iterations))
    )
    progress.on_train_begin()
    for step in range(done, 6):
        if step % 3 == 0:
            progress.on_epoch_begin(step // 3)
        logs = {"loss": 7.25, "accuracy": 0.125, "learning_rate": 3e-4}
        # The first step compiles, and its speed would spoil the mean.
        logs["pairs_per_second"] = 1.0 if step == done else 1500.0
        progress.on_train_batch_end(step % 3, logs)
        iterations.assign_add(1)
        if step % 3 == 2:
            logs = {"loss": 7.25}
            progress.on_epoch_end(step // 3, logs)
            if step == 2:
                logs["probe_srcc"] = 0.5125  # by a callback that comes later
    progress.on_train_end()
    # What moves the cursor back to the first of the two lines begins a new picture.
    texts = re.sub(r"\x1b\[[?\d;]*[A-Za-z]|\r", "\n", out.getvalue()).splitlines()
    return [text for text in texts if text][-2:]


@pytest.mark.parametrize("done", [0, 2])
def test_the_bar_shows_epoch_steps_time_and_the_newest_figures(done):
    bar, figures = _shown(width=110, done=done)
    assert bar.strip().startswith("epoch 2/2 ")
    assert "6/6" in bar
    assert bar.rstrip().endswith("left 0:00:00")
    assert figures.rstrip() == ("loss 7.250  top-1 12.5%  rate 0.0003  1,500 pairs/s  SRCC 0.512")


@pytest.mark.parametrize("width", [30, 50, 80, 200])
def test_nothing_is_wider_than_the_terminal_and_the_loss_is_always_there(width):
    bar, figures = _shown(width)
    assert max(len(bar), len(figures)) <= width
    assert "6/6" in bar
    assert "loss 7.250" in figures


def test_a_run_that_failed_gives_the_cursor_back():
    out = io.StringIO()
    progress = TrainingProgress(Console(file=out, force_terminal=True, width=80))
    progress.set_params({"epochs": 2, "steps": 3})
    progress.close()  # nothing was shown yet
    assert out.getvalue() == ""
    iterations = tf.Variable(0)
    progress.set_model(
        types.SimpleNamespace(optimizer=types.SimpleNamespace(iterations=iterations))
    )
    with contextlib.suppress(KeyError), contextlib.closing(progress):
        progress.on_train_begin()
        assert "\x1b[?25l" in out.getvalue()  # hides it
        raise KeyError
    assert out.getvalue().rfind("\x1b[?25h") > out.getvalue().rfind("\x1b[?25l")


def test_nothing_is_shown_where_nobody_looks():
    assert _shown(width=80, terminal=False) == []
