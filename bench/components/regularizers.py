"""Penalties, constraints and the like."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bench.components.base import Component, NotNegative, Rate, Ratio, register

Layers = Literal["hidden", "all", "conv"] | Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
"""Which kernels a penalty counts: a group of them, or patterns over the names of layers, as in ``["*.conv1"]``."""

LAYERS = "Kernels it counts: all but the output layer's, all, convolutions', or patterns of layer names: ['*.conv1']."


class RegularizerComponent(Component):
    """``implementation(**parameters)`` returns a `bench.training.regularization.RegularizerSpec`."""

    axis = "regularizer"


@register
class L1(RegularizerComponent):
    """Adds strength * sum(|w|) over kernels to the loss (Keras's sense)."""

    implementation = "bench.training.regularization:l1"
    name: Literal["l1"] = "l1"
    strength: NotNegative = 1e-4
    layers: Layers = Field("hidden", description=LAYERS)


@register
class L2(RegularizerComponent):
    """Adds strength * sum(w^2) over kernels to the loss (Keras's sense: the gradient is 2 * strength * w)."""

    implementation = "bench.training.regularization:l2"
    name: Literal["l2"] = "l2"
    strength: NotNegative = 1e-4
    layers: Layers = Field("hidden", description=LAYERS)


@register
class ElasticNet(RegularizerComponent):
    """Adds l1 * sum(|w|) + l2 * sum(w^2) over kernels to the loss (Keras's `l1_l2`)."""

    implementation = "bench.training.regularization:elastic_net"
    name: Literal["elastic_net"] = "elastic_net"
    l1: NotNegative = 1e-4
    l2: NotNegative = 1e-4
    layers: Layers = Field("hidden", description=LAYERS)


@register
class MaxNorm(RegularizerComponent):
    """Scales each unit's incoming weights down to this Euclidean length after every step (Keras's MaxNorm)."""

    implementation = "bench.training.regularization:max_norm"
    name: Literal["max_norm"] = "max_norm"
    max_value: Ratio = Field(
        2.0, description="Of a convolution, the length over all inputs and positions of an output channel."
    )
    layers: Layers = Field("hidden", description=LAYERS)


@register
class WeightDecay(RegularizerComponent):
    """The optimizer's own weight decay (PyTorch's sense)."""

    implementation = "bench.training.regularization:weight_decay"
    name: Literal["weight_decay"] = "weight_decay"
    strength: NotNegative = 5e-4
    kernels_only: bool = Field(False, description="Leave out biases and normalisation parameters.")


@register
class Dropout(RegularizerComponent):
    """Sets the model's own `dropout` parameter."""

    implementation = "bench.training.regularization:dropout"
    name: Literal["dropout"] = "dropout"
    rate: Rate = 0.5


@register
class StochasticDepth(RegularizerComponent):
    """Sets the model's own `drop_path` (timm: `drop_path_rate`): the chance to leave out a residual branch."""

    implementation = "bench.training.regularization:stochastic_depth"
    name: Literal["stochastic_depth"] = "stochastic_depth"
    rate: Rate = 0.1


@register
class LabelSmoothing(RegularizerComponent):
    """Moves this fraction of each label's weight to a uniform distribution over the classes."""

    implementation = "bench.training.regularization:label_smoothing"
    name: Literal["label_smoothing"] = "label_smoothing"
    amount: Rate = 0.1
