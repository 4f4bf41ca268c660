"""Residual networks: the ResNet of lab document B, pre-activation and wide ResNets, and ResNet-9."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from bench.errors import UserError
from bench.models.layers import Residual, SamePad, Shape, drop_path_layer, initialise


def resnet(
    input_shape: Shape,
    classes: int,
    *,
    blocks: Sequence[Sequence[int]],
    stem_padding: int,
    drop_path: float,
    init: str,
) -> nn.Module:
    """A ResNet (He et al. 2016, arXiv 1512.03385) with groups given as (blocks, channels).

    The defaults are lab document B's customResNet: zeros around the input, a 7 x 7 convolution and max pooling, both at
    stride 2; the first group keeps the size, each further one begins with a block at stride 2 whose shortcut is a 1 x 1
    convolution without batch normalisation; then average pooling by 2 and the output layer. Layers are called
    ``group2.0.branch.conv1``, ``group2.0.branch.conv2``, ``group2.0.shortcut`` and so on.
    """
    in_channels, height, width = input_shape
    out_channels = blocks[0][1]
    net: OrderedDict[str, nn.Module] = OrderedDict()
    if stem_padding:
        net["stem_padding"] = nn.ZeroPad2d(stem_padding)
    net["stem"] = nn.Sequential(
        OrderedDict(
            pad=SamePad(7, 2),
            conv=nn.Conv2d(in_channels, out_channels, 7, 2),
            norm=nn.BatchNorm2d(out_channels),
            activation=nn.ReLU(),
            pool_pad=SamePad(3, 2, -math.inf),
            pool=nn.MaxPool2d(3, 2),
        )
    )
    height, width = (math.ceil((size + 2 * stem_padding) / 4) for size in (height, width))
    in_channels = out_channels
    for number, (count, out_channels) in enumerate(blocks, start=1):
        group = []
        for position in range(count):
            stride = 2 if number > 1 and position == 0 else 1
            group.append(_block(in_channels, out_channels, stride, drop_path))
            height, width = (math.ceil(size / stride) for size in (height, width))
            in_channels = out_channels
        net[f"group{number}"] = nn.Sequential(*group)
    net["pool"] = nn.AvgPool2d(2, ceil_mode=True)  # windows over the edge average what they have, as 'same' does
    net["flatten"] = nn.Flatten()
    net["output"] = nn.Linear(in_channels * math.ceil(height / 2) * math.ceil(width / 2), classes)
    return initialise(nn.Sequential(net), init)


def _block(in_channels: int, out_channels: int, stride: int, drop_path: float) -> nn.Module:
    branch = nn.Sequential(
        OrderedDict(
            pad=SamePad(3, stride),
            conv1=nn.Conv2d(in_channels, out_channels, 3, stride),
            norm1=nn.BatchNorm2d(out_channels),
            activation=nn.ReLU(),
            conv2=nn.Conv2d(out_channels, out_channels, 3, padding="same"),
            norm2=nn.BatchNorm2d(out_channels),
        )
    )
    shortcut = None if stride == 1 and in_channels == out_channels else nn.Conv2d(in_channels, out_channels, 1, stride)
    return Residual(branch, shortcut, "relu", drop_path)


def preact_resnet(
    input_shape: Shape,
    classes: int,
    *,
    blocks: Sequence[Sequence[int]],
    stem: int,
    stem_stride: int,
    dropout: float,
    drop_path: float,
    init: str,
) -> nn.Module:
    """A pre-activation ResNet (He et al. 2016, arXiv 1603.05027), its groups given as (blocks, channels).

    The defaults are PreAct ResNet-18 for small images: a 3 x 3 convolution, eight blocks of two 3 x 3 convolutions,
    average pooling, output. Groups after the first halve the image. A stem of stride 2 is a 4 x 4 convolution, which
    halves it at once. Layers are called ``group2.0.conv1``, ``group2.0.shortcut`` and so on.
    """
    kernel = 3 if stem_stride == 1 else 2 * stem_stride
    net: OrderedDict[str, nn.Module] = OrderedDict()
    padding = (kernel - stem_stride + 1) // 2
    net["stem"] = nn.Conv2d(input_shape[0], stem, kernel, stem_stride, padding, bias=False)
    in_channels = stem
    for number, (count, out_channels) in enumerate(blocks, start=1):
        group = []
        for position in range(count):
            stride = 2 if number > 1 and position == 0 else 1
            group.append(PreActivationBlock(in_channels, out_channels, stride, dropout, drop_path))
            in_channels = out_channels
        net[f"group{number}"] = nn.Sequential(*group)
    net["norm"] = nn.BatchNorm2d(in_channels)
    net["activation"] = nn.ReLU()
    net["pool"] = nn.AdaptiveAvgPool2d(1)
    net["flatten"] = nn.Flatten()
    net["output"] = nn.Linear(in_channels, classes)
    return initialise(nn.Sequential(net), init)


def wide_resnet(
    input_shape: Shape,
    classes: int,
    *,
    depth: int,
    width_multiplier: int,
    dropout: float,
    drop_path: float,
    init: str,
) -> nn.Module:
    """A WideResNet (Zagoruyko and Komodakis 2016, arXiv 1605.07146): `depth` 6n + 4,
    `width_multiplier` times 16, 32, 64 channels.

    ``depth: 28, width_multiplier: 10`` is the paper's WRN-28-10. `dropout` stands between the two convolutions of a
    block.
    """
    count = (depth - 4) // 6
    blocks = [(count, width * width_multiplier) for width in (16, 32, 64)]
    return preact_resnet(
        input_shape,
        classes,
        blocks=blocks,
        stem=16,
        stem_stride=1,
        dropout=dropout,
        drop_path=drop_path,
        init=init,
    )


class PreActivationBlock(nn.Module):
    """Norm, activation, 3 x 3 convolution, twice, plus the input.

    Where the shape changes a 1 x 1 convolution stands for the input; as in the papers' own code it takes it after its
    norm and activation.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, dropout: float, drop_path: float):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.activation1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.activation2 = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.drop_path = drop_path_layer(drop_path) if drop_path else nn.Identity()
        changes = stride != 1 or in_channels != out_channels
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        active = self.activation1(self.norm1(x))
        shortcut = x if self.shortcut is None else self.shortcut(active)
        branch = self.conv2(self.dropout(self.activation2(self.norm2(self.conv1(active)))))
        out: Tensor = shortcut + self.drop_path(branch)
        return out


