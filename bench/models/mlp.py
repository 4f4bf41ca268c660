"""Dense layers on the flattened picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from bench.models.init import initialise
from bench.models.registry import Shape, register_model

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "leaky_relu": nn.LeakyReLU,
}


@register_model
def mlp(
    input_shape: Shape,
    classes: int,
    *,
    hidden: Sequence[int] = (128, 64),
    activation: str = "relu",
    batch_norm: bool = False,
    dropout: float = 0.0,
    init: str = "torch",
) -> nn.Module:
    """Dense layers, each followed by batch normalisation (if asked for), activation and dropout."""
    features = math.prod(input_shape)
    layers: list[nn.Module] = [nn.Flatten()]
    for units in hidden:
        # The bias stays beside batch normalisation, where it does nothing, because Keras has it too and the
        # parameter counts are compared.
        layers.append(nn.Linear(features, units))
        if batch_norm:
            layers.append(nn.BatchNorm1d(units))
        layers.append(ACTIVATIONS[activation]())
        if dropout:
            layers.append(nn.Dropout(dropout))
        features = units
    layers.append(nn.Linear(features, classes))
    return initialise(nn.Sequential(*layers), init)
