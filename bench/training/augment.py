"""Augmentation of whole batches on their device, drawn separately for every image.

Every function takes float pixels in [0, 1] of shape (B, C, H, W) and a generator on their device, and returns new
pixels of the same shape; all channels of an image are treated alike. None waits for the device: no value is read
back, and nothing depends on how many images were hit. What comes in from outside is black, and pixels are interpolated
bilinearly. Mixup and CutMix mix the images of one batch, and their labels in the same proportion.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from bench.components.base import Component
from bench.components.image_transforms import Augmentation, Mixing
from bench.errors import UserError
from bench.user_code.run_code import check_parameters, code_location, implementation


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


Augment = Callable[[Tensor, Generator], Tensor]


def create_augmentation(components: Sequence[Component]) -> tuple[Augment | None, Augment | None]:
    """Compose a configuration's augmentations, in their order; mixings are for `create_mixing`.

    Returns
    -------
    static, per_batch : callable or None
        ``f(images, generator)`` of those with ``static: true``, to be drawn once before training, and of the others, to
        be drawn for every batch; None where there is none.
    """
    augmentations = [component for component in components if isinstance(component, Augmentation)]
    static = [_bound(component) for component in augmentations if component.static]
    per_batch = [_bound(component) for component in augmentations if not component.static]
    return _composed(static), _composed(per_batch)


def build_validation(components: Sequence[Component]) -> Augment | None:
    """Compose the augmentations with ``validation_too: true``, to be drawn once for the validation images."""
    return _composed(
        [
            _bound(component)
            for component in components
            if isinstance(component, Augmentation) and component.validation_too
        ]
    )


def check(components: Sequence[Component], shape: tuple[int, int, int]) -> None:
    """UserError unless the augmentations can be drawn for images of `shape` (C, H, W), tried on two."""
    stream = Generator().manual_seed(0)
    size = " x ".join(map(str, shape[1:]))
    for component in components:
        if not isinstance(component, Augmentation):
            continue
        images = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
        step = _bound(component)
        if component.user_code:
            check_parameters(component, implementation(component), (images, stream), component.parameters)
        try:
            augmented = step(images, stream)
        except UserError:
            raise
        except Exception as error:  # padding by a million pixels
            if not component.user_code and not isinstance(
                error, RuntimeError | OverflowError | MemoryError | TypeError
            ):
                raise
            reason = str(error).partition("\n")[0]
            if component.user_code:
                raise UserError(
                    f"augmentation {component.name!r} fails on images of {size}: {type(error).__name__}: {reason}"
                    f"{code_location(component, error)}"
                ) from error
            raise UserError(f"an augmentation cannot be carried out on images of {size}: {reason}") from error
        if component.user_code:
            _check_images(component, augmented, images)


def _check_images(component: Component, augmented: object, images: Tensor) -> None:
    """UserError for anything but images of the same shape and type."""
    if isinstance(augmented, Tensor) and (augmented.shape, augmented.dtype) == (images.shape, images.dtype):
        return
    returned = type(augmented).__name__
    if isinstance(augmented, Tensor):
        returned = f"{augmented.dtype} of shape {tuple(augmented.shape)}"
    raise UserError(
        f"augmentation {component.name!r} returns {returned}, expected images as it was given: float32 of shape "
        f"{tuple(images.shape)}"
    )


def flip(images: Tensor, generator: Generator, *, p: float) -> Tensor:
    """Mirror left and right with probability `p`."""
    flipped = uniform(images, generator) < p
    # lerp with a weight of 0 or 1 gives one of its two ends exactly, and is faster than torch.where.
    return torch.lerp(images, images.flip(-1), flipped.to(images.dtype))


def shift(images: Tensor, generator: Generator, *, vertical: int, horizontal: int) -> Tensor:
    """Move by whole pixels, uniform from -`vertical` to `vertical` and likewise across; black comes in."""
    return _windows(F.pad(images, (horizontal, horizontal, vertical, vertical)), images.shape, generator)


def crop(images: Tensor, generator: Generator, *, padding: int, mode: str) -> Tensor:
    """Pad every side ('constant' is black), then crop the original size at a uniformly random position.

    Raises
    ------
    UserError
        Mode 'reflect' with a padding not smaller than the image, which has nothing left to mirror.
    """
    if mode == "reflect" and padding >= min(images.shape[2:]):
        size = " x ".join(map(str, images.shape[2:]))
        raise UserError(
            f"augmentation crop: padding {padding} with mode reflect needs images larger than {padding} pixels, "
            f"these are {size}; use a smaller padding or mode replicate"
        )
    return _windows(F.pad(images, (padding,) * 4, mode=mode), images.shape, generator)


def gaussian_noise(images: Tensor, generator: Generator, *, sigma: float) -> Tensor:
    """Add independent normal noise of standard deviation `sigma` to every value and clip to [0, 1]."""
    return torch.empty_like(images).normal_(0, sigma, generator=generator).add_(images).clamp_(0, 1)


def random_erasing(
    images: Tensor,
    generator: Generator,
    *,
    p: float,
    area: Sequence[float],
    aspect: Sequence[float],
    fill: str,
) -> Tensor:
    """Erase one rectangle per image with probability `p` (Zhong et al. 2020, arXiv 1708.04896).

    Its fraction of the image is uniform in `area` and its height over width log-uniform in `aspect`, as torchvision
    and timm draw it (the paper draws it uniformly, which favours tall rectangles). Sides are rounded to whole pixels,
    at least 1. Where the paper draws again because a side exceeds the image, that side is clipped: retries would
    have to look at the values drawn. Every place inside the image is equally likely.

    Parameters
    ----------
    fill : {'zero', 'noise'}
        Black, or independent values uniform in [0, 1] as in the paper.
    """
    height, width = images.shape[2:]
    erased = uniform(images, generator) < p
    area_fraction = uniform(images, generator) * (area[1] - area[0]) + area[0]
    ratio = torch.exp(uniform(images, generator) * math.log(aspect[1] / aspect[0]) + math.log(aspect[0]))
    size = area_fraction * (height * width)
    rows = _span(torch.sqrt(size * ratio), height, images, generator) & erased
    columns = _span(torch.sqrt(size / ratio), width, images, generator)
    inside = rows.to(images.dtype).transpose(2, 3) * columns.to(images.dtype)
    filling = images.new_zeros(()) if fill == "zero" else torch.empty_like(images).uniform_(generator=generator)
    return torch.lerp(images, filling, inside)


def cutout(images: Tensor, generator: Generator, *, size: int, p: float) -> Tensor:
    """Blacken a square of `size` pixels with probability `p` (DeVries and Taylor 2017, arXiv 1708.04552).

    Its centre lies anywhere in the image; what is outside is cut off.
    """
    height, width = images.shape[2:]
    erased = uniform(images, generator) < p
    extent = torch.full_like(erased, size, dtype=torch.long)
    rows = span_mask(extent, height, images, generator).transpose(2, 3)
    return images * ~(rows & span_mask(extent, width, images, generator) & erased)


def _bound(component: Component) -> Augment:
    return partial(implementation(component), **component.parameters)


def _composed(steps: list[Augment]) -> Augment | None:
    def apply(images: Tensor, generator: Generator) -> Tensor:
        for step in steps:
            images = step(images, generator)
        return images

    return apply if steps else None


def _windows(padded: Tensor, shape: torch.Size, generator: Generator) -> Tensor:
    """A window of `shape` from each padded image, every place equally likely.

    Each row of the result is one run of the padded memory, copied whole. On a CPU this is faster than
    indexing a view of all windows, and than torch.gather.
    """
    count, channels, height, width = shape
    rows, columns = padded.shape[2:]
    ints = partial(torch.arange, device=padded.device)
    top = torch.randint(rows - height + 1, (count, 1, 1), generator=generator, device=padded.device)
    left = torch.randint(columns - width + 1, (count, 1, 1), generator=generator, device=padded.device)
    plane = ints(count).view(-1, 1, 1) * channels + ints(channels).view(1, -1, 1)
    starts = (plane * rows + top + ints(height)) * columns + left
    return padded.flatten().unfold(0, width, 1).index_select(0, starts.flatten()).view(shape)


def _span(side: Tensor, length: int, images: Tensor, generator: Generator) -> Tensor:
    """Which of `length` positions a stretch of about `side` pixels at a random place covers, (B, 1, 1, length)."""
    side = side.round().clamp(1, length)
    first = torch.floor(uniform(images, generator) * (length - side + 1))
    position = torch.arange(length, device=images.device)
    return (position >= first) & (position < first + side)


Keep = Callable[[Tensor, Generator], Tensor]
"""From images (B, C, H, W) to how much of each pixel is its own, 0 to 1, (B, 1, H, W) or (B, 1, 1, 1)."""

Mix = Callable[[Tensor, Tensor, int, Generator], tuple[Tensor, Tensor]]
"""From images, labels (B,), the number of classes and a generator to mixed images and targets (B, classes)."""


def create_mixing(components: Sequence[Component]) -> Mix | None:
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
