"""Weights for tests: random, but as alive as trained ones."""

import keras
import numpy as np


def randomise(layer, seed):
    """Gives a layer random weights with which no feature is constant, and none explodes.

    Fresh weights are no test: batch normalisation is the identity and biases are zero. Kernels are
    drawn by He's rule over the fan-in; the parameters and statistics of batch normalisation around
    the values that training leaves.

    Args:
        layer: a built layer or model.
        seed: seed of the draw.
    """
    generator = np.random.default_rng(seed)
    for variable in layer.variables:
        name = variable.path.rsplit("/", 1)[-1]
        shape = variable.shape
        if name == "kernel" and len(shape) == 4:
            depthwise = "depthwise" in variable.path
            fan_in = shape[0] * shape[1] * (1 if depthwise else shape[2])
            values = generator.normal(scale=np.sqrt(2 / fan_in), size=shape)
        elif name in ("gamma", "moving_variance"):
            values = generator.uniform(0.5, 1.5, size=shape)
        else:
            values = generator.normal(scale=0.1, size=shape)
        variable.assign(keras.ops.cast(values, variable.dtype))
