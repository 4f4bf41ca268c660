"""Penalties, constraints and the like."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bench.components.base import Component, NotNegative, Rate, Ratio

Layers = Literal["hidden", "all", "conv"] | Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
"""Which kernels a penalty counts: a group of them, or patterns over the names of layers, as in ``["*.conv1"]``."""

LAYERS = "Kernels it counts: all but the output layer's, all, convolutions', or patterns of layer names: ['*.conv1']."


class L1(Component):
    """Adds strength * sum(|w|) over kernels to the loss (Keras's sense)."""

    name: Literal["l1"] = "l1"
    strength: NotNegative = 1e-4
    layers: Layers = Field("hidden", description=LAYERS)


class L2(Component):
    """Adds strength * sum(w^2) over kernels to the loss (Keras's sense: the gradient is 2 * strength * w)."""

    name: Literal["l2"] = "l2"
    strength: NotNegative = 1e-4
    layers: Layers = Field("hidden", description=LAYERS)


class ElasticNet(Component):
    """Adds l1 * sum(|w|) + l2 * sum(w^2) over kernels to the loss (Keras's `l1_l2`)."""

    name: Literal["elastic_net"] = "elastic_net"
    l1: NotNegative = 1e-4
    l2: NotNegative = 1e-4
    layers: Layers = Field("hidden", description=LAYERS)


class MaxNorm(Component):
    """Scales each unit's incoming weights down to this Euclidean length after every step (Keras's MaxNorm)."""

    name: Literal["max_norm"] = "max_norm"
    max_value: Ratio = Field(
        2.0, description="Of a convolution, the length over all inputs and positions of an output channel."
    )
    layers: Layers = Field("hidden", description=LAYERS)


class WeightDecay(Component):
    """The optimizer's own weight decay (PyTorch's sense)."""

    name: Literal["weight_decay"] = "weight_decay"
    strength: NotNegative = 5e-4
    kernels_only: bool = Field(False, description="Leave out biases and normalisation parameters.")


class Dropout(Component):
    """Sets the model's own `dropout` parameter."""

    name: Literal["dropout"] = "dropout"
    rate: Rate = 0.5


class StochasticDepth(Component):
    """Sets the model's own `drop_path` (timm: `drop_path_rate`): the chance to leave out a residual branch."""

    name: Literal["stochastic_depth"] = "stochastic_depth"
    rate: Rate = 0.1


class LabelSmoothing(Component):
    """Moves this fraction of each label's weight to a uniform distribution over the classes."""

    name: Literal["label_smoothing"] = "label_smoothing"
    amount: Rate = 0.1
