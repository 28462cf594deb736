"""A run for TensorBoard: its curves, what is measured of the features, and the views."""

import importlib.util

import numpy as np
import tensorflow as tf

from reiqa_tf.errors import ReiqaError
from reiqa_tf.pretraining.batch_callback import BatchCallback
from reiqa_tf.pretraining.views_picture import mosaic


class TensorBoardError(ReiqaError):
    """TensorBoard is asked for and not there."""


class TensorBoardLog(BatchCallback):
    """Writes the logs of every step and of every epoch, and a picture of pairs once an epoch.

    Everything stands at its number of steps. Logs of steps have the names `step/loss` and so on,
    those that only epochs have, such as the probe's, the names `epoch/probe_srcc` and so on.

    Args:
        folder: gets the event files; a run that goes on adds to them.
        steps_per_epoch: number of steps between two pictures.

    Raises:
        TensorBoardError: if the package `tensorboard` is not installed.

    Example:
    ```python
    log = TensorBoardLog("run/tensorboard", pipeline.steps_per_epoch)
    pretrain(config, pipeline, "run", callbacks=[probe, log])   # after what adds to the logs
    ```
    """

    def __init__(self, folder, steps_per_epoch):
        super().__init__()
        if importlib.util.find_spec("tensorboard") is None:  # TensorFlow's summaries need it
            raise TensorBoardError(
                "expected the package tensorboard, which is not installed: "
                "pip install 'reiqa_tf[tensorboard]'"
            )
        self.folder = str(folder)
        self.steps_per_epoch = steps_per_epoch

    def on_train_begin(self, logs=None):  # noqa: ARG002 -- Keras's signature
        """Opens the event file."""
        self.writer = tf.summary.create_file_writer(self.folder)
        self.step = int(self.model.optimizer.iterations.numpy())

    def on_batch(self, step, pairs):
        """Shows pairs of the first step of every epoch."""
        if step % self.steps_per_epoch == 0:
            with self.writer.as_default(step):
                tf.summary.image("views", mosaic(pairs)[None])

    def on_train_batch_end(self, batch, logs=None):  # noqa: ARG002
        """Writes the logs of a step."""
        self.step += 1
        self._write("step", logs)

    def on_epoch_end(self, epoch, logs=None):  # noqa: ARG002
        """Writes the means of an epoch and what was measured at its end."""
        self._write("epoch", logs)

    def on_train_end(self, logs=None):  # noqa: ARG002
        """Closes the event file."""
        self.writer.close()

    def _write(self, kind, logs):
        with self.writer.as_default(self.step):
            for name, value in logs.items():
                if np.isfinite(value):
                    tf.summary.scalar(f"{kind}/{name}", value)
        if kind == "epoch":
            self.writer.flush()
