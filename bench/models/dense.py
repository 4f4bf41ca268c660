"""Networks of dense layers, without and with residual connections."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from bench.models.layers import ACTIVATIONS, Residual, Shape, dense_stack, initialise


def mlp(
    input_shape: Shape,
    classes: int,
    *,
    hidden: Sequence[int],
    activation: str,
    batch_norm: str,
    dropout: float,
    init: str,
) -> nn.Module:
    """Dense layers, each with activation, batch normalisation (before or after it, if asked for) and dropout."""
    layers, features = dense_stack(math.prod(input_shape), hidden, activation, batch_norm, dropout)
    return initialise(nn.Sequential(nn.Flatten(), *layers, nn.Linear(features, classes)), init)


def residual_mlp(
    input_shape: Shape,
    classes: int,
    *,
    stem: int,
    blocks: Sequence[int],
    dropout: float | Sequence[float],
    hidden: int,
    activation: str,
    drop_path: float,
    init: str,
) -> nn.Module:
    """Batch normalisation of the flattened image, a dense layer, residual blocks, a dense layer, the output.

    The defaults with dropout ``[.4, .4, .4, .3, .3, .2, .2]`` are lab document A's network. A block is dense, batch
    normalisation, activation, dropout, dense, batch normalisation, plus its input (through a dense layer where the
    width changes), activation. `dropout` is one rate, or one for each block and a last one for before the output.
    """
    *rates, last_rate = dropout if isinstance(dropout, Sequence) else [dropout] * (len(blocks) + 1)
    features = math.prod(input_shape)
    net: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten(), norm=nn.BatchNorm1d(features))
    net["stem"] = _dense(features, stem, activation)
    features = stem
    for number, (units, rate) in enumerate(zip(blocks, rates, strict=True), start=1):
        branch = nn.Sequential(
            *_dense(features, units, activation),
            nn.Dropout(rate),
            nn.Linear(units, units),
            nn.BatchNorm1d(units),
        )
        shortcut = nn.Linear(features, units) if features != units else None
        net[f"block{number}"] = Residual(branch, shortcut, activation, drop_path)
        features = units
    net["hidden"] = _dense(features, hidden, activation)
    net["dropout"] = nn.Dropout(last_rate)
    net["output"] = nn.Linear(hidden, classes)
    return initialise(nn.Sequential(net), init)


def skip_mlp(
    input_shape: Shape,
    classes: int,
    *,
    width: int,
    stem: int,
    stacks: Sequence[int],
    skip: bool,
    hidden: Sequence[int],
    activation: str,
    dropout: float,
    per_pixel: bool,
    drop_path: float,
    init: str,
) -> nn.Module:
    """Plain dense layers, then stacks of (dense, batch normalisation, activation, dropout), each plus its input.

    Lab document D's networks: the defaults are its ten residual blocks (nine are added). With `per_pixel` the layers
    work on the channels of every pixel, which is how a Keras Dense takes an unflattened image, up to the dense layers
    after the stacks and the output.
    """
    channels, height, columns = input_shape
    features = channels if per_pixel else math.prod(input_shape)
    net: OrderedDict[str, nn.Module] = OrderedDict()
    if not per_pixel:
        net["flatten"] = nn.Flatten()

    def dense(inputs: int) -> nn.Module:
        return nn.Conv2d(inputs, width, 1) if per_pixel else nn.Linear(inputs, width)

    for number in range(1, stem + 1):
        net[f"stem{number}"] = nn.Sequential(dense(features), ACTIVATIONS[activation]())
        features = width
    for number, count in enumerate(stacks, start=1):
        layers: list[nn.Module] = []
        for _ in range(count):
            norm = nn.BatchNorm2d(width) if per_pixel else nn.BatchNorm1d(width)
            layers += [dense(features), norm, ACTIVATIONS[activation](), nn.Dropout(dropout)]
            features = width
        stack = nn.Sequential(*layers)
        net[f"stack{number}"] = Residual(stack, drop_path=drop_path) if skip else stack
    if per_pixel:
        net["flatten"] = nn.Flatten()
        features *= height * columns
    for number, units in enumerate(hidden, start=1):
        net[f"hidden{number}"] = nn.Sequential(
            nn.Linear(features, units), ACTIVATIONS[activation](), nn.Dropout(dropout)
        )
        features = units
    net["output"] = nn.Linear(features, classes)
    return initialise(nn.Sequential(net), init)


def _dense(features: int, units: int, activation: str) -> nn.Sequential:
    return nn.Sequential(nn.Linear(features, units), nn.BatchNorm1d(units), ACTIVATIONS[activation]())
