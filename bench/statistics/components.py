"""What makes one configuration's accuracy vary? Its seeds, its test images, and the flips between the two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.statistics.proportions import binomial_floor

Right = NDArray[np.bool_]
"""Which images each seed got right, shape (seeds, images); every configuration on the same images."""


@dataclass(frozen=True)
class Components:
    """A table of seeds by images of right and wrong, taken apart.

    `mean` is the accuracy over seeds, `share` each image's share of seeds that got it right, shape (images,).
    `between_seeds` is the variance of the seeds' accuracies (nan for one seed) and `independent` what it would be if
    every image flipped by itself: the residual mean square over the number of images. Their difference is the
    variance component of the seeds. All are squares of fractions.
    """

    mean: float
    share: NDArray[np.float64]
    seeds: int
    between_seeds: float
    independent: float

    @property
    def images(self) -> int:
        """Number of test images."""
        return len(self.share)

    @property
    def seed_component(self) -> float:
        """By how much one seed is better than another on any images: unbiased, so that it may be below 0."""
        return self.between_seeds - self.independent

    @property
    def image_component(self) -> float:
        """By how much one image is harder than another for any seed: unbiased, so that it may be below 0."""
        return float(np.var(self.share, ddof=1)) - self.independent * self.images / self.seeds


def components(right: NDArray[Any]) -> Components:
    """Two-way analysis of variance of right (1) and wrong (0) with random seeds, random images, one value a cell.

    The expected mean squares are sigma_e^2 + n sigma_seeds^2 for seeds, sigma_e^2 + S sigma_images^2 for images and
    sigma_e^2 for the rest (Searle, Casella and McCulloch 1992, Variance Components, section 4.5; Montgomery, Design and
    Analysis of Experiments, chapter 13).

    Parameters
    ----------
    right
        Shape (seeds, images), booleans; at least one seed and two images. With one seed the flips are taken to be
        those of a calibrated network, `binomial_floor` squared.

    Raises
    ------
    ValueError
        Another shape.
    """
    if right.ndim != 2 or right.shape[0] < 1 or right.shape[1] < 2:
        raise ValueError(f"a table of seeds by images, at least 1 by 2, is wanted, not one of shape {right.shape}")
    seeds, images = right.shape
    share = np.count_nonzero(right, axis=0) / seeds
    accuracies = np.count_nonzero(right, axis=1) / images
    mean = float(accuracies.mean())
    if seeds == 1:
        return Components(mean, share, 1, float("nan"), binomial_floor(1 - mean, images) ** 2)
    total = seeds * images * mean * (1 - mean)
    by_seed = images * float(np.sum((accuracies - mean) ** 2))
    by_image = seeds * float(np.sum((share - mean) ** 2))
    rest = max(0.0, total - by_seed - by_image) / ((seeds - 1) * (images - 1))
    return Components(mean, share, seeds, by_seed / images / (seeds - 1), rest / images)
