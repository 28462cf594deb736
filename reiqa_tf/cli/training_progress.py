"""How a training run goes, on a terminal. Imported by commands once they run."""

from __future__ import annotations

from collections.abc import Iterable

import keras
from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from reiqa_tf.training.objective import Logs

_NARROW = 64
"""Columns below which the elapsed time is left out."""

_SHOWN = (
    ("loss", "loss {:.3f}"),
    ("accuracy", "top-1 {:.1%}"),
    ("huber", "Huber {:.3f}"),
    ("plcc", "1 - PLCC {:.3f}"),
    ("learning_rate", "rate {:.3g}"),
    ("pairs_per_second", "{:,.0f} pairs/s"),
    ("pictures_per_second", "{:,.1f} pictures/s"),
)
"""The numbers of steps that are shown where an objective has them."""

_MEASURED = (
    ("val_srcc", "validation SRCC {:.3f}"),
    ("probe_srcc", "SRCC {:.3f}"),
    ("retrieval_distortion", "distortion {:.1%}"),
    ("retrieval_level", "level {:.1%}"),
)


class TrainingProgress(keras.callbacks.Callback):
    """A bar with the time that is left, and below it what the newest steps were like.

    The numbers are means over about the last twenty steps. Put it before the callbacks
    that measure, so that it is there while they do.

    The loop says of how many epochs and steps a run is.

    Args:
        console: `rich.console.Console`; None is stderr. Nothing is shown unless it is a terminal.
    """

    def __init__(self, console: Console | None = None) -> None:
        super().__init__()
        console = console or Console(stderr=True)
        elapsed = [] if console.width < _NARROW else [TimeElapsedColumn()]
        self.bar = _TwoLines(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.completed}/{task.total}"),
            *elapsed,
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=console,
            disable=not console.is_terminal,
            expand=True,
            speed_estimate_period=600,  # steps of a large batch take minutes
        )
        self.means: Logs = {}
        self.epoch_logs: Logs = {}
        self.measured: dict[str, str] = {}
        self.compiled = False

    def on_train_begin(self, logs: Logs | None = None) -> None:  # noqa: ARG002 -- of Keras
        """Shows the bar where the run stands."""
        done = int(self.model.optimizer.iterations.numpy())
        epochs, steps_per_epoch = self.params["epochs"], self.params["steps"]
        self.task = self.bar.add_task(
            "",
            total=epochs * steps_per_epoch,
            completed=done,
            epoch=min(1 + done // steps_per_epoch, epochs),
            epochs=epochs,
            figures="preparing the first step",
        )
        self.bar.start()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:  # noqa: ARG002
        """Shows the epoch."""
        self.bar.update(self.task, epoch=epoch + 1)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:  # noqa: ARG002
        """Shows a step."""
        logs = dict(logs or {})
        if not self.compiled:
            # This step was compiled, too.
            logs = {name: value for name, value in logs.items() if "_per_second" not in name}
            self.compiled = True
        for name, value in logs.items():
            self.means[name] = 0.95 * self.means.get(name, value) + 0.05 * value
        self.means["learning_rate"] = logs["learning_rate"]
        self.bar.update(self.task, advance=1, figures=self._figures())

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Remembers the dictionary to which later callbacks add what they measure."""
        self.epoch_logs = {} if logs is None else logs
        self.bar.update(self.task, figures=f"end of epoch {epoch + 1}  {self._figures()}")

    def on_train_end(self, logs: Logs | None = None) -> None:  # noqa: ARG002
        """Leaves the bar as it stands."""
        if self.means:
            self.bar.update(self.task, figures=self._figures())
        self.close()

    def close(self) -> None:
        """Gives the terminal back, also after a run that failed."""
        self.bar.stop()

    def _figures(self) -> str:
        figures = [text.format(self.means[name]) for name, text in _SHOWN if name in self.means]
        for name, text in _MEASURED:
            if name in self.epoch_logs:
                self.measured[name] = text.format(self.epoch_logs[name])
        return "  ".join([*figures, *self.measured.values()])


class _TwoLines(Progress):
    """The bar, and the figures below it, cut off rather than wrapped where they do not fit."""

    def get_renderables(self) -> Iterable[RenderableType]:
        """The lines, from the top."""
        figures = [
            Text(task.fields["figures"], no_wrap=True, overflow="ellipsis") for task in self.tasks
        ]
        yield Group(self.make_tasks_table(self.tasks), *figures)
