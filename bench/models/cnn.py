"""Convolution blocks, then dense layers."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from bench.models.blocks import ACTIVATIONS, activated
from bench.models.init import initialise
from bench.models.registry import Shape, register_model
from bench.suite.errors import UserError


@register_model
def cnn(
    input_shape: Shape,
    classes: int,
    *,
    filters: Sequence[int] = (32,),
    kernel: int = 5,
    padding: str = "valid",
    pool: int = 2,
    hidden: Sequence[int] = (128,),
    activation: str = "relu",
    batch_norm: str = "none",
    dropout: float = 0.0,
    init: str = "torch",
) -> nn.Module:
    """Blocks of convolution, activation (with batch normalisation, if asked for), max pooling and dropout.

    The defaults with ``dropout: 0.2`` are lab document B's conv2D.

    Raises
    ------
    UserError
        The blocks leave nothing of the picture.
    """
    channels, height, width = input_shape
    shrink = kernel - 1 if padding == "valid" else 0
    layers: list[nn.Module] = []
    for block, count in enumerate(filters, start=1):
        left = ((height - shrink) // pool, (width - shrink) // pool)
        if min(left) < 1:
            raise UserError(
                f"model 'cnn': block {block} of {len(filters)} gets pictures of {height} x {width}, too small for a "
                f"{kernel} x {kernel} kernel (padding {padding!r}) and pooling by {pool}; "
                "use fewer blocks, a smaller kernel, padding 'same' or pool 1"
            )
        height, width = left
        convolution = nn.Conv2d(channels, count, kernel, padding=padding)
        layers += activated(convolution, nn.BatchNorm2d(count), activation, batch_norm)
        if pool > 1:
            layers.append(nn.MaxPool2d(pool))
        if dropout:
            layers.append(nn.Dropout(dropout))
        channels = count
    layers.append(nn.Flatten())
    features = channels * height * width
    for units in hidden:
        layers += [nn.Linear(features, units), ACTIVATIONS[activation]()]
        features = units
    layers.append(nn.Linear(features, classes))
    return initialise(nn.Sequential(*layers), init)
