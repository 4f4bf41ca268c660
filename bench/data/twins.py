"""Which test pictures are training pictures too, to the last pixel?"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data.dataset import Dataset


@dataclass(frozen=True)
class Twin:
    """Test picture number `test`, of class `label`, and its equals in the training part with their classes."""

    test: int
    label: int
    train: tuple[int, ...]
    train_labels: tuple[int, ...]


def fingerprints(images: NDArray[np.uint8]) -> Iterator[bytes]:
    """BLAKE2b hashes (128 bits) of all pixels of pictures (N, C, H, W), in their order."""
    for image in images:
        yield hashlib.blake2b(image.tobytes(), digest_size=16).digest()


def twins(data: Dataset) -> tuple[Twin, ...]:
    """The test pictures that equal a training picture, by number; equal are those with equal fingerprints."""
    known: dict[bytes, list[int]] = defaultdict(list)
    for number, name in enumerate(fingerprints(data.train_images)):
        known[name].append(number)
    return tuple(
        Twin(number, int(data.test_labels[number]), tuple(known[name]), tuple(data.train_labels[known[name]].tolist()))
        for number, name in enumerate(fingerprints(data.test_images))
        if name in known
    )
