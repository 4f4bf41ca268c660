"""A small residual network with Keras's padding."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from bench.models.blocks import Residual, SamePad
from bench.models.init import initialise
from bench.models.registry import Shape, register_model


@register_model
def resnet(
    input_shape: Shape,
    classes: int,
    *,
    blocks: Sequence[Sequence[int]] = ((1, 64), (1, 128), (1, 256), (1, 512)),
    border: int = 3,
    drop_path: float = 0.0,
    init: str = "torch",
) -> nn.Module:
    """A ResNet (He et al. 2016, arXiv 1512.03385) with groups given as (blocks, filters).

    The defaults are lab document B's customResNet: zeros around the input, a 7 x 7 convolution and max pooling, both at
    stride 2; the first group keeps the size, each further one begins with a block at stride 2 whose shortcut is a 1 x 1
    convolution without batch normalisation; then average pooling by 2 and the output layer. Layers are called
    ``group2.0.branch.conv1``, ``group2.0.branch.conv2``, ``group2.0.shortcut`` and so on.
    """
    channels, height, width = input_shape
    filters = blocks[0][1]
    net: OrderedDict[str, nn.Module] = OrderedDict()
    if border:
        net["border"] = nn.ZeroPad2d(border)
    net["stem"] = nn.Sequential(
        OrderedDict(
            pad=SamePad(7, 2),
            conv=nn.Conv2d(channels, filters, 7, 2),
            norm=nn.BatchNorm2d(filters),
            activation=nn.ReLU(),
            pool_pad=SamePad(3, 2, -math.inf),
            pool=nn.MaxPool2d(3, 2),
        )
    )
    height, width = (math.ceil((size + 2 * border) / 4) for size in (height, width))
    channels = filters
    for number, (count, filters) in enumerate(blocks, start=1):
        group = []
        for at in range(count):
            stride = 2 if number > 1 and at == 0 else 1
            group.append(_block(channels, filters, stride, drop_path))
            height, width = (math.ceil(size / stride) for size in (height, width))
            channels = filters
        net[f"group{number}"] = nn.Sequential(*group)
    net["pool"] = nn.AvgPool2d(2, ceil_mode=True)  # windows over the edge average what they have, as 'same' does
    net["flatten"] = nn.Flatten()
    net["output"] = nn.Linear(channels * math.ceil(height / 2) * math.ceil(width / 2), classes)
    return initialise(nn.Sequential(net), init)


def _block(channels: int, filters: int, stride: int, drop_path: float) -> nn.Module:
    branch = nn.Sequential(
        OrderedDict(
            pad=SamePad(3, stride),
            conv1=nn.Conv2d(channels, filters, 3, stride),
            norm1=nn.BatchNorm2d(filters),
            activation=nn.ReLU(),
            conv2=nn.Conv2d(filters, filters, 3, padding="same"),
            norm2=nn.BatchNorm2d(filters),
        )
    )
    shortcut = None if stride == 1 and channels == filters else nn.Conv2d(channels, filters, 1, stride)
    return Residual(branch, shortcut, "relu", drop_path)
