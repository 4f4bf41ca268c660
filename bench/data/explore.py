"""What is in a dataset? Sizes, classes, pixel values, mean pictures, samples and exact duplicates."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data.dataset import Dataset

_CHUNK = 1024
"""Pictures counted at a time: `bincount` widens its input to eight bytes a pixel."""


@dataclass(frozen=True)
class Pixels:
    """Values from 0 to 255 of a training part, over all pixels of the channel; `histogram` counts each value."""

    channel: str
    minimum: int
    maximum: int
    mean: float
    deviation: float
    histogram: NDArray[np.int64]


@dataclass(frozen=True)
class Duplicates:
    """`pictures` that equal another one to the last pixel, `otherwise` of them with a label that differs."""

    where: str
    pictures: int
    otherwise: int


@dataclass(frozen=True)
class Exploration:
    """What a look at a dataset finds.

    `counts` maps `train` and `test` to pictures per class; `samples` are uint8 (classes, n, C, H, W), black where a
    class has fewer than n; `mean_picture` is float64 (C, H, W), `class_means` (classes, C, H, W), both of the
    training part.
    """

    name: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    counts: dict[str, NDArray[np.int64]]
    pixels: tuple[Pixels, ...]
    samples: NDArray[np.uint8]
    mean_picture: NDArray[np.float64]
    class_means: NDArray[np.float64]
    duplicates: tuple[Duplicates, ...]
    sha256: str
    source: str


def explore(data: Dataset, samples: int = 10) -> Exploration:
    """Look at a dataset; `samples` is how many pictures of each class are kept, the first of the training part."""
    channels, height, width = data.train_images.shape[1:]
    count = len(data.classes)
    shown = np.zeros((count, samples, channels, height, width), dtype=np.uint8)
    means = np.zeros((count, channels, height, width))
    for number in range(count):
        members = np.flatnonzero(data.train_labels == number)
        shown[number, : len(members[:samples])] = data.train_images[members[:samples]]
        means[number] = _sum(data.train_images, members) / max(len(members), 1)
    counts = {
        part: np.bincount(labels, minlength=count).astype(np.int64)
        for part, labels in (("train", data.train_labels), ("test", data.test_labels))
    }
    return Exploration(
        data.name,
        data.classes,
        (channels, height, width),
        counts,
        pixels(data.train_images),
        shown,
        np.average(means, axis=0, weights=counts["train"]),
        means,
        duplicates(data),
        data.sha256,
        str(data.source),
    )


def pixels(images: NDArray[np.uint8]) -> tuple[Pixels, ...]:
    """The values of uint8 pictures (N, C, H, W): of all channels together, and of each where there are several."""
    names = ["red", "green", "blue"] if images.shape[1] == 3 else [f"channel {i + 1}" for i in range(images.shape[1])]
    histograms = [_histogram(images[:, channel]) for channel in range(images.shape[1])]
    together = np.sum(histograms, axis=0)
    if len(histograms) == 1:
        return (_pixels("all", together),)
    return (
        _pixels("all", together),
        *(_pixels(name, histogram) for name, histogram in zip(names, histograms, strict=True)),
    )


def duplicates(data: Dataset) -> tuple[Duplicates, ...]:
    """Exact duplicates within the training part, within the test part, and of the one in the other.

    Within a part, a picture counts that equals an earlier one; across, a test picture that is among the training
    pictures. Equal are pictures whose BLAKE2b hashes (128 bits) of all pixels are.
    """
    train, test = _by_hash(data.train_images, data.train_labels), _by_hash(data.test_images, data.test_labels)
    both = [(train[key], labels) for key, labels in test.items() if key in train]
    return (
        _within("within the training part", train),
        _within("within the test part", test),
        Duplicates(
            "of training pictures in the test part",
            sum(len(labels) for _, labels in both),
            sum(any(label != other for other in known) for known, labels in both for label in labels),
        ),
    )


def _within(where: str, labels: dict[bytes, list[int]]) -> Duplicates:
    several = [found for found in labels.values() if len(found) > 1]
    otherwise = sum(label != found[0] for found in several for label in found[1:])
    return Duplicates(where, sum(len(found) - 1 for found in several), otherwise)


def _by_hash(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> dict[bytes, list[int]]:
    """Labels of the pictures, in their order, by the hash of their pixels."""
    found: dict[bytes, list[int]] = defaultdict(list)
    for image, label in zip(images, labels.tolist(), strict=True):
        found[hashlib.blake2b(image.tobytes(), digest_size=16).digest()].append(label)
    return found


def _histogram(values: NDArray[np.uint8]) -> NDArray[np.int64]:
    counts = np.zeros(256, dtype=np.int64)
    for start in range(0, len(values), _CHUNK):
        counts += np.bincount(values[start : start + _CHUNK].ravel(), minlength=256)
    return counts


def _pixels(channel: str, histogram: NDArray[np.int64]) -> Pixels:
    present = np.flatnonzero(histogram)
    counts = [int(count) for count in histogram]  # Python's integers do not overflow
    count = sum(counts)
    total = sum(value * number for value, number in enumerate(counts))
    squares = sum(value * value * number for value, number in enumerate(counts))
    deviation = math.sqrt(count * squares - total * total) / count
    return Pixels(channel, int(present[0]), int(present[-1]), total / count, deviation, histogram)


def _sum(images: NDArray[np.uint8], members: NDArray[np.int64]) -> NDArray[np.int64]:
    whole = np.zeros(images.shape[1:], dtype=np.int64)
    for start in range(0, len(members), _CHUNK):
        whole += images[members[start : start + _CHUNK]].sum(axis=0, dtype=np.int64)
    return whole
