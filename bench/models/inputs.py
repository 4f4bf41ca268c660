"""Preprocessing as the first part of a network, so that a saved network includes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn.utils import parametrize

from bench.errors import UserError
from bench.models.layers import SamePad, Shape


class Input(nn.Module, ABC):
    """A network, `net`, behind what is done to its input."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.net(self.prepare(pixels))
        return logits

    @abstractmethod
    def prepare(self, pixels: Tensor) -> Tensor:
        """From pixels in [0, 1], (B, C, H, W), to the network's input."""


class Standardized(Input):
    """``(pixels - mean) / std``."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor, net: nn.Module):
        super().__init__(net)
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def prepare(self, pixels: Tensor) -> Tensor:
        return (pixels - self.mean) / self.std


class ColumnL2(Input):
    """Each column of each channel over its Euclidean length, then over `divisor`; a black column stays black.

    As ``keras.utils.normalize(x, axis=1)`` on (N, H, W) and (N, H, W, C).
    """

    def __init__(self, divisor: float, net: nn.Module):
        super().__init__(net)
        self.divisor = divisor

    def prepare(self, pixels: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(pixels, dim=2, keepdim=True)
        return pixels / (torch.where(length == 0, 1.0, length) * self.divisor)


class ColumnViews(Input):
    """From grey (B, 1, H, W) one channel per column: the whole image standardised by that column's statistics.

    All channels are multiples of the same image plus a constant. Where the network begins with a convolution or a
    dense layer, that layer therefore takes two channels, the image and a plane of ones, with kernels summed over the
    channels: the same function of the same weights at a fourteenth of the work (Fashion-MNIST), up to rounding.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor, net: nn.Module):
        super().__init__(net)
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        first = _first_layer(net)
        self.folded = first is not None
        if first is not None:
            parametrize.register_parametrization(first, "weight", _Folded(mean, std), unsafe=True)

    def prepare(self, pixels: Tensor) -> Tensor:
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


def seen_shape(preprocessing: dict[str, Any], input_shape: Shape) -> Shape:
    """The shape of what the network sees of images of `input_shape`.

    Raises
    ------
    UserError
        `column_standardize` on images with more than one channel.
    """
    if preprocessing["name"] != "column_standardize":
        return input_shape
    channels, height, width = input_shape
    if channels != 1:
        raise UserError(
            f"preprocessing 'column_standardize' makes a channel of each column of grey images, and these have "
            f"{channels} channels; take standardize"
        )
    return width, height, width


def behind(
    preprocessing: dict[str, Any], net: nn.Module, statistics: tuple[ArrayLike, ArrayLike], input_shape: Shape
) -> nn.Module:
    """The network behind a preprocessing entry with its fitted mean and standard deviation."""
    mean, std = (np.asarray(values, dtype=np.float32) for values in statistics)
    if preprocessing["name"] == "column_l2":
        return ColumnL2(preprocessing["divisor"], net)
    if preprocessing["name"] == "column_standardize":
        return ColumnViews(torch.tensor(mean), torch.tensor(std), net)
    for values in (mean, std):
        if np.broadcast_shapes(values.shape, input_shape) != input_shape:
            raise ValueError(f"statistics of shape {values.shape} do not fit images of shape {input_shape}")
    if not mean.any() and (std == 1).all():
        return net
    return Standardized(torch.tensor(mean), torch.tensor(std), net)


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
