"""Mixup and CutMix: images of one batch mixed with each other, and their labels in the same proportion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Generator, Tensor

from bench.components.augmentations import Mixing
from bench.components.base import Component
from bench.training.random_ops import beta, randint, span_mask, uniform
from bench.user_code.implementations import implementation

Keep = Callable[[Tensor, Generator], Tensor]
"""From images (B, C, H, W) to how much of each pixel is its own, 0 to 1, (B, 1, H, W) or (B, 1, 1, 1)."""

Mix = Callable[[Tensor, Tensor, int, Generator], tuple[Tensor, Tensor]]
"""From images, labels (B,), the number of classes and a generator to mixed images and targets (B, classes)."""


def build(components: Sequence[Component]) -> Mix | None:
    """The mixing of a configuration's augmentations; None where there is none.

    Each image's partner is the one in the same place from the batch's end, as timm has it. Of several mixings each
    image draws one.
    """
    keeps: list[Keep] = [
        partial(implementation(component), **component.parameters)
        for component in components
        if isinstance(component, Mixing)
    ]

    def mix(images: Tensor, labels: Tensor, classes: int, generator: Generator) -> tuple[Tensor, Tensor]:
        mask = keeps[0](images, generator)
        for count, other_mask in enumerate(keeps[1:], start=2):
            mask = torch.where(randint(images, generator, count) == 0, other_mask(images, generator), mask)
        own_weight = mask.mean((1, 2, 3))[:, None]
        targets = images.new_zeros(len(images), classes).scatter_(1, labels[:, None], 1.0)
        return torch.lerp(images.flip(0), images, mask), torch.lerp(targets.flip(0), targets, own_weight)

    return mix if keeps else None


def mixup(images: Tensor, generator: Generator, *, alpha: float, p: float) -> Tensor:
    """The same weight everywhere, from Beta(alpha, alpha) (Zhang et al. 2018, arXiv 1710.09412)."""
    weight = beta(images, generator, alpha)
    return torch.where(uniform(images, generator) < p, weight, 1.0)


def cutmix(images: Tensor, generator: Generator, *, alpha: float, p: float) -> Tensor:
    """A box of the partner's, of an area from Beta(alpha, alpha) (Yun et al. 2019, arXiv 1905.04899).

    Its centre lies anywhere in the image; what is outside is cut off, and the labels follow what is left.
    """
    height, width = images.shape[2:]
    side = (1 - beta(images, generator, alpha)).sqrt()
    rows = span_mask((side * height).floor(), height, images, generator).transpose(2, 3)
    columns = span_mask((side * width).floor(), width, images, generator)
    box = rows & columns & (uniform(images, generator) < p)
    return 1 - box.to(images.dtype)
