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

from bench.data.dataset import Dataset
from bench.data.prepare import CHUNK, exact_sums, histogram, split
from bench.errors import UserError, escaped_line
from bench.suite.schema import Validation


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
    for number, digest in enumerate(fingerprints(data.train_images)):
        known[digest].append(number)
    return tuple(
        DuplicateImage(
            number,
            int(data.test_labels[number]),
            tuple(known[digest]),
            tuple(data.train_labels[known[digest]].tolist()),
        )
        for number, digest in enumerate(fingerprints(data.test_images))
        if digest in known
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

    `counts` maps `train` and `test`, and `validation` between them where there is one, to images per class; `samples`
    are uint8 (classes, n, C, H, W), black where a class has fewer than n; `mean_image` is float64 (C, H, W),
    `class_means` (classes, C, H, W). These and `pixels` are of the training part, without the validation part, whose
    values are in `validation_pixels`.
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


def explore(data: Dataset, samples: int = 10, validation: Validation | None = None) -> Exploration:
    """Look at a dataset; `samples` is how many images of each class it shows, the first of the training part.

    With `validation` the training part is split as trials split it; else the validation part is that which comes with
    the data set. UserError where `bench.data.prepare.split` refuses that, or none comes with it.
    """
    validation_part = None
    if validation == "given" and data.val_images is None:
        raise UserError(f"{data.name} comes without a validation part; leave out --validation given")
    if validation in (None, "given") and data.val_images is not None and data.val_labels is not None:
        validation_part = data.val_images, data.val_labels
    elif validation is not None:
        train_indices, validation_indices = split(data.train_labels, validation)
        validation_part = data.train_images[validation_indices], data.train_labels[validation_indices]
        data = replace(
            data, train_images=data.train_images[train_indices], train_labels=data.train_labels[train_indices]
        )
    channels, height, width = data.train_images.shape[1:]
    n_classes = len(data.classes)
    sample_images = np.zeros((n_classes, samples, channels, height, width), dtype=np.uint8)
    means = np.zeros((n_classes, channels, height, width))
    for number in range(n_classes):
        members = np.flatnonzero(data.train_labels == number)
        sample_images[number, : len(members[:samples])] = data.train_images[members[:samples]]
        means[number] = _sum(data.train_images, members) / max(len(members), 1)
    parts = {"train": (data.train_images, data.train_labels)}
    parts |= {"validation": validation_part} if validation_part else {}
    parts |= {"test": (data.test_images, data.test_labels)}
    counts = {part: np.bincount(labels, minlength=n_classes).astype(np.int64) for part, (_, labels) in parts.items()}
    return Exploration(
        data.name,
        data.classes,
        (channels, height, width),
        counts,
        pixels(data.train_images),
        sample_images,
        np.average(means, axis=0, weights=counts["train"]),
        means,
        duplicates(parts),
        data.sha256,
        escaped_line(str(data.source)),
        pixels(validation_part[0]) if validation_part else (),
    )


def pixels(images: NDArray[np.uint8]) -> tuple[PixelStatistics, ...]:
    """The values of uint8 images (N, C, H, W): of all channels together, and of each where there are several."""
    names = ["red", "green", "blue"] if images.shape[1] == 3 else [f"channel {i + 1}" for i in range(images.shape[1])]
    histograms = [histogram(images[:, channel]) for channel in range(images.shape[1])]
    all_channels = [sum(counts) for counts in zip(*histograms, strict=True)]
    if len(histograms) == 1:
        return (_pixels("all", all_channels),)
    return (
        _pixels("all", all_channels),
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
    groups = [group for group in labels.values() if len(group) > 1]
    relabelled = sum(label != group[0] for group in groups for label in group[1:])
    return Duplicates(where, sum(len(group) - 1 for group in groups), relabelled)


def _across(part: str, known: dict[bytes, list[int]], later_part: str, labels: dict[bytes, list[int]]) -> Duplicates:
    shared = [(known[key], later_labels) for key, later_labels in labels.items() if key in known]
    return Duplicates(
        f"of {part} images in the {later_part} part",
        sum(len(later_labels) for _, later_labels in shared),
        sum(
            any(label != earlier_label for earlier_label in earlier_labels)
            for earlier_labels, later_labels in shared
            for label in later_labels
        ),
    )


def _by_hash(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> dict[bytes, list[int]]:
    """Labels of the images, in their order, by the hash of their pixels."""
    labels_by_hash: dict[bytes, list[int]] = defaultdict(list)
    for digest, label in zip(fingerprints(images), labels.tolist(), strict=True):
        labels_by_hash[digest].append(label)
    return labels_by_hash


def _pixels(channel: str, counts: list[int]) -> PixelStatistics:
    present = np.flatnonzero(counts)
    count, total, spread = exact_sums(counts)
    deviation = math.sqrt(spread) / count
    return PixelStatistics(
        channel, int(present[0]), int(present[-1]), total / count, deviation, np.array(counts, np.int64)
    )


def _sum(images: NDArray[np.uint8], members: NDArray[np.int64]) -> NDArray[np.int64]:
    total = np.zeros(images.shape[1:], dtype=np.int64)
    for start in range(0, len(members), CHUNK):
        total += images[members[start : start + CHUNK]].sum(axis=0, dtype=np.int64)
    return total
