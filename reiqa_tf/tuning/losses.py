"""The losses of tuning. All of them take scores in standard deviations of the training scores."""

from __future__ import annotations

import tensorflow as tf

from reiqa_tf.typing import Tensor

HUBER_WIDTH = 1.0
"""Standard deviations within which an error counts squared, and beyond which linearly. Ours."""

PREFERENCE_WIDTH = 0.25
"""Difference of scores, in standard deviations, at which e / (1 + e) = 73 % prefer the better one.
Ours: one standard deviation is then 98 %."""

_SMALL = 1e-6


def huber(predicted: Tensor, scores: Tensor, weights: Tensor) -> Tensor:
    """The mean of Huber's loss.

    Args:
        predicted: float32 `(N,)`.
        scores: float32 `(N,)`, what people say.
        weights: float32 `(N,)`, 1 for a photo that counts and 0 for one that does not.

    Returns:
        float32 scalar.
    """
    error = tf.abs(predicted - scores)
    within = tf.minimum(error, HUBER_WIDTH)
    return _mean(within * (error - within / 2), weights)


def plcc(predicted: Tensor, scores: Tensor, weights: Tensor) -> Tensor:
    """One less the linear correlation between predictions and scores of a batch.

    Args:
        predicted: as in `huber`.
        scores: likewise.
        weights: likewise.

    Returns:
        float32 scalar from 0 to 2; 1 where all scores or all predictions are equal.
    """
    x = predicted - _mean(predicted, weights)
    y = scores - _mean(scores, weights)
    squares = _mean(x * x, weights) * _mean(y * y, weights)
    return 1 - _mean(x * y, weights) / tf.sqrt(squares + _SMALL**2)


def rank(better: Tensor, worse: Tensor, weights: Tensor) -> Tensor:
    """The mean negative log-likelihood of the order of pairs, by the model of Bradley and Terry.

    Args:
        better: float32 `(M,)`, predictions of what is better.
        worse: float32 `(M,)`, predictions of what is worse.
        weights: float32 `(M,)`.

    Returns:
        float32 scalar; 0 where there are no pairs.

    Reference:
        Bradley and Terry, Rank analysis of incomplete block designs, Biometrika 39 (1952).
    """
    return _mean(tf.nn.softplus((worse - better) / PREFERENCE_WIDTH), weights)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return tf.math.divide_no_nan(tf.reduce_sum(values * weights), tf.reduce_sum(weights))
