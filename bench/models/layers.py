"""Layers and initialisation that networks share; preprocessing as the first part of a network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrize

Shape = tuple[int, int, int]
"""Channels, height, width."""

Factory = Callable[..., nn.Module]
"""The whole contract of a network, built-in or user-defined: ``factory(input_shape, classes, **parameters)``.

It returns a module that maps float32 pixels (B, C, H, W) to logits (B, classes).
"""

TRUNCATED_STD = 0.87962566103423978
"""Standard deviation of a standard normal cut off at -2 and 2; Keras's VarianceScaling divides by it."""


def initialise(net: nn.Module, init: str) -> nn.Module:
    """Set kernels, biases and batch normalisation of `net` in place, and return it.

    Parameters
    ----------
    init : {'torch', 'keras', 'he_normal'}
        'torch' changes nothing. 'keras' is what a Keras layer does unless told otherwise: Glorot uniform kernels
        (limit ``sqrt(6 / (fan_in + fan_out))``), zero biases, layer normalisation with eps 1e-3, and batch
        normalisation with that and momentum 0.99, which is 0.01 in PyTorch's sense. 'he_normal' is Keras's
        initializer of that name, a normal distribution cut off at two standard deviations and widened so that what
        is left has the standard deviation ``sqrt(2 / fan_in)``, with zero biases; it names an initializer only, so
        batch normalisation stays PyTorch's.
    """
    if init not in ("torch", "keras", "he_normal"):
        raise ValueError(f"init is {init!r}; allowed: torch, keras, he_normal")
    if init == "torch":
        return net
    for module in net.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            if init == "keras":
                nn.init.xavier_uniform_(module.weight)
            else:
                _he_normal(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, _BatchNorm) and init == "keras":
            module.momentum, module.eps = 0.01, 1e-3
        elif isinstance(module, nn.LayerNorm) and init == "keras":
            module.eps = 1e-3
    return net


def _he_normal(weight: Tensor) -> None:
    fan_in = weight[0].numel()
    width = math.sqrt(2 / fan_in) / TRUNCATED_STD
    nn.init.trunc_normal_(weight, std=width, a=-2 * width, b=2 * width)


ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "leaky_relu": nn.LeakyReLU,
}


def activated(layer: nn.Module, norm: nn.Module | None, activation: str, batch_norm: str) -> list[nn.Module]:
    """A layer with its activation, and batch normalisation ``before`` it, ``after`` it, ``between`` two, or ``none``.

    The layer keeps its bias where normalisation makes it idle, because Keras's does and parameter counts are compared.
    """
    if norm is None or batch_norm == "none":
        return [layer, ACTIVATIONS[activation]()]
    if batch_norm == "before":
        return [layer, norm, ACTIVATIONS[activation]()]
    last = [ACTIVATIONS[activation]()] if batch_norm == "between" else []
    return [layer, ACTIVATIONS[activation](), norm, *last]


def dense_stack(
    features: int, hidden: Sequence[int], activation: str, batch_norm: str = "none", dropout: float = 0.0
) -> tuple[list[nn.Module], int]:
    """A dense layer for each number of units, each `activated` and followed by dropout; and the last one's units."""
    layers: list[nn.Module] = []
    for units in hidden:
        norm = nn.BatchNorm1d(units) if batch_norm != "none" else None
        layers += activated(nn.Linear(features, units), norm, activation, batch_norm)
        if dropout:
            layers.append(nn.Dropout(dropout))
        features = units
    return layers, features


class Residual(nn.Module):
    """``branch(x) + shortcut(x)``, with the activation after the sum where there is one.

    With `drop_path` above 0 each image's branch is left out with that chance (stochastic depth, Huang et al. 2016,
    arXiv 1603.09382).
    """

    def __init__(
        self,
        branch: nn.Module,
        shortcut: nn.Module | None = None,
        activation: str | None = None,
        drop_path: float = 0.0,
    ):
        super().__init__()
        self.branch = branch
        self.shortcut = shortcut or nn.Identity()
        self.activation = ACTIVATIONS[activation]() if activation else nn.Identity()
        self.drop_path = drop_path_layer(drop_path) if drop_path else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.activation(self.drop_path(self.branch(x)) + self.shortcut(x))
        return out


def drop_path_layer(rate: float) -> nn.Module:
    """Leaves out a branch of an image with this chance while training, and makes up for it in the others."""
    from timm.layers import DropPath  # type: ignore[attr-defined]  # timm takes seconds to import

    layer: nn.Module = DropPath(rate)
    return layer


