"""A small ConvNeXt for few minutes of training."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from bench.models.blocks import ACTIVATIONS, Residual
from bench.models.init import initialise
from bench.models.registry import Shape, register_model
from bench.suite.errors import UserError


@register_model
def convnext(
    input_shape: Shape,
    classes: int,
    *,
    dims: Sequence[int] = (48, 128),
    depths: Sequence[int] = (1, 3),
    patch: int = 2,
    kernel: int = 3,
    expansion: int = 2,
    activation: str = "relu",
    drop_path: float = 0.0,
    init: str = "torch",
) -> nn.Module:
    """A ConvNeXt of as many stages as `dims`, for any small picture; timm's always have four, for larger ones.

    A convolution of `patch` x `patch` pixels at that stride, then for each stage `depths` blocks: a depthwise
    convolution of `kernel` x `kernel`, layer normalisation, and two dense layers over each pixel's channels with
    `expansion` times as many between them, added to the block's input. A 2 x 2 convolution at stride 2 leads from stage
    to stage, the mean of each channel to the output layer; rows and columns beyond the last whole window are left out.
    There is no layer scale, and `drop_path` is the same in every block. The defaults are for CPUs, where large
    depthwise kernels and GELU are slow; the paper's are patch 4, kernel 7, expansion 4 and GELU. Source: Liu et al.
    2022, "A ConvNet for the 2020s" (arXiv 2201.03545).

    Raises
    ------
    UserError
        The strides divide the picture to nothing.
    """
    channels, height, width = input_shape
    divided = patch * 2 ** (len(dims) - 1)
    if min(height, width) < divided:
        raise UserError(
            f"model 'convnext': patches of {patch} and {len(dims)} stages divide a picture of {height} x {width} by "
            f"{divided}, to nothing; give a smaller `patch` or fewer stages"
        )
    net: OrderedDict[str, nn.Module] = OrderedDict()
    for number, (dim, depth) in enumerate(zip(dims, depths, strict=True), start=1):
        stage: OrderedDict[str, nn.Module] = OrderedDict()
        if number == 1:
            stage["patches"] = nn.Conv2d(channels, dim, patch, patch)
            stage["norm"] = _PerPixel(OrderedDict(norm=nn.LayerNorm(dim)))
        else:
            stage["norm"] = _PerPixel(OrderedDict(norm=nn.LayerNorm(channels)))
            stage["halve"] = nn.Conv2d(channels, dim, 2, 2)
        for block in range(1, depth + 1):
            stage[f"block{block}"] = Residual(_branch(dim, kernel, expansion, activation), drop_path=drop_path)
        net[f"stage{number}"] = nn.Sequential(stage)
        channels = dim
    net["pool"] = nn.AdaptiveAvgPool2d(1)
    net["flatten"] = nn.Flatten()
    net["norm"] = nn.LayerNorm(channels)
    net["output"] = nn.Linear(channels, classes)
    return initialise(nn.Sequential(net), init)


def _branch(dim: int, kernel: int, expansion: int, activation: str) -> nn.Module:
    convolution = nn.Conv2d(dim, dim, kernel, padding="same", groups=dim)
    dense: OrderedDict[str, nn.Module] = OrderedDict()
    dense["norm"] = nn.LayerNorm(dim)
    dense["expand"] = nn.Linear(dim, expansion * dim)
    dense["activation"] = ACTIVATIONS[activation]()
    dense["project"] = nn.Linear(expansion * dim, dim)
    return nn.Sequential(OrderedDict(conv=convolution, dense=_PerPixel(dense)))


class _PerPixel(nn.Sequential):
    """Layers over the channels of every pixel by itself: (B, C, H, W) to the same."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)
        for layer in self:
            x = layer(x)
        return x.permute(0, 3, 1, 2)
