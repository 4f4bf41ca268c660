"""The training and validation part, and the statistics of the training part that preprocessing takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.errors import UserError
from bench.suite.schema import Stratified, Tail, Validation

Indices = NDArray[np.int64]


class Labels(NamedTuple):
    """Of the training part, and of the validation part that comes with the data set."""

    train: NDArray[np.int64]
    given: NDArray[np.int64] | None = None


SPLIT_SEED = 0
"""Seed of the stratified split: never the trial's own, so that all seeds share their validation set."""

WILDLY_OFF = 6.0
"""Standard deviations: about one random order of ten classes in 50 million is further off (normal approximation)."""


def split(labels: NDArray[Any], validation: Validation) -> tuple[Indices, Indices]:
    """Indices of the training and of the validation part, each ascending.

    Parameters
    ----------
    labels
        Class numbers, shape (N,).
    validation
        `Tail`: the last fraction, as Keras's ``validation_split``. `Stratified`: the fraction of each class, drawn once
        and for all. ``"none"`` and ``"given"``: everything is for training.

    Raises
    ------
    UserError
        A part without some class, or a tail of ordered labels.
    """
    if isinstance(validation, Tail):
        return tail(labels, validation.tail)
    if isinstance(validation, Stratified):
        return stratified(labels, validation.stratified)
    if validation not in ("given", "none"):
        raise TypeError(f"validation is {validation!r}, expected Tail, Stratified, 'given' or 'none'")
    return np.arange(len(labels), dtype=np.int64), np.empty(0, dtype=np.int64)


def tail(labels: NDArray[Any], fraction: float) -> tuple[Indices, Indices]:
    """The last fraction, unshuffled: training is the first floor(N * (1 - fraction)).

    As Keras does it (keras/src/trainers/data_adapters/array_slicing.py, `train_validation_split`). It stands
    for the whole only where the order is random, so it is refused where either part lacks a class (as with
    labels sorted by class), or where some class's count in the tail is more than six standard deviations of
    the hypergeometric distribution away from the expected one.
    """
    count = len(labels)
    boundary = math.floor(count * (1.0 - fraction))
    _, numbers = np.unique(labels, return_inverse=True)
    totals = np.bincount(numbers)
    tail_counts = np.bincount(numbers[boundary:], minlength=len(totals))
    size = count - boundary
    if np.any(tail_counts == 0) or np.any(tail_counts == totals):
        raise _refused(fraction, f"of the last {size:,} of {count:,} labels and those before, one part lacks a class")
    fractions = totals / count
    deviation = np.sqrt(size * fractions * (1 - fractions) * (count - size) / max(count - 1, 1))
    distance = np.abs(tail_counts - size * fractions)
    if np.any(distance > WILDLY_OFF * deviation):
        worst = int(np.argmax(distance))
        expected = size * fractions[worst]
        unusual = f"{tail_counts[worst]:,} of the last {size:,} labels are of one class, {expected:,.0f} were expected"
        raise _refused(fraction, unusual)
    return np.arange(boundary, dtype=np.int64), np.arange(boundary, count, dtype=np.int64)


def stratified(
    labels: NDArray[Any], fraction: float, setting: str = "validation.stratified"
) -> tuple[Indices, Indices]:
    """The fraction of each class (to the nearest image), the same on every machine for ever.

    Each image draws a number from `numpy.random.RandomState`, whose stream NumPy keeps frozen (NEP 19); the lowest of
    each class are for the second part. A larger fraction therefore holds all of a smaller one. `setting` names the
    fraction in messages.
    """
    random_numbers = np.random.RandomState(SPLIT_SEED).random_sample(len(labels))
    chosen = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        size = int(stratified_sizes(np.array(len(members)), fraction))
        if not 0 < size < len(members):
            raise UserError(
                f"{setting}: {fraction} of the {len(members)} images of class {label} is {size}, but each"
                " part needs at least one image of every class; choose another fraction or use more images"
            )
        chosen[members[np.argsort(random_numbers[members], kind="stable")[:size]]] = True
    return np.flatnonzero(~chosen).astype(np.int64), np.flatnonzero(chosen).astype(np.int64)


def stratified_sizes(sizes: NDArray[np.int64], fraction: float) -> NDArray[np.int64]:
    """How many of classes of these sizes are a fraction of them, to the nearest image."""
    rounded: NDArray[np.int64] = np.floor(sizes * fraction + 0.5).astype(np.int64)
    return rounded


def _refused(fraction: float, reason: str) -> UserError:
    return UserError(
        f"validation.tail: {fraction} is refused, the labels are ordered or too few: {reason}."
        f" Use {{stratified: {fraction}}}, which takes the same fraction of every class"
    )


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
