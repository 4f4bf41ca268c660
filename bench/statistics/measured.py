"""What was measured of a whole suite? Means, and how they vary with other seeds and other images, together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bench.statistics.components import Components, components
from bench.statistics.noise import Floats, SeedNoise, moderated
from bench.statistics.proportions import wilson
from bench.statistics.seeds import Interval, check_confidence

SINGLE_FROM = 500
"""Configurations beyond which each image's part in the means is kept in single precision: it is most of the memory."""


@dataclass(frozen=True, eq=False)
class Measured:
    """k configurations on the same test images; arrays of shape (k,) unless another is given.

    Attributes
    ----------
    means, seeds
        Accuracy over seeds, as a fraction, and their number.
    images
        Number of test images.
    noise
        Variance of one seed's accuracy; None where every configuration has one seed, and seeds cannot be counted.
    independent
        What that variance would be if every image flipped by itself.
    deviations
        Shape (k, columns): each image's share of seeds that got it right, less the mean. What images the means share
        is in their products, which makes the comparison of two configurations paired. With more than `SINGLE_FROM`
        configurations they are of single precision.
    """

    means: Floats
    seeds: NDArray[np.int_]
    images: int
    noise: SeedNoise | None
    independent: Floats
    deviations: NDArray[np.floating[Any]]

    @property
    def shared(self) -> Floats:
        """Shape (k, k): covariance of the means over samples of test images, with the independent flips of the seeds.

        Of thousands of configurations this is millions of numbers: `own` is its diagonal, and
        `bench.statistics.contrasts.variance` needs no more than `deviations`.
        """
        products = self.deviations @ self.deviations.T
        result: Floats = products.astype(np.float64) * (1 / (self.images - 1)) / self.images
        return result

    @cached_property
    def own(self) -> Floats:
        """Variance of each mean over samples of test images."""
        squares = np.einsum("kn,kn->k", self.deviations, self.deviations, dtype=np.float64)
        result: Floats = squares / (self.images - 1) / self.images
        return result

    @cached_property
    def variances(self) -> Floats:
        """Variance of each mean over new seeds and new images."""
        return self.own + self.beyond

    @cached_property
    def beyond(self) -> Floats:
        """Variance of the means by seeds that are better or worse on any images, beyond independent flips.

        Not below 0: seeds whose figures agree better than independent flips would are taken to be lucky.
        """
        if self.noise is None:
            return np.zeros(len(self.means))
        return np.maximum(self.noise.variances - self.independent, 0.0) / self.seeds

    @property
    def covariance(self) -> Floats:
        """Shape (k, k): covariance of the means over new seeds and new images."""
        total: Floats = self.shared + np.diag(self.beyond)
        return total


def measure(tables: Iterable[NDArray[Any]]) -> Measured:
    """Take the tables of all configurations apart, their seed noise steadied by each other.

    The variance of a mean over S seeds and n images is (MS_seeds + MS_images - MS_rest) / nS, the unbiased estimate of
    sigma_seeds^2 / S + sigma_images^2 / n + sigma_e^2 / nS (sources: `components`), with the moderated MS_seeds.

    Parameters
    ----------
    tables
        Per configuration, which images each seed got right: booleans of shape (seeds, images). The number of seeds may
        differ, the images may not. Each is let go before the next is asked for.

    Raises
    ------
    ValueError
        No table, or tables of different images.
    """
    parts: list[Components] = []
    for table in tables:
        part = components(table)
        deviation = part.share - part.share.mean()
        parts.append(replace(part, share=deviation))
        if len(parts) > SINGLE_FROM:
            late = parts if len(parts) == SINGLE_FROM + 1 else parts[-1:]
            parts[-len(late) :] = [replace(one, share=one.share.astype(np.float32)) for one in late]
    if not parts:
        raise ValueError("there is nothing to measure: no configuration")
    lengths = {part.images for part in parts}
    if len(lengths) > 1:
        raise ValueError(f"configurations can be compared on the same test images only, found {sorted(lengths)} images")
    seeds = np.array([part.seeds for part in parts])
    independent = np.array([part.independent for part in parts])
    noise = moderated(np.array([part.between_seeds for part in parts]), independent, seeds)
    means, deviations = np.array([part.mean for part in parts]), np.stack([part.share for part in parts])
    return Measured(means, seeds, lengths.pop(), noise, independent, deviations)


def subset(measured: Measured, numbers: Sequence[int]) -> Measured:
    """Some of the configurations, in this order, with the seed noise that all of them told."""
    rows = np.asarray(numbers, dtype=int)
    if np.array_equal(rows, np.arange(len(measured.means))):
        return measured
    noise = measured.noise and SeedNoise(
        measured.noise.variances[rows], measured.noise.degrees[rows], measured.noise.total
    )
    return Measured(
        measured.means[rows],
        measured.seeds[rows],
        measured.images,
        noise,
        measured.independent[rows],
        measured.deviations[rows],
    )


def this_test_set(measured: Measured, number: int, confidence: float = 0.95) -> Interval | None:
    """The interval of a mean when seeds vary and images do not; None for one seed, or without any seed noise.

    mean +- t sqrt(variance of a seed / seeds), within [0, 1], with the moderated variance and its degrees of freedom.
    """
    check_confidence(confidence)
    if measured.noise is None or measured.seeds[number] < 2:
        return None
    half = stats.t.ppf(0.5 + confidence / 2, measured.noise.degrees[number]) * np.sqrt(
        measured.noise.variances[number] / measured.seeds[number]
    )
    return _within_one(float(measured.means[number]), float(half))


def new_images(measured: Measured, number: int, confidence: float = 0.95) -> Interval:
    """The interval of a mean when seeds and images vary; for one seed the images' alone, Wilson's.

    mean +- t sqrt(variance over new seeds and images), within [0, 1]. The degrees of freedom are Satterthwaite's (1946,
    doi 10.2307/3002019): only the seeds' part is uncertain, of the images there are thousands.
    """
    check_confidence(confidence)
    mean, seeds = float(measured.means[number]), int(measured.seeds[number])
    variance = float(measured.variances[number])
    if seeds == 1 or measured.noise is None or variance == 0:
        return wilson(round(mean * measured.images), measured.images, confidence)
    part = measured.noise.variances[number] / seeds
    degrees = satterthwaite(variance, part, measured.noise.degrees[number], measured.images)
    return _within_one(mean, float(stats.t.ppf(0.5 + confidence / 2, degrees) * np.sqrt(variance)))


def satterthwaite(variance: Any, part: Any, degrees: Any, images: int) -> Any:
    """Degrees of freedom of a variance of which `part` has only `degrees`, and the rest those of the images."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(part > 0, variance**2 * degrees / part**2, np.inf)
    return np.clip(found, 1.0, images - 1.0)


def _within_one(mean: float, half: float) -> Interval:
    return Interval(mean, max(0.0, mean - half), min(1.0, mean + half))
