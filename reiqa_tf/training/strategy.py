"""Where a run computes: this device, several of this machine, or several machines."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from reiqa_tf.errors import ReiqaError


class StrategyError(ReiqaError):
    """Devices or workers that are not there."""


def make_strategy(replicas: int | None = None) -> tf.distribute.Strategy:
    """Chooses the `tf.distribute` strategy. Call it before anything else touches a device.

    With `TF_CONFIG` in the environment, as TensorFlow documents it, and more than one worker in it:
    `MultiWorkerMirroredStrategy`. Else, with more than one replica: `MirroredStrategy`, over GPUs
    where there are any, and over logical parts of the CPU where there are none. Else the default.

    Args:
        replicas: replicas on this machine; None takes all its GPUs, or its one CPU.

    Returns:
        `tf.distribute.Strategy`.

    Raises:
        StrategyError: if there are fewer GPUs than replicas, TensorFlow has used the CPU already
            and it can no longer be parted, or `TF_CONFIG` makes no sense.

    Example:
    ```python
    import keras

    from reiqa_tf.training.strategy import make_strategy

    strategy = make_strategy()
    with strategy.scope():
        model = keras.Sequential([keras.layers.Dense(1)])
    ```
    """
    gpus = tf.config.list_physical_devices("GPU")
    with contextlib.suppress(RuntimeError):  # too late: TensorFlow has used them already
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
        _part_cpu(replicas)
    kind = "GPU" if gpus else "CPU"
    return tf.distribute.MirroredStrategy([f"{kind}:{i}" for i in range(replicas)])


def on_host(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a `tf.data` pipeline, placed on the host.

    A GPU would change pixels and take time from the step. Nothing in pipelines needs Python's `if`
    rewritten either, and rewriting takes longer than tracing.

    Args:
        function: from tensors to tensors.

    Returns:
        the same function for `tf.data.Dataset.map` and the like.
    """

    def placed(*arguments: Any) -> Any:
        with tf.device("CPU"):
            return function(*arguments)

    return tf.autograph.experimental.do_not_convert(placed)


def _part_cpu(parts: int) -> None:
    (cpu, *_) = tf.config.list_physical_devices("CPU")
    try:
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * parts
        )
    except RuntimeError:
        raise StrategyError(
            f"expected a process in which TensorFlow has computed nothing yet, to part its CPU "
            f"into {parts}. Choose the replicas first."
        ) from None


def _workers() -> list[str]:
    text = os.environ.get("TF_CONFIG")
    if not text:
        return []
    try:
        return list(json.loads(text)["cluster"]["worker"])
    except (ValueError, KeyError, TypeError) as error:
        raise StrategyError(
            'TF_CONFIG: expected JSON such as {"cluster": {"worker": ["host:port", ...]}, '
            f'"task": {{"type": "worker", "index": 0}}}}. Received: {text} ({error!r})'
        ) from None
