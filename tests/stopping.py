"""A run that is asked to stop, by a signal, as Ctrl-C and a cluster ask it."""

import os
import signal

import keras


class StopAfter(keras.callbacks.Callback):
    """Sends the process a signal after some steps."""

    def __init__(self, steps, number=signal.SIGINT):
        super().__init__()
        self.left = steps
        self.number = number

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), self.number)
