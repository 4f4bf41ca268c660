"""Numbers drawn separately for every picture of a batch, on its device."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def uniform(images: Tensor, generator: Generator, low: float = 0.0, high: float = 1.0) -> Tensor:
    """One number uniform in [low, high) for each picture, shape (B, 1, 1, 1)."""
    drawn = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device)
    return drawn if (low, high) == (0, 1) else drawn * (high - low) + low


def whole(images: Tensor, generator: Generator, count: int) -> Tensor:
    """One of 0 to `count` - 1 for each picture, all equally likely, shape (B, 1, 1, 1)."""
    return torch.randint(count, (len(images), 1, 1, 1), generator=generator, device=images.device)


def sign(images: Tensor, generator: Generator) -> Tensor:
    """-1 or 1 for each picture, shape (B, 1, 1, 1)."""
    return whole(images, generator, 2) * 2 - 1


def beta(images: Tensor, generator: Generator, alpha: float) -> Tensor:
    """One number from the Beta(alpha, alpha) distribution for each picture, shape (B, 1, 1, 1)."""
    # What torch.distributions.Beta draws by; the distribution itself takes no generator.
    both = torch.full((len(images), 2), alpha, device=images.device)
    return torch._sample_dirichlet(both, generator=generator)[:, :1, None, None]


def around(extent: Tensor, length: int, images: Tensor, generator: Generator) -> Tensor:
    """Which of `length` positions a stretch of whole `extent` around a random one of them covers, (B, 1, 1, length).

    What lies outside is cut off.
    """
    first = whole(images, generator, length) - (extent / 2).floor()
    position = torch.arange(length, device=images.device)
    return (position >= first) & (position < first + extent)