class SamePad(nn.Module):
    """Pads as TensorFlow's 'same' does before a window of `kernel` at `stride`: odd rows and columns go to the end.

    The output has ceil(size / stride) rows; PyTorch's own padding is the same on both sides. Source:
    https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2
    """

    def __init__(self, kernel: int, stride: int = 1, value: float = 0.0):
        super().__init__()
        self.kernel, self.stride, self.value = kernel, stride, value

    def forward(self, x: Tensor) -> Tensor:
        height, width = (self._missing(size) for size in x.shape[-2:])
        if not height and not width:
            return x
        return F.pad(x, (width // 2, width - width // 2, height // 2, height - height // 2), value=self.value)

    def _missing(self, size: int) -> int:
        windows = -(-size // self.stride)
        return max((windows - 1) * self.stride + self.kernel - size, 0)


class Preprocessed(nn.Module):
    """A network behind its preprocessing: ``net(preprocess(pixels))``, pixels in [0, 1] of shape (B, C, H, W)."""

    def __init__(self, preprocess: nn.Module, net: nn.Module):
        super().__init__()
        self.preprocess = preprocess
        self.net = net

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.net(self.preprocess(pixels))
        return logits


def with_preprocessing(preprocess: nn.Module, net: nn.Module) -> nn.Module:
    """The network behind a fitted preprocessing; the network itself where that changes nothing."""
    if isinstance(preprocess, nn.Identity):
        return net
    if isinstance(preprocess, ColumnViews):
        preprocess.fold_into(net)
    return Preprocessed(preprocess, net)


class ChannelNormalize(nn.Module):
    """``(pixels - mean) / std``; both of shape (C, 1, 1)."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, pixels: Tensor) -> Tensor:
        return (pixels - self.mean) / self.std


class ColumnNormalize(nn.Module):
    """Each column of each channel over its Euclidean length, then over `divisor`; a black column stays black.

    As ``keras.utils.normalize(x, axis=1)`` on (N, H, W) and (N, H, W, C).
    """

    def __init__(self, divisor: float):
        super().__init__()
        self.divisor = divisor

    def forward(self, pixels: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(pixels, dim=2, keepdim=True)
        return pixels / (torch.where(length == 0, 1.0, length) * self.divisor)


class ColumnViews(nn.Module):
    """From grey (B, 1, H, W) one channel per column: the whole image standardised by that column's statistics.

    All channels are multiples of the same image plus a constant. Where the network begins with a convolution or a
    dense layer, `fold_into` therefore lets that layer take two channels, the image and a plane of ones, with kernels
    summed over the channels: the same function of the same weights at a fourteenth of the operations (Fashion-MNIST),
    up to rounding.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.folded = False

    def fold_into(self, net: nn.Module) -> None:
        first = _first_layer(net)
        self.folded = first is not None
        if first is not None:
            parametrize.register_parametrization(first, "weight", _Folded(self.mean, self.std), unsafe=True)

    def forward(self, pixels: Tensor) -> Tensor:
        if self.folded:
            return torch.cat([pixels, torch.ones_like(pixels)], 1)
        return (pixels - self.mean[:, None, None]) / self.std[:, None, None]


class _Folded(nn.Module):
    """Kernels for the views (out, W, ...) to kernels for the image and the ones (out, 2, ...)."""

    scale: Tensor

    def __init__(self, mean: Tensor, std: Tensor):
        super().__init__()
        # Saved with the weights: a network is built again without the images that it was fitted to.
        self.register_buffer("scale", torch.stack([1 / std, -mean / std]))  # (2, W)

    def forward(self, weight: Tensor) -> Tensor:
        views = weight.reshape(len(weight), self.scale.shape[1], -1)  # (out, W, rest)
        folded = torch.einsum("cw,owr->ocr", self.scale, views)
        return folded.reshape(len(weight), 2, *weight.shape[2:]) if weight.ndim > 2 else folded.flatten(1)


def _first_layer(net: nn.Module) -> nn.Conv2d | nn.Linear | None:
    """The layer that takes the input, where only flattening or zeros around it come before; else None."""
    if isinstance(net, nn.Linear):
        return net
    if isinstance(net, nn.Conv2d):
        return net if net.groups == 1 and net.padding_mode == "zeros" else None
    if isinstance(net, nn.Sequential):
        for part in net:
            if not isinstance(part, nn.Flatten | nn.ZeroPad2d | SamePad):
                return _first_layer(part)
    return None
