"""Which images of the training part are trained on, and with which labels? Fraction, long tail, label noise.

The validation part is split off first and stays as it is. Everything is drawn from the trial's seed, image by image
over all training images: one seed's images of 1 % are among its images of 10 %, and an image has the same label at
every fraction. Seeds differ in their images and their wrong labels as they differ in their start values, so that the
interval over seeds covers that draw too (Bouthillier et al. 2021, arXiv 2103.03098).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data.prepare import Indices, stratified_sizes
from bench.errors import UserError, plural

Labels = NDArray[np.int64]
Sizes = NDArray[np.int64]
"""Of every class: a number of images."""


@dataclass(frozen=True)
class TrainingPart:
    """What a network is trained on: `indices` (n,), ascending, and the `labels` (N,) of all training images.

    The labels outside of `indices` are the true ones.
    """

    indices: Indices
    labels: Labels
    n_wrong: int
    """How many of the labels at `indices` are not the true ones."""


def training_part(
    labels: Labels,
    classes: int,
    train: Indices,
    seed: int,
    fraction: float,
    imbalance: Callable[[Sizes], Sizes],
    label_noise: Callable[[Labels, int, np.random.RandomState], Labels],
) -> TrainingPart:
    """Apply a configuration's `fraction`, `imbalance` and `label_noise`, in this order, to the indices of `train`.

    Parameters
    ----------
    labels
        The true labels of all training images, (N,).
    imbalance
        Maps how many images each class has to how many it keeps.
    label_noise
        Maps the labels (N,) and the number of classes to labels (N,), with random numbers from its last argument.

    Raises
    ------
    UserError
        A class that has images would have none, or there are too few classes for wrong labels.
    """
    sizes = _sizes(labels[train], classes)
    indices = _lowest(labels, train, fraction_sizes(sizes, fraction), seed)
    indices = _lowest(labels, indices, tail_sizes(_sizes(labels[indices], classes), imbalance), seed)
    noisy = labels.copy()
    changed = label_noise(labels.copy(), classes, _random(seed, "label noise"))
    noisy[indices] = _checked_labels(changed, labels, classes)[indices]
    return TrainingPart(indices, noisy, int((noisy != labels).sum()))


def fraction_sizes(sizes: Sizes, fraction: float) -> Sizes:
    """The fraction of each class's images, to the nearest one; UserError where a class would have none."""
    smaller = stratified_sizes(sizes, fraction)
    _refuse_empty(sizes, smaller, f"fraction: {fraction:g}")
    return smaller


def tail_sizes(sizes: Sizes, imbalance: Callable[[Sizes], Sizes]) -> Sizes:
    """How many images each class keeps; UserError where a class would have none, or more than it has."""
    smaller = np.asarray(imbalance(sizes.copy()))
    if smaller.shape != sizes.shape or not np.issubdtype(smaller.dtype, np.integer) or np.any(smaller > sizes):
        raise UserError(
            f"imbalance: of classes of {sizes.tolist()} images it keeps {smaller.tolist()}, expected a whole number "
            "for each class, at most what it has"
        )
    _refuse_empty(sizes, smaller, "imbalance")
    return smaller.astype(np.int64)


def _checked_labels(changed: Labels, labels: Labels, classes: int) -> Labels:
    """What a `label_noise` returned; UserError unless it is a label for each image."""
    changed = np.asarray(changed)
    in_range = np.issubdtype(changed.dtype, np.integer) and changed.shape == labels.shape
    if not in_range or changed.min() < 0 or changed.max() >= classes:
        raise UserError(
            f"label_noise: it makes {changed.dtype} of shape {changed.shape} of {len(labels)} labels, expected as many "
            f"whole numbers from 0 to {classes - 1}"
        )
    return changed.astype(np.int64)


def all_images(sizes: Sizes) -> Sizes:
    """Every class as it is."""
    return sizes


def exponential(sizes: Sizes, ratio: float) -> Sizes:
    """Class i of C keeps ``ratio ** (-i / (C - 1))`` of its images, to the nearest one.

    Cui et al. 2019 (arXiv 1901.05555, section 5.1) for classes of equal size, where they round down.
    """
    position = np.arange(len(sizes)) / max(len(sizes) - 1, 1)
    smaller: Sizes = np.floor(sizes * ratio**-position + 0.5).astype(np.int64)
    return smaller


def true_labels(labels: Labels, classes: int, random: np.random.RandomState) -> Labels:  # noqa: ARG001
    """The labels as they are."""
    return labels


def symmetric(labels: Labels, classes: int, random: np.random.RandomState, rate: float) -> Labels:
    """Each label is, with the probability `rate`, another class; a higher rate changes all that a lower one does."""
    _refuse_single_class(classes)
    wrong = random.random_sample(len(labels)) < rate
    other = (labels + random.randint(1, classes, len(labels))) % classes
    return np.where(wrong, other, labels)


def asymmetric(labels: Labels, classes: int, random: np.random.RandomState, rate: float) -> Labels:
    """Each label is, with the probability `rate`, the next class (pair flip, Han et al. 2018, arXiv 1804.06872)."""
    _refuse_single_class(classes)
    wrong = random.random_sample(len(labels)) < rate
    return np.where(wrong, (labels + 1) % classes, labels)


def _lowest(labels: Labels, indices: Indices, sizes: Sizes, seed: int) -> Indices:
    """Of each class the images that drew the lowest numbers: those of smaller sizes are among those of larger ones."""
    if len(indices) == sizes.sum():
        return indices
    numbers = _random(seed, "training part").random_sample(len(labels))
    ordered = indices[np.argsort(numbers[indices], kind="stable")]
    members = (ordered[labels[ordered] == label][:size] for label, size in enumerate(sizes))
    return np.sort(np.concatenate(list(members)))


def _random(seed: int, stream: str) -> np.random.RandomState:
    """A stream that NumPy keeps frozen (NEP 19), for one purpose of a trial's seed."""
    digest = hashlib.sha256(f"{seed}/{stream}".encode()).digest()
    return np.random.RandomState(np.frombuffer(digest[:16], np.uint32))


def _sizes(labels: Labels, classes: int) -> Sizes:
    return np.bincount(labels, minlength=classes)


def _refuse_empty(sizes: Sizes, smaller: Sizes, setting: str) -> None:
    empty = np.flatnonzero((sizes > 0) & (smaller < 1))
    if len(empty):
        raise UserError(
            f"{setting} leaves class {empty[0]} none of its {plural(int(sizes[empty[0]]), 'training image')}"
            f"{f', and {len(empty) - 1} more classes none' if len(empty) > 1 else ''}; each class needs one at least: "
            "take a larger fraction or a smaller ratio"
        )


def _refuse_single_class(classes: int) -> None:
    if classes < 2:
        raise UserError("label_noise: wrong labels need two classes or more, and the data set has one")
