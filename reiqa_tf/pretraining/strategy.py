"""Where a run computes: this device, several of this machine, or several machines."""

import json
import os

import tensorflow as tf

from reiqa_tf.errors import ReiqaError


class StrategyError(ReiqaError):
    """Devices or workers that are not there."""


def make_strategy(replicas=None):
    """Chooses the `tf.distribute` strategy. Call it before anything else touches a device.

    With `TF_CONFIG` in the environment, as TensorFlow documents it, and more than one worker in it:
    `MultiWorkerMirroredStrategy`. Else, with more than one replica: `MirroredStrategy`, over GPUs
    where there are any, and over logical parts of the CPU where there are none. Else the default.

    Args:
        replicas: replicas on this machine; None takes all its GPUs, or its one CPU.

    Returns:
        `tf.distribute.Strategy`.

    Raises:
        StrategyError: if there are fewer GPUs than replicas, or `TF_CONFIG` makes no sense.

    Example:
    ```python
    strategy = make_strategy()
    with strategy.scope():
        model = ...
    ```
    """
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if replicas is None:
        replicas = max(1, len(gpus))
    if replicas < 1 or (gpus and replicas > len(gpus)):
        raise StrategyError(
            f"expected 1 to {len(gpus) or 'any number of'} replicas. Received: {replicas}"
        )
    if len(_workers()) > 1:
        if replicas > 1 and not gpus:
            raise StrategyError(
                "expected one replica on each worker without GPUs. "
                f"Received: {replicas}. Start more workers instead."
            )
        return tf.distribute.MultiWorkerMirroredStrategy()
    if replicas == 1:
        return tf.distribute.get_strategy()
    if not gpus:
        (cpu, *_) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * replicas
        )
    kind = "GPU" if gpus else "CPU"
    return tf.distribute.MirroredStrategy([f"{kind}:{i}" for i in range(replicas)])


def _workers():
    text = os.environ.get("TF_CONFIG")
    if not text:
        return []
    try:
        return json.loads(text)["cluster"]["worker"]
    except (ValueError, KeyError, TypeError) as error:
        raise StrategyError(
            'TF_CONFIG: expected JSON such as {"cluster": {"worker": ["host:port", ...]}, '
            f'"task": {{"type": "worker", "index": 0}}}}. Received: {text} ({error!r})'
        ) from None
