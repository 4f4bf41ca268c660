"""Statistics of the pixels of the training part, which preprocessing subtracts and divides by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CHUNK = 1024
"""Images counted at a time: `bincount` widens its input to eight bytes a pixel."""


def histogram(values: NDArray[np.uint8]) -> list[int]:
    """How often each value from 0 to 255 occurs in an array of shape (N, ...); Python's integers do not overflow."""
    counts = np.zeros(256, dtype=np.int64)
    for start in range(0, len(values), CHUNK):
        counts += np.bincount(values[start : start + CHUNK].ravel(), minlength=256)
    return [int(count) for count in counts]


def exact_sums(counts: Sequence[int]) -> tuple[int, int, int]:
    """Of a histogram: how many values, their sum, and their variance times the number squared.

    Exact integers, so what is divided from them is the same on every machine and in any order of the images.
    """
    count = sum(counts)
    total = sum(value * number for value, number in enumerate(counts))
    squares = sum(value * value * number for value, number in enumerate(counts))
    return count, total, count * squares - total * total


@dataclass(frozen=True)
class Statistics:
    """What is taken from pixels in [0, 1] (`mean`) and what they are then divided by (`std`).

    float32 arrays: of shape (C, 1, 1), which broadcast to (C, H, W); of shape (W,) for `column_standardize`, which
    makes a channel of each.
    """

    mean: NDArray[np.float32]
    std: NDArray[np.float32]


def standardize(images: NDArray[np.uint8]) -> Statistics:
    """Mean and population standard deviation of each channel; 1 for the deviation of a constant channel.

    Sums are exact integers over a histogram of the 256 values, so the result is the same to the last bit
    on every machine and in any order of the images.
    """
    moments = [_moments(histogram(images[:, channel])) for channel in range(images.shape[1])]
    mean, std = np.array(moments, dtype=np.float32).T
    return Statistics(mean.reshape(-1, 1, 1), std.reshape(-1, 1, 1))


def column_standardize(images: NDArray[np.uint8]) -> Statistics:
    """Mean and population standard deviation of each column of grey images; 1 for the deviation of a constant one."""
    moments = [_moments(histogram(images[:, :, :, column])) for column in range(images.shape[3])]
    mean, std = np.array(moments, dtype=np.float32).T
    return Statistics(mean, std)


def _moments(counts: list[int]) -> tuple[float, float]:
    """Mean and standard deviation on the [0, 1] scale; Python's integers are exact, its divisions correctly rounded."""
    count, total, spread = exact_sums(counts)
    if count == 0:
        raise ValueError("no pixels to standardize by")
    return total / (255 * count), math.sqrt(spread / (255 * count) ** 2) if spread else 1.0
