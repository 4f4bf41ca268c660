"""Dense layers on the flattened picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from bench.models.blocks import activated
from bench.models.init import initialise
from bench.models.registry import Shape, register_model


@register_model
def mlp(
    input_shape: Shape,
    classes: int,
    *,
    hidden: Sequence[int] = (128, 64),
    activation: str = "relu",
    batch_norm: str = "none",
    dropout: float = 0.0,
    init: str = "torch",
) -> nn.Module:
    """Dense layers, each with activation, batch normalisation (before or after it, if asked for) and dropout."""
    features = math.prod(input_shape)
    layers: list[nn.Module] = [nn.Flatten()]
    for units in hidden:
        layers += activated(nn.Linear(features, units), nn.BatchNorm1d(units), activation, batch_norm)
        if dropout:
            layers.append(nn.Dropout(dropout))
        features = units
    layers.append(nn.Linear(features, classes))
    return initialise(nn.Sequential(*layers), init)
