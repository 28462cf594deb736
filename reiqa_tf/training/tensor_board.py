"""A run for TensorBoard: its curves, what is measured of the features, and pictures."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from reiqa_tf.errors import ReiqaError
from reiqa_tf.training.callbacks import BatchCallback
from reiqa_tf.training.objective import Batch, Logs
from reiqa_tf.typing import PathLike


class TensorBoardError(ReiqaError):
    """TensorBoard is asked for and not there."""


class TensorBoardLog(BatchCallback):
    """Writes the logs of every step and of every epoch, and pictures of a batch once an epoch.

    Everything stands at its number of steps. Logs of steps have the names `step/loss` and so on,
    those that only epochs have, such as the probe's, the names `epoch/probe_srcc` and so on. Put it
    after the callbacks that add to the logs.

    Args:
        folder: gets the event files; a run that goes on adds to them.
        pictures: by name, functions from the batch that `BatchCallback` sees to an uint8 array
            `(height, width, 3 or 4)`.

    Raises:
        TensorBoardError: if the package `tensorboard` is not installed.

    Example:
    ```text
    log = TensorBoardLog("run/tensorboard", {"views": mosaic})
    train_encoder(config, pipeline, "run", callbacks=[probe, log])
    ```
    """

    def __init__(
        self, folder: PathLike, pictures: Mapping[str, Callable[[Batch], np.ndarray]] | None = None
    ) -> None:
        super().__init__()
        if importlib.util.find_spec("tensorboard") is None:  # TensorFlow's summaries need it
            raise TensorBoardError(
                "expected the package tensorboard, which is not installed: "
                "pip install 'reiqa_tf[tensorboard]'"
            )
        self.folder = str(folder)
        self.pictures = dict(pictures or {})

    def on_train_begin(self, logs: Logs | None = None) -> None:  # noqa: ARG002 -- of Keras
        """Opens the event file."""
        self.writer = tf.summary.create_file_writer(self.folder)
        self.step = int(self.model.optimizer.iterations.numpy())

    def on_batch(self, step: int, batch: Batch) -> None:
        """Shows the first step of every epoch."""
        if step % self.params["steps"] == 0:
            with self.writer.as_default(step):
                for name, draw in self.pictures.items():
                    tf.summary.image(name, draw(batch)[None])

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:  # noqa: ARG002
        """Writes the logs of a step."""
        self.step += 1
        self._write("step", logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:  # noqa: ARG002
        """Writes the means of an epoch and what was measured at its end."""
        self._write("epoch", logs)
        self.writer.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:  # noqa: ARG002
        """Closes the event file."""
        self.writer.close()

    def _write(self, kind: str, logs: Logs | None) -> None:
        with self.writer.as_default(self.step):
            for name, value in (logs or {}).items():
                if np.isfinite(value):
                    tf.summary.scalar(f"{kind}/{name}", value)
