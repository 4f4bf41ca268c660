"""What is in a dataset? Sizes, classes, pixel values, mean images, samples and exact duplicates."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from bench.characters import escaped_line
from bench.data.dataset import Dataset
from bench.data.scaling import CHUNK, exact_sums, histogram
from bench.data.splits import split


@dataclass(frozen=True)
class DuplicateImage:
    """Test image number `test`, of class `label`, and its equals in the training part with their classes."""

    test: int
    label: int
    train: tuple[int, ...]
    train_labels: tuple[int, ...]


def fingerprints(images: NDArray[np.uint8]) -> Iterator[bytes]:
    """BLAKE2b hashes (128 bits) of all pixels of images (N, C, H, W), in their order."""
    for image in images:
        yield hashlib.blake2b(image.tobytes(), digest_size=16).digest()


def duplicate_images(data: Dataset) -> tuple[DuplicateImage, ...]:
    """The test images that equal a training image, by number; equal are those with equal fingerprints."""
    known: dict[bytes, list[int]] = defaultdict(list)
    for number, name in enumerate(fingerprints(data.train_images)):
        known[name].append(number)
    return tuple(
        DuplicateImage(
            number, int(data.test_labels[number]), tuple(known[name]), tuple(data.train_labels[known[name]].tolist())
        )
        for number, name in enumerate(fingerprints(data.test_images))
        if name in known
    )


Part = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Images (N, C, H, W) and their labels (N,)."""

TITLES = {"train": "training", "validation": "validation", "test": "test"}


@dataclass(frozen=True)
class PixelStatistics:
    """Values from 0 to 255 of a part, over all pixels of the channel; `histogram` counts each value."""

    channel: str
    minimum: int
    maximum: int
    mean: float
    deviation: float
    histogram: NDArray[np.int64]


@dataclass(frozen=True)
class Duplicates:
    """`images` that equal another one to the last pixel, `otherwise` of them with a label that differs."""

    where: str
    images: int
    otherwise: int


@dataclass(frozen=True)
class Exploration:
    """What a look at a dataset finds.

    `counts` maps `train` and `test`, and `validation` between them where the training part was split, to images per
    class; `samples` are uint8 (classes, n, C, H, W), black where a class has fewer than n; `mean_image` is float64
    (C, H, W), `class_means` (classes, C, H, W). These and `pixels` are of the training part, without the validation
    part, whose values are in `validation_pixels`.
    """

    name: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    counts: dict[str, NDArray[np.int64]]
    pixels: tuple[PixelStatistics, ...]
    samples: NDArray[np.uint8]
    mean_image: NDArray[np.float64]
    class_means: NDArray[np.float64]
    duplicates: tuple[Duplicates, ...]
    sha256: str
    source: str
    validation_pixels: tuple[PixelStatistics, ...] = ()


def explore(data: Dataset, samples: int = 10, validation: dict[str, float] | None = None) -> Exploration:
    """Look at a dataset; `samples` is how many images of each class are kept, the first of the training part.

    With `validation`, as in a suite file (``{"tail": 0.2}``), the training part is split as trials split it.
    UserError where `bench.data.splits.split` refuses that.
    """
    held_out = None
    if validation is not None:
        learnt, held_out_from = split(data.train_labels, validation)
        held_out = data.train_images[held_out_from], data.train_labels[held_out_from]
        data = replace(data, train_images=data.train_images[learnt], train_labels=data.train_labels[learnt])
    channels, height, width = data.train_images.shape[1:]
    count = len(data.classes)
    shown = np.zeros((count, samples, channels, height, width), dtype=np.uint8)
    means = np.zeros((count, channels, height, width))
    for number in range(count):
        members = np.flatnonzero(data.train_labels == number)
        shown[number, : len(members[:samples])] = data.train_images[members[:samples]]
        means[number] = _sum(data.train_images, members) / max(len(members), 1)
    parts = {"train": (data.train_images, data.train_labels)}
    parts |= {"validation": held_out} if held_out else {}
    parts |= {"test": (data.test_images, data.test_labels)}
    counts = {part: np.bincount(labels, minlength=count).astype(np.int64) for part, (_, labels) in parts.items()}
    return Exploration(
        data.name,
        data.classes,
        (channels, height, width),
        counts,
        pixels(data.train_images),
        shown,
        np.average(means, axis=0, weights=counts["train"]),
        means,
        duplicates(parts),
        data.sha256,
        escaped_line(str(data.source)),
        pixels(held_out[0]) if held_out else (),
    )


def pixels(images: NDArray[np.uint8]) -> tuple[PixelStatistics, ...]:
    """The values of uint8 images (N, C, H, W): of all channels together, and of each where there are several."""
    names = ["red", "green", "blue"] if images.shape[1] == 3 else [f"channel {i + 1}" for i in range(images.shape[1])]
    histograms = [histogram(images[:, channel]) for channel in range(images.shape[1])]
    together = [sum(counts) for counts in zip(*histograms, strict=True)]
    if len(histograms) == 1:
        return (_pixels("all", together),)
    return (
        _pixels("all", together),
        *(_pixels(name, counts) for name, counts in zip(names, histograms, strict=True)),
    )


def duplicates(parts: dict[str, Part]) -> tuple[Duplicates, ...]:
    """Exact duplicates within each part, and of an earlier part's images in a later one.

    Within a part, an image counts that equals an earlier one; across two, one of the later that is in the earlier.
    Equal are images whose BLAKE2b hashes (128 bits) of all pixels are.
    """
    hashed = {TITLES[part]: _by_hash(images, labels) for part, (images, labels) in parts.items()}
    return (
        *(_within(f"within the {part} part", labels) for part, labels in hashed.items()),
        *(_across(part, hashed[part], other, hashed[other]) for part, other in combinations(hashed, 2)),
    )


def _within(where: str, labels: dict[bytes, list[int]]) -> Duplicates:
    several = [found for found in labels.values() if len(found) > 1]
    otherwise = sum(label != found[0] for found in several for label in found[1:])
    return Duplicates(where, sum(len(found) - 1 for found in several), otherwise)


def _across(part: str, known: dict[bytes, list[int]], other: str, labels: dict[bytes, list[int]]) -> Duplicates:
    both = [(known[key], found) for key, found in labels.items() if key in known]
    return Duplicates(
        f"of {part} images in the {other} part",
        sum(len(found) for _, found in both),
        sum(any(label != other for other in before) for before, found in both for label in found),
    )


def _by_hash(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> dict[bytes, list[int]]:
    """Labels of the images, in their order, by the hash of their pixels."""
    found: dict[bytes, list[int]] = defaultdict(list)
    for name, label in zip(fingerprints(images), labels.tolist(), strict=True):
        found[name].append(label)
    return found


def _pixels(channel: str, counts: list[int]) -> PixelStatistics:
    present = np.flatnonzero(counts)
    count, total, spread = exact_sums(counts)
    deviation = math.sqrt(spread) / count
    return PixelStatistics(
        channel, int(present[0]), int(present[-1]), total / count, deviation, np.array(counts, np.int64)
    )


def _sum(images: NDArray[np.uint8], members: NDArray[np.int64]) -> NDArray[np.int64]:
    whole = np.zeros(images.shape[1:], dtype=np.int64)
    for start in range(0, len(members), CHUNK):
        whole += images[members[start : start + CHUNK]].sum(axis=0, dtype=np.int64)
    return whole
