"""Preprocessing as the first part of a network, so that a saved network includes it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from bench.models.layers import SamePad


class Preprocessed(nn.Module):
    """A network behind its preprocessing: ``net(preprocess(pixels))``, pixels in [0, 1] of shape (B, C, H, W)."""

    def __init__(self, preprocess: nn.Module, net: nn.Module):
        super().__init__()
        self.preprocess = preprocess
        self.net = net

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.net(self.preprocess(pixels))
        return logits


def behind(preprocess: nn.Module, net: nn.Module) -> nn.Module:
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
        self.register_buffer("scale", torch.stack([1 / std, -mean / std]), persistent=False)  # (2, W)

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
