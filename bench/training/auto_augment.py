"""RandAugment and TrivialAugment: for every image one of fourteen operations, with torchvision's ranges.

torchvision draws one operation for a whole batch, from the global random state; here each image draws its own from a
generator. All operations that any image may need are carried out for all of them, and each keeps its own: nothing is
read back from the device. Pixels (B, C, H, W) are floats in [0, 1].

Two operations are written anew, to the same bits, since torchvision's wait for the device: autocontrast writes
through a mask, sharpness copies its kernel from Python's numbers every time.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as tv

from bench.training.augment import randint, resampled, sign

BINS = 31
"""Strengths from 0 to 30, as torchvision counts them."""

OPERATIONS = (
    "Identity",
    "ShearX",
    "ShearY",
    "TranslateX",
    "TranslateY",
    "Rotate",
    "Brightness",
    "Color",
    "Contrast",
    "Sharpness",
    "Posterize",
    "Solarize",
    "AutoContrast",
    "Equalize",
)
"""In torchvision's order and by its names."""


@dataclass(frozen=True)
class Ranges:
    """What each operation does at full strength."""

    shear: float
    translate: tuple[float, float]
    rotate: float
    enhance: float
    bits: int


def rand_augment(images: Tensor, generator: Generator, *, num_ops: int, magnitude: int) -> Tensor:
    """`num_ops` operations in turn, all of strength `magnitude` of 30 (Cubuk et al. 2020, arXiv 1909.13719)."""
    height, width = images.shape[2:]
    ranges = Ranges(shear=0.3, translate=(150 / 331 * width, 150 / 331 * height), rotate=30, enhance=0.9, bits=4)
    for _ in range(num_ops):
        strength = torch.full((len(images), 1, 1, 1), magnitude / (BINS - 1), device=images.device)
        operations = randint(images, generator, len(OPERATIONS))
        images = apply_operation(images, operations, strength, sign(images, generator), ranges)
    return images


def trivial_augment(images: Tensor, generator: Generator) -> Tensor:
    """One operation of any strength (Müller and Hutter 2021, arXiv 2103.10158, the wide ranges)."""
    ranges = Ranges(shear=0.99, translate=(32, 32), rotate=135, enhance=0.99, bits=6)
    operations = randint(images, generator, len(OPERATIONS))
    strength = randint(images, generator, BINS) / (BINS - 1)
    return apply_operation(images, operations, strength, sign(images, generator), ranges)


def apply_operation(images: Tensor, operation: Tensor, strength: Tensor, sign: Tensor, ranges: Ranges) -> Tensor:
    """Each image after its own operation.

    `operation` (an index into OPERATIONS), `strength` (0 to 1) and `sign` (for the operations that have two
    directions) have the shape (B, 1, 1, 1).
    """
    is_operation = {name: operation == index for index, name in enumerate(OPERATIONS)}
    directed = strength * sign
    is_geometric = (
        is_operation["ShearX"]
        | is_operation["ShearY"]
        | is_operation["TranslateX"]
        | is_operation["TranslateY"]
        | is_operation["Rotate"]
    )
    is_enhancement = (
        is_operation["Brightness"] | is_operation["Color"] | is_operation["Contrast"] | is_operation["Sharpness"]
    )
    step = 2 ** (ranges.bits * strength).round()  # of 256 grey values, so many become one
    grey_values = images * 255
    out = torch.where(is_geometric, _moved(images, is_operation, directed, ranges), images)
    out = torch.where(is_enhancement, _enhanced(images, is_operation, 1 + ranges.enhance * directed), out)
    out = torch.where(is_operation["Posterize"], (grey_values.round() / step).floor() * step / 255, out)
    out = torch.where(is_operation["Solarize"] & (images >= 1 - strength), 1 - images, out)
    out = torch.where(is_operation["AutoContrast"], _autocontrast(images), out)
    return torch.where(is_operation["Equalize"], tv.equalize(images), out)


def _moved(images: Tensor, is_operation: dict[str, Tensor], directed: Tensor, ranges: Ranges) -> Tensor:
    """Sheared from the upper left corner, as AutoAugment's authors do, moved by whole pixels, or rotated."""
    height, width = images.shape[2:]
    zero = torch.zeros_like(directed)
    angle = torch.where(is_operation["Rotate"], torch.deg2rad(directed * ranges.rotate), zero)
    shear_x = torch.where(is_operation["ShearX"], directed * ranges.shear, zero)
    shear_y = torch.where(is_operation["ShearY"], directed * ranges.shear, zero)
    right = torch.where(is_operation["TranslateX"], (directed * ranges.translate[0]).trunc(), zero)
    down = torch.where(is_operation["TranslateY"], (directed * ranges.translate[1]).trunc(), zero)
    cos, sin = angle.cos(), angle.sin()
    x, y = shear_x * (height / 2) - right, shear_y * (width / 2) - down
    return resampled(images, cos, shear_x - sin, shear_y + sin, cos, x, y)


def _enhanced(images: Tensor, is_operation: dict[str, Tensor], factor: Tensor) -> Tensor:
    """Away from, or towards, black, grey, evenness or a blur."""
    grey = tv.rgb_to_grayscale(images) if images.shape[1] == 3 else images.mean(1, keepdim=True)
    base = torch.where(is_operation["Contrast"], grey.mean((1, 2, 3), keepdim=True), torch.zeros_like(images))
    base = torch.where(is_operation["Color"], grey if images.shape[1] == 3 else images, base)
    base = torch.where(is_operation["Sharpness"], _blurred(images), base)
    return torch.lerp(base, images, factor.to(images.dtype)).clamp_(0, 1)


def _blurred(images: Tensor) -> Tensor:
    """`tv.adjust_sharpness(images, 0.0)`: a weighted mean of nine pixels, those at the edge left as they are."""
    channels, height, width = images.shape[1:]
    if min(height, width) <= 2:
        return images
    kernel = torch.full((3, 3), 1 / 13, device=images.device)
    kernel[1, 1].fill_(5 / 13)
    out = images.clone()
    inside = out[..., 1:-1, 1:-1]
    inside.add_(F.conv2d(images, kernel.expand(channels, 1, 3, 3), groups=channels).sub_(inside))
    return out.clamp_(0, 1)


def _autocontrast(images: Tensor) -> Tensor:
    """`tv.autocontrast(images)`: each channel stretched from black to white; one that is even stays as it is."""
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    even = high == low
    return ((images - torch.where(even, 0, low)) / torch.where(even, 1, high - low)).clamp_(0, 1)
