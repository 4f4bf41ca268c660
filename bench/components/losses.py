"""Losses."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bench.components.base import Component, register


class LossComponent(Component):
    """``implementation(label_smoothing=..., **parameters)`` returns ``loss(logits, targets)``."""

    axis = "loss"


@register
class CrossEntropy(LossComponent):
    """Cross-entropy of the softmax of the logits."""

    implementation = "bench.training.loss_functions:cross_entropy"
    name: Literal["cross_entropy"] = "cross_entropy"


@register
class BinaryCrossEntropy(LossComponent):
    """A yes or no for each class, on one-hot labels: the mean over the classes."""

    implementation = "bench.training.loss_functions:binary_cross_entropy"
    name: Literal["binary_cross_entropy"] = "binary_cross_entropy"
    outputs: Literal["softmax", "sigmoid"] = Field(
        "softmax",
        description="What makes probabilities of the logits, in the loss alone; Keras's takes sigmoid always.",
    )


@register
class MeanSquaredError(LossComponent):
    """Squared difference between softmax outputs and one-hot labels: the mean over the classes."""

    implementation = "bench.training.loss_functions:mean_squared_error"
    name: Literal["mean_squared_error"] = "mean_squared_error"
