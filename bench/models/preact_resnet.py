"""Residual networks with normalisation and activation before each convolution, and wide ones."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from bench.models.blocks import drop_path_layer
from bench.models.init import initialise
from bench.models.registry import Shape, register_model


@register_model
def preact_resnet(
    input_shape: Shape,
    classes: int,
    *,
    blocks: Sequence[Sequence[int]] = ((2, 64), (2, 128), (2, 256), (2, 512)),
    stem: int = 64,
    stem_stride: int = 1,
    dropout: float = 0.0,
    drop_path: float = 0.0,
    init: str = "he_normal",
) -> nn.Module:
    """A pre-activation ResNet (He et al. 2016, arXiv 1603.05027), its groups given as (blocks, filters).

    The defaults are PreAct ResNet-18 for small pictures: a 3 x 3 convolution, eight blocks of two 3 x 3 convolutions,
    average pooling, output. Groups after the first halve the picture. A stem of stride 2 is a 4 x 4 convolution, which
    halves it at once. Layers are called ``group2.0.conv1``, ``group2.0.shortcut`` and so on.
    """
    kernel = 3 if stem_stride == 1 else 2 * stem_stride
    net: OrderedDict[str, nn.Module] = OrderedDict()
    padding = (kernel - stem_stride + 1) // 2
    net["stem"] = nn.Conv2d(input_shape[0], stem, kernel, stem_stride, padding, bias=False)
    channels = stem
    for number, (count, filters) in enumerate(blocks, start=1):
        group = []
        for at in range(count):
            stride = 2 if number > 1 and at == 0 else 1
            group.append(Block(channels, filters, stride, dropout, drop_path))
            channels = filters
        net[f"group{number}"] = nn.Sequential(*group)
    net["norm"] = nn.BatchNorm2d(channels)
    net["activation"] = nn.ReLU()
    net["pool"] = nn.AdaptiveAvgPool2d(1)
    net["flatten"] = nn.Flatten()
    net["output"] = nn.Linear(channels, classes)
    return initialise(nn.Sequential(net), init)


@register_model
def wide_resnet(
    input_shape: Shape,
    classes: int,
    *,
    depth: int = 16,
    widen: int = 4,
    dropout: float = 0.0,
    drop_path: float = 0.0,
    init: str = "he_normal",
) -> nn.Module:
    """A WideResNet (Zagoruyko and Komodakis 2016, arXiv 1605.07146): `depth` 6n + 4, `widen` times 16, 32, 64 filters.

    ``depth: 28, widen: 10`` is the paper's WRN-28-10. `dropout` stands between the two convolutions of a block.
    """
    count = (depth - 4) // 6
    blocks = [(count, width * widen) for width in (16, 32, 64)]
    return preact_resnet(input_shape, classes, blocks=blocks, stem=16, dropout=dropout, drop_path=drop_path, init=init)


class Block(nn.Module):
    """Norm, activation, 3 x 3 convolution, twice, plus the input.

    Where the shape changes a 1 x 1 convolution stands for the input; as in the papers' own code it takes it after its
    norm and activation.
    """

    def __init__(self, channels: int, filters: int, stride: int, dropout: float, drop_path: float):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.activation1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(filters)
        self.activation2 = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.drop_path = drop_path_layer(drop_path) if drop_path else nn.Identity()
        changes = stride != 1 or channels != filters
        self.shortcut = nn.Conv2d(channels, filters, 1, stride, bias=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        active = self.activation1(self.norm1(x))
        shortcut = x if self.shortcut is None else self.shortcut(active)
        branch = self.conv2(self.dropout(self.activation2(self.norm2(self.conv1(active)))))
        out: Tensor = shortcut + self.drop_path(branch)
        return out
