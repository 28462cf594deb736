"""Callbacks that also see what a step learns from, which Keras's own do not."""

import keras


class BatchCallback(keras.callbacks.Callback):
    """A Keras callback to which the loop also shows the pairs of each step, before it makes it."""

    def on_batch(self, step, pairs):
        """Called before a step.

        Args:
            step: number of steps made so far.
            pairs: dictionary with `query` and `key`, tensors `(N, H, W, 3)` in [0, 1]: those of the
                first replica of this worker.
        """