def resnet9(
    input_shape: Shape,
    classes: int,
    *,
    channels: Sequence[int],
    residual: Sequence[int],
    stem_stride: int,
    scale: float,
    drop_path: float,
    init: str,
) -> nn.Module:
    """The nine-layer residual network of fast training on CIFAR-10, for any small image.

    A 3 x 3 convolution for each of `channels`, with batch normalisation and ReLU, and max pooling in all but the first;
    after those of the groups that `residual` counts from 1, a residual block of two more; then the largest value of
    each channel and an output layer without bias, whose logits are multiplied by `scale`. A stem of stride 2 is a 4 x 4
    convolution, which halves the image at once. Source: Page 2018, "How to train your ResNet", and its code
    (github.com/davidcpage/cifar10-fast).

    Raises
    ------
    UserError
        The poolings halve the image to nothing, or `residual` names a group that is not there.
    """
    in_channels, height, width = input_shape
    halvings = stem_stride * 2 ** (len(channels) - 1)
    if min(height, width) < halvings:
        raise UserError(
            f"model 'resnet9': its {len(channels)} groups divide an image of {height} x {width} by {halvings}, "
            "to nothing; give fewer `channels`"
        )
    beyond = [number for number in residual if number > len(channels)]
    if beyond:
        raise UserError(
            f"model 'resnet9': `residual` names group {beyond[0]}, and `channels` gives {len(channels)} groups; "
            f"allowed: 1 to {len(channels)}"
        )
    net: OrderedDict[str, nn.Module] = OrderedDict()
    for number, out_channels in enumerate(channels, start=1):
        if number == 1:
            kernel = 3 if stem_stride == 1 else 2 * stem_stride
            group: list[nn.Module] = [_convolution(in_channels, out_channels, kernel, stem_stride)]
        else:
            group = [_convolution(in_channels, out_channels, pool=True)]
        if number in residual:
            branch = nn.Sequential(_convolution(out_channels, out_channels), _convolution(out_channels, out_channels))
            group.append(Residual(branch, drop_path=drop_path))
        net[f"group{number}"] = nn.Sequential(*group)
        in_channels = out_channels
    net["pool"] = nn.AdaptiveMaxPool2d(1)
    net["flatten"] = nn.Flatten()
    net["output"] = nn.Linear(in_channels, classes, bias=False)
    net["scale"] = Scale(scale)
    return initialise(nn.Sequential(net), init)


class Scale(nn.Module):
    """Multiplies by a fixed number."""

    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def _convolution(
    in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1, pool: bool = False
) -> nn.Sequential:
    """Pooling before normalisation, which then has a quarter of the numbers to go through."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["conv"] = nn.Conv2d(in_channels, out_channels, kernel, stride, (kernel - stride + 1) // 2, bias=False)
    if pool:
        layers["pool"] = nn.MaxPool2d(2)
    layers["norm"] = nn.BatchNorm2d(out_channels)
    layers["activation"] = nn.ReLU(inplace=True)
    return nn.Sequential(layers)
