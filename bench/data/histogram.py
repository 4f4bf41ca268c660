"""How often each of the 256 pixel values occurs, and the exact sums that means and deviations come from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CHUNK = 1024
"""Pictures counted at a time: `bincount` widens its input to eight bytes a pixel."""


def histogram(values: NDArray[np.uint8]) -> list[int]:
    """How often each value from 0 to 255 occurs in an array of shape (N, ...); Python's integers do not overflow."""
    counts = np.zeros(256, dtype=np.int64)
    for start in range(0, len(values), CHUNK):
        counts += np.bincount(values[start : start + CHUNK].ravel(), minlength=256)
    return [int(count) for count in counts]


def exact_sums(counts: Sequence[int]) -> tuple[int, int, int]:
    """Of a histogram: how many values, their sum, and their variance times the number squared.

    Exact integers, so what is divided from them is the same on every machine and in any order of the pictures.
    """
    count = sum(counts)
    total = sum(value * number for value, number in enumerate(counts))
    squares = sum(value * value * number for value, number in enumerate(counts))
    return count, total, count * squares - total * total
