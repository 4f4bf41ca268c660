"""RandAugment and TrivialAugment against torchvision's, which draws once for a whole batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from by_name import implementation, rand_augment, trivial_augment
from torchvision.transforms import InterpolationMode
from torchvision.transforms import v2 as transforms
from torchvision.transforms.v2 import functional as tv

from bench.data import Dataset
from bench.training import auto_augment
from bench.training.auto_augment import BINS, OPERATIONS, Ranges

LIKE = {"rand_augment": transforms.RandAugment, "trivial_augment": transforms.TrivialAugmentWide}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def photos(small: Dataset, channels: int) -> torch.Tensor:
    """Real images as bytes; in colour three of them are the channels of one, and it is not square."""
    images = torch.from_numpy(small.train_images[:12])
    return images if channels == 1 else images.view(4, 3, 28, 28)[..., :20]


def ranges_of(name: str, height: int, width: int, monkeypatch: pytest.MonkeyPatch) -> Ranges:
    """What the function itself asks for, caught on its way."""
    caught: list[Ranges] = []

    def catch(images: torch.Tensor, *arguments: Any) -> torch.Tensor:
        caught.append(arguments[-1])
        return images

    with monkeypatch.context() as patch:
        patch.setattr(auto_augment, "apply_operation", catch)
        implementation("augmentation", name)(torch.zeros(1, 1, height, width), seeded())
    return caught[0]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("name", LIKE)
def test_every_operation_at_every_strength_is_torchvisions(
    name: str, operation: str, channels: int, small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = photos(small, channels)
    height, width = images.shape[2:]
    ranges = ranges_of(name, height, width, monkeypatch)
    theirs = LIKE[name](interpolation=InterpolationMode.BILINEAR)
    magnitudes, signed = theirs._AUGMENTATION_SPACE[operation]
    table = magnitudes(BINS, height, width)
    for bin_ in (0, 7, 16, 30):  # not 15, where theirs may move by 16 pixels less a rounding error, cut to 15
        for sign in (1, -1) if signed else (1,):
            magnitude = 0.0 if table is None else float(table[bin_]) * sign
            wanted = theirs._apply_image_or_video_transform(
                images, operation, magnitude, interpolation=InterpolationMode.BILINEAR, fill={}
            )
            shape = (len(images), 1, 1, 1)
            found = auto_augment.apply_operation(
                images / 255,
                torch.full(shape, OPERATIONS.index(operation)),
                torch.full(shape, bin_ / (BINS - 1)),
                torch.full(shape, sign),
                ranges,
            )
            difference = np.abs((found * 255).numpy() - wanted.numpy().astype(float))
            # Theirs is rounded to bytes on its way, ours not; a pixel on an edge may fall to either side.
            assert np.quantile(difference, 0.99) <= 2, (bin_, sign)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("operation", "theirs"), [("AutoContrast", tv.autocontrast), ("Sharpness", lambda x: tv.adjust_sharpness(x, 0.0))]
)
def test_those_that_stand_here_for_torchvision_s_have_its_bits(
    operation: str, theirs: Callable[[torch.Tensor], torch.Tensor], channels: int, small: Dataset
) -> None:
    """At the strength that leaves nothing of the image as it was; one of them is all of one grey."""
    images = photos(small, channels) / 255
    images[0] = 0.3
    shape, whole = (len(images), 1, 1, 1), Ranges(shear=0, translate=(0, 0), rotate=0, enhance=1, bits=0)
    index, full, minus = torch.full(shape, OPERATIONS.index(operation)), torch.ones(shape), -torch.ones(shape)
    assert torch.equal(auto_augment.apply_operation(images, index, full, minus, whole), theirs(images))


@pytest.mark.parametrize("function", [rand_augment, trivial_augment])
def test_pictures_of_one_batch_are_treated_differently(function: Any) -> None:
    one = torch.rand(1, 3, 28, 28, generator=seeded(3))
    after = function(one.repeat(200, 1, 1, 1), seeded())
    kinds = {image.numpy().round(3).tobytes() for image in after}
    assert len(kinds) > 60 if function is trivial_augment else len(kinds) > 100
    unchanged = sum(torch.equal(image, one[0]) for image in after)
    assert 0 < unchanged < 60


def test_operations_are_equally_likely(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[torch.Tensor] = []
    monkeypatch.setattr(
        auto_augment, "apply_operation", lambda images, operation, *_: drawn.append(operation) or images
    )
    rand_augment(torch.zeros(14_000, 1, 2, 2), seeded(), num_ops=2)
    for operation in drawn:
        counts = np.bincount(operation.flatten().numpy())
        assert len(counts) == 14 and counts.min() > 850 and counts.max() < 1150  # 1,000 expected, deviation 30


def test_the_operations_of_a_picture_follow_each_other() -> None:
    images = torch.rand(64, 1, 28, 28, generator=seeded(3))
    generator = seeded()
    once = rand_augment(images, generator, num_ops=1)
    assert torch.equal(rand_augment(images, seeded(), num_ops=2), rand_augment(once, generator, num_ops=1))


def test_no_strength_changes_little() -> None:
    images = (torch.rand(64, 1, 28, 28, generator=seeded(3)) * 255).round() / 255
    kept = rand_augment(images, seeded(), num_ops=1, magnitude=0)
    same = (kept - images).abs().amax((1, 2, 3)) < 1e-4
    # Of fourteen operations, two have no strength: contrast stretched, histogram made even.
    assert 0.7 < float(same.float().mean()) < 1
