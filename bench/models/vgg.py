"""Blocks of 3 x 3 convolutions and max pooling, then dense layers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from bench.models.blocks import activated
from bench.models.init import initialise
from bench.models.registry import Shape, register_model
from bench.suite.errors import UserError


@register_model
def vgg(
    input_shape: Shape,
    classes: int,
    *,
    blocks: Sequence[Sequence[int]] = ((2, 32), (2, 64), (3, 128), (3, 256)),
    hidden: Sequence[int] = (256,),
    activation: str = "relu",
    batch_norm: str = "before",
    dropout: float = 0.3,
    init: str = "torch",
) -> nn.Module:
    """A VGG net (Simonyan and Zisserman 2015, arXiv 1409.1556) with blocks given as (convolutions, filters).

    The defaults with ``batch_norm: between`` are lab document B's customVGG. Layers are called ``block1.0`` and so on,
    then ``dense.0`` and so on, and ``output``.

    Raises
    ------
    UserError
        The blocks halve the picture to nothing.
    """
    channels, height, width = input_shape
    if min(height, width) < 2 ** len(blocks):
        raise UserError(
            f"model 'vgg': {len(blocks)} blocks halve a picture of {height} x {width} to nothing; use fewer blocks"
        )
    net: OrderedDict[str, nn.Module] = OrderedDict()
    for number, (convolutions, filters) in enumerate(blocks, start=1):
        layers: list[nn.Module] = []
        for _ in range(convolutions):
            convolution = nn.Conv2d(channels, filters, 3, padding="same")
            layers += activated(convolution, nn.BatchNorm2d(filters), activation, batch_norm)
            channels = filters
        net[f"block{number}"] = nn.Sequential(*layers, nn.MaxPool2d(2))
        height, width = height // 2, width // 2
    net["flatten"] = nn.Flatten()
    features = channels * height * width
    dense: list[nn.Module] = []
    for units in hidden:
        dense += activated(nn.Linear(features, units), None, activation, "none")
        if dropout:
            dense.append(nn.Dropout(dropout))
        features = units
    net["dense"] = nn.Sequential(*dense)
    net["output"] = nn.Linear(features, classes)
    return initialise(nn.Sequential(net), init)
