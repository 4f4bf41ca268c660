"""A small residual network for few minutes of training."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from bench.models.blocks import Residual
from bench.models.init import initialise
from bench.models.registry import Shape, register_model
from bench.suite.errors import UserError


@register_model
def resnet9(
    input_shape: Shape,
    classes: int,
    *,
    filters: Sequence[int] = (64, 128, 256, 512),
    residual: Sequence[int] = (2, 4),
    stem_stride: int = 1,
    scale: float = 0.125,
    drop_path: float = 0.0,
    init: str = "torch",
) -> nn.Module:
    """The nine-layer residual network of fast training on CIFAR-10, for any small picture.

    A 3 x 3 convolution for each of `filters`, with batch normalisation and ReLU, and max pooling in each but the first;
    after those of the groups that `residual` counts from 1, a residual block of two more; then the largest value of
    each channel and an output layer without bias, whose logits are multiplied by `scale`. A stem of stride 2 is a 4 x 4
    convolution, which halves the picture at once. Source: Page 2018, "How to train your ResNet", and its code
    (github.com/davidcpage/cifar10-fast).

    Raises
    ------
    UserError
        The poolings halve the picture to nothing, or `residual` names a group that is not there.
    """
    channels, height, width = input_shape
    halvings = stem_stride * 2 ** (len(filters) - 1)
    if min(height, width) < halvings:
        raise UserError(
            f"model 'resnet9': its {len(filters)} groups divide a picture of {height} x {width} by {halvings}, "
            "to nothing; give fewer `filters`"
        )
    beyond = [number for number in residual if number > len(filters)]
    if beyond:
        raise UserError(
            f"model 'resnet9': `residual` names group {beyond[0]}, and `filters` gives {len(filters)} groups; "
            f"allowed: 1 to {len(filters)}"
        )
    net: OrderedDict[str, nn.Module] = OrderedDict()
    for number, count in enumerate(filters, start=1):
        if number == 1:
            kernel = 3 if stem_stride == 1 else 2 * stem_stride
            group: list[nn.Module] = [_convolution(channels, count, kernel, stem_stride)]
        else:
            group = [_convolution(channels, count, pool=True)]
        if number in residual:
            branch = nn.Sequential(_convolution(count, count), _convolution(count, count))
            group.append(Residual(branch, drop_path=drop_path))
        net[f"group{number}"] = nn.Sequential(*group)
        channels = count
    net["pool"] = nn.AdaptiveMaxPool2d(1)
    net["flatten"] = nn.Flatten()
    net["output"] = nn.Linear(channels, classes, bias=False)
    net["scale"] = Scale(scale)
    return initialise(nn.Sequential(net), init)


class Scale(nn.Module):
    """Multiplies by a fixed number."""

    def __init__(self, by: float):
        super().__init__()
        self.by = by

    def forward(self, x: Tensor) -> Tensor:
        return x * self.by


def _convolution(channels: int, filters: int, kernel: int = 3, stride: int = 1, pool: bool = False) -> nn.Sequential:
    """Pooling before normalisation, which then has a quarter of the numbers to go through."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["conv"] = nn.Conv2d(channels, filters, kernel, stride, (kernel - stride + 1) // 2, bias=False)
    if pool:
        layers["pool"] = nn.MaxPool2d(2)
    layers["norm"] = nn.BatchNorm2d(filters)
    layers["activation"] = nn.ReLU(inplace=True)
    return nn.Sequential(layers)
