"""Plain networks: dense layers (`mlp`), blocks of convolutions (`cnn`), a VGG net, and a small ConvNeXt."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from bench.errors import UserError
from bench.models.layers import ACTIVATIONS, Residual, Shape, activated, dense_stack, initialise


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


def cnn(
    input_shape: Shape,
    classes: int,
    *,
    channels: Sequence[int],
    kernel: int,
    padding: str,
    pool: int,
    hidden: Sequence[int],
    activation: str,
    batch_norm: str,
    dropout: float,
    init: str,
) -> nn.Module:
    """Blocks of convolution, activation (with batch normalisation, if asked for), max pooling and dropout.

    The defaults with ``dropout: 0.2`` are lab document B's conv2D.

    Raises
    ------
    UserError
        The blocks leave nothing of the image.
    """
    in_channels, height, width = input_shape
    shrink = kernel - 1 if padding == "valid" else 0
    layers: list[nn.Module] = []
    for block, out_channels in enumerate(channels, start=1):
        left = ((height - shrink) // pool, (width - shrink) // pool)
        if min(left) < 1:
            raise UserError(
                f"model 'cnn': block {block} of {len(channels)} gets images of {height} x {width}, too small for a "
                f"{kernel} x {kernel} kernel (padding {padding!r}) and pooling by {pool}; "
                "use fewer blocks, a smaller kernel, padding 'same' or pool 1"
            )
        height, width = left
        convolution = nn.Conv2d(in_channels, out_channels, kernel, padding=padding)
        layers += activated(convolution, nn.BatchNorm2d(out_channels), activation, batch_norm)
        if pool > 1:
            layers.append(nn.MaxPool2d(pool))
        if dropout:
            layers.append(nn.Dropout(dropout))
        in_channels = out_channels
    dense, features = dense_stack(in_channels * height * width, hidden, activation)
    return initialise(nn.Sequential(*layers, nn.Flatten(), *dense, nn.Linear(features, classes)), init)


def vgg(
    input_shape: Shape,
    classes: int,
    *,
    blocks: Sequence[Sequence[int]],
    hidden: Sequence[int],
    activation: str,
    batch_norm: str,
    dropout: float,
    init: str,
) -> nn.Module:
    """A VGG net (Simonyan and Zisserman 2015, arXiv 1409.1556) with blocks given as (convolutions, channels).

    The defaults with ``batch_norm: between`` are lab document B's customVGG. Layers are called ``block1.0`` and so on,
    then ``dense.0`` and so on, and ``output``.

    Raises
    ------
    UserError
        The blocks halve the image to nothing.
    """
    in_channels, height, width = input_shape
    if min(height, width) < 2 ** len(blocks):
        raise UserError(
            f"model 'vgg': {len(blocks)} blocks halve an image of {height} x {width} to nothing; use fewer blocks"
        )
    net: OrderedDict[str, nn.Module] = OrderedDict()
    for number, (convolutions, out_channels) in enumerate(blocks, start=1):
        layers: list[nn.Module] = []
        for _ in range(convolutions):
            convolution = nn.Conv2d(in_channels, out_channels, 3, padding="same")
            layers += activated(convolution, nn.BatchNorm2d(out_channels), activation, batch_norm)
            in_channels = out_channels
        net[f"block{number}"] = nn.Sequential(*layers, nn.MaxPool2d(2))
        height, width = height // 2, width // 2
    net["flatten"] = nn.Flatten()
    dense, features = dense_stack(in_channels * height * width, hidden, activation, dropout=dropout)
    net["dense"] = nn.Sequential(*dense)
    net["output"] = nn.Linear(features, classes)
    return initialise(nn.Sequential(net), init)


def convnext(
    input_shape: Shape,
    classes: int,
    *,
    dims: Sequence[int],
    depths: Sequence[int],
    patch: int,
    kernel: int,
    expansion: int,
    activation: str,
    drop_path: float,
    init: str,
) -> nn.Module:
    """A ConvNeXt of as many stages as `dims`, for any small image; timm's always have four, for larger ones.

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
        The strides divide the image to nothing.
    """
    in_channels, height, width = input_shape
    divided = patch * 2 ** (len(dims) - 1)
    if min(height, width) < divided:
        raise UserError(
            f"model 'convnext': patches of {patch} and {len(dims)} stages divide an image of {height} x {width} by "
            f"{divided}, to nothing; give a smaller `patch` or fewer stages"
        )
    net: OrderedDict[str, nn.Module] = OrderedDict()
    for number, (dim, depth) in enumerate(zip(dims, depths, strict=True), start=1):
        stage: OrderedDict[str, nn.Module] = OrderedDict()
        if number == 1:
            stage["patches"] = nn.Conv2d(in_channels, dim, patch, patch)
            stage["norm"] = _PerPixel(OrderedDict(norm=nn.LayerNorm(dim)))
        else:
            stage["norm"] = _PerPixel(OrderedDict(norm=nn.LayerNorm(in_channels)))
            stage["halve"] = nn.Conv2d(in_channels, dim, 2, 2)
        for block in range(1, depth + 1):
            stage[f"block{block}"] = Residual(_branch(dim, kernel, expansion, activation), drop_path=drop_path)
        net[f"stage{number}"] = nn.Sequential(stage)
        in_channels = dim
    net["pool"] = nn.AdaptiveAvgPool2d(1)
    net["flatten"] = nn.Flatten()
    net["norm"] = nn.LayerNorm(in_channels)
    net["output"] = nn.Linear(in_channels, classes)
    return initialise(nn.Sequential(net), init)


def _branch(channels: int, kernel: int, expansion: int, activation: str) -> nn.Module:
    convolution = nn.Conv2d(channels, channels, kernel, padding="same", groups=channels)
    dense: OrderedDict[str, nn.Module] = OrderedDict()
    dense["norm"] = nn.LayerNorm(channels)
    dense["expand"] = nn.Linear(channels, expansion * channels)
    dense["activation"] = ACTIVATIONS[activation]()
    dense["project"] = nn.Linear(expansion * channels, channels)
    return nn.Sequential(OrderedDict(conv=convolution, dense=_PerPixel(dense)))


class _PerPixel(nn.Sequential):
    """Layers over the channels of every pixel by itself: (B, C, H, W) to the same."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)
        for layer in self:
            x = layer(x)
        return x.permute(0, 3, 1, 2)
