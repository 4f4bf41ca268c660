"""Random numbers for each image of a batch; and rotation, scaling and shearing about the image's centre.

As in `bench.training.augment`: float pixels (B, C, H, W) in [0, 1] and a generator on their device. What comes in from
outside is black; pixels are interpolated bilinearly.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torch.nn import functional as F


def uniform(images: Tensor, generator: Generator, low: float = 0.0, high: float = 1.0) -> Tensor:
    """One number uniform in [low, high) for each image, shape (B, 1, 1, 1)."""
    numbers = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device)
    return numbers if (low, high) == (0, 1) else numbers * (high - low) + low


def randint(images: Tensor, generator: Generator, count: int) -> Tensor:
    """One of 0 to `count` - 1 for each image, all equally likely, shape (B, 1, 1, 1)."""
    return torch.randint(count, (len(images), 1, 1, 1), generator=generator, device=images.device)


def sign(images: Tensor, generator: Generator) -> Tensor:
    """-1 or 1 for each image, shape (B, 1, 1, 1)."""
    return randint(images, generator, 2) * 2 - 1


def beta(images: Tensor, generator: Generator, alpha: float) -> Tensor:
    """One number from the Beta(alpha, alpha) distribution for each image, shape (B, 1, 1, 1)."""
    # What torch.distributions.Beta draws by; the distribution itself takes no generator.
    concentration = torch.full((len(images), 2), alpha, device=images.device)
    return torch._sample_dirichlet(concentration, generator=generator)[:, :1, None, None]


def span_mask(extent: Tensor, length: int, images: Tensor, generator: Generator) -> Tensor:
    """Which of `length` positions a stretch of whole `extent` around a random one of them covers, (B, 1, 1, length).

    What lies outside is cut off.
    """
    first = randint(images, generator, length) - (extent / 2).floor()
    position = torch.arange(length, device=images.device)
    return (position >= first) & (position < first + extent)


def rotation(images: Tensor, generator: Generator, *, degrees: float) -> Tensor:
    """Rotate by an angle uniform from -`degrees` to `degrees`."""
    angle = torch.deg2rad(uniform(images, generator, -degrees, degrees))
    return resampled(images, angle.cos(), -angle.sin(), angle.sin(), angle.cos())


def scaling(images: Tensor, generator: Generator, *, scale: Sequence[float]) -> Tensor:
    """Enlarge by a factor uniform in `scale`, the same in height and width."""
    shrunk = 1 / uniform(images, generator, *scale)
    zero = torch.zeros_like(shrunk)
    return resampled(images, shrunk, zero, zero, shrunk)


def shearing(images: Tensor, generator: Generator, *, degrees: float) -> Tensor:
    """Slant upright lines by an angle uniform from -`degrees` to `degrees`."""
    slope = torch.deg2rad(uniform(images, generator, -degrees, degrees)).tan()
    return resampled(images, torch.ones_like(slope), slope, torch.zeros_like(slope), torch.ones_like(slope))


def resampled(
    images: Tensor, xx: Tensor, xy: Tensor, yx: Tensor, yy: Tensor, x: Tensor | None = None, y: Tensor | None = None
) -> Tensor:
    """Each image seen through a linear map of its own, of arguments of shape (B, 1, 1, 1).

    The pixel at (h, v), counted from the centre to the right and down, takes its value from
    (xx * h + xy * v + x, yx * h + yy * v + y).
    """
    height, width = images.shape[2:]
    zero = torch.zeros_like(xx)
    x, y = (zero if x is None else x * (2 / width)), (zero if y is None else y * (2 / height))
    # affine_grid counts height and width from -1 to 1 each.
    rows = [xx, xy * (height / width), x, yx * (width / height), yy, y]
    grid = F.affine_grid(torch.cat(rows, 1).view(-1, 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False).clamp_(0, 1)
