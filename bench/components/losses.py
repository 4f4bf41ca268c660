"""Losses."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bench.components.base import Component


class CrossEntropy(Component):
    """Cross-entropy of the softmax of the logits."""

    name: Literal["cross_entropy"] = "cross_entropy"


class BinaryCrossEntropy(Component):
    """A yes or no for each class, on one-hot labels: the mean over the classes."""

    name: Literal["binary_cross_entropy"] = "binary_cross_entropy"
    outputs: Literal["softmax", "sigmoid"] = Field(
        "softmax",
        description="What makes probabilities of the logits, in the loss alone; Keras's takes sigmoid always.",
    )


class MeanSquaredError(Component):
    """Squared difference between softmax outputs and one-hot labels: the mean over the classes."""

    name: Literal["mean_squared_error"] = "mean_squared_error"
