"""What was measured of a whole suite? Means, and how they vary with other seeds and other images, together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bench.statistics.intervals import Interval, binomial_noise, check_confidence, score_bounds, wilson
from bench.statistics.seed_noise import Floats, SeedNoise, moderated
from bench.statistics.seed_noise import subset as noise_of

Right = NDArray[np.bool_]
"""Which images each seed got right, shape (seeds, images); every configuration on the same images."""


@dataclass(frozen=True)
class VarianceComponents:
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


def variance_components(right: NDArray[Any]) -> VarianceComponents:
    """Two-way analysis of variance of right (1) and wrong (0) with random seeds, random images, one value a cell.

    The expected mean squares are sigma_e^2 + n sigma_seeds^2 for seeds, sigma_e^2 + S sigma_images^2 for images and
    sigma_e^2 for the rest (Searle, Casella and McCulloch 1992, Variance Components, section 4.5; Montgomery, Design and
    Analysis of Experiments, chapter 13).

    Parameters
    ----------
    right
        Shape (seeds, images), booleans; at least one seed and two images. With one seed the flips are taken to be
        those of a calibrated network, `binomial_noise` squared.

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
        return VarianceComponents(mean, share, 1, float("nan"), binomial_noise(1 - mean, images) ** 2)
    total = seeds * images * mean * (1 - mean)
    by_seed = images * float(np.sum((accuracies - mean) ** 2))
    by_image = seeds * float(np.sum((share - mean) ** 2))
    rest = max(0.0, total - by_seed - by_image) / ((seeds - 1) * (images - 1))
    return VarianceComponents(mean, share, seeds, by_seed / images / (seeds - 1), rest / images)


SINGLE_FROM = 500
"""Configurations beyond which each image's part in the means is kept in single precision: it is most of the memory."""

FLIPS = 2.0
"""How many flips the table's other configurations add to those of one: of few images there may be none at all."""


@dataclass(frozen=True, eq=False)
class MeanEstimates:
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
        `bench.statistics.factor_effects.variance` needs no more than `deviations`.
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
        """Variance of the means by seeds that are better or worse on any images, beyond independent flips."""
        if self.noise is None:
            return np.zeros(len(self.means))
        return np.maximum(self.noise.variances - self.independent, 0.0) / self.seeds

    @property
    def covariance(self) -> Floats:
        """Shape (k, k): covariance of the means over new seeds and new images."""
        total: Floats = self.shared + np.diag(self.beyond)
        return total


def measure(tables: Iterable[NDArray[Any]]) -> MeanEstimates:
    """Take the tables of all configurations apart, their seed noise steadied by each other.

    The variance of a mean over S seeds and n images is (MS_seeds + MS_images - MS_rest) / nS, the unbiased estimate of
    sigma_seeds^2 / S + sigma_images^2 / n + sigma_e^2 / nS (sources: `variance_components`), with the moderated
    MS_seeds.

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
    parts: list[VarianceComponents] = []
    for table in tables:
        part = variance_components(table)
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
    independent = _flips(parts)
    noise = moderated(np.array([part.between_seeds for part in parts]), independent, seeds)
    if noise is not None:
        # Seeds that agree better than independent flips would were lucky; two may agree to the image.
        noise = replace(noise, variances=np.maximum(noise.variances, independent))
    means, deviations = np.array([part.mean for part in parts]), np.stack([part.share for part in parts])
    return MeanEstimates(means, seeds, lengths.pop(), noise, independent, deviations)


def _flips(parts: Sequence[VarianceComponents]) -> Floats:
    """The variance of a seed's accuracy if every image flipped by itself, of each configuration.

    As measured, in proportion to what theory expects, sqrt(error / 2n) squared; where a configuration shows few flips
    the proportion of all others counts too, and for one seed it is all there is. Theory alone stands where no
    configuration has two seeds.
    """
    images = len(parts[0].share)
    wrong = np.array([(1 - part.mean) * part.seeds * images for part in parts])
    seeds = np.array([part.seeds for part in parts])
    errors = (wrong + 0.5) / (seeds * images + 1)
    theory = np.array([binomial_noise(error, images) ** 2 for error in errors])
    weight = np.where(seeds > 1, (seeds - 1.0) * images**2, 0.0)
    shown = np.where(seeds > 1, [part.independent for part in parts], 0.0) * weight
    proportion = (shown.sum() + 1) / ((theory * weight).sum() + 1)
    prior = proportion * theory
    flips: Floats = prior * (shown + FLIPS) / (prior * weight + FLIPS)
    return flips


def subset(measured: MeanEstimates, numbers: Sequence[int]) -> MeanEstimates:
    """Some of the configurations, in this order, with the seed noise that all of them told."""
    rows = np.asarray(numbers, dtype=int)
    if np.array_equal(rows, np.arange(len(measured.means))):
        return measured
    noise = measured.noise and noise_of(measured.noise, rows)
    return MeanEstimates(
        measured.means[rows],
        measured.seeds[rows],
        measured.images,
        noise,
        measured.independent[rows],
        measured.deviations[rows],
    )


def this_test_set(measured: MeanEstimates, number: int, confidence: float = 0.95) -> Interval | None:
    """The interval of a mean when seeds vary and images do not; None where no configuration has two seeds.

    Wilson's with as many images as would give a mean of p (1 - p) / n the variance of a seed, moderated, over the
    number of seeds, and Student's t with its degrees of freedom. One seed among configurations with several has the
    noise that those tell. It lies within the interval on new images, as these add to what may vary: with very few
    degrees of freedom t alone would be wider.
    """
    check_confidence(confidence)
    if measured.noise is None:
        return None
    variance = measured.noise.variances[number] / measured.seeds[number]
    found = _score(measured, number, variance, measured.noise.degrees[number], confidence)
    wider = new_images(measured, number, confidence)
    return Interval(found.estimate, max(found.low, wider.low), min(found.high, wider.high))


def new_images(measured: MeanEstimates, number: int, confidence: float = 0.95) -> Interval:
    """The interval of a mean when seeds and images vary; where no configuration has two seeds Wilson's, of the images.

    Wilson's with as many images as would give a mean of p (1 - p) / n its variance over new seeds and images. The
    degrees of freedom are Satterthwaite's (1946, doi 10.2307/3002019): only the seeds' part is uncertain, of the images
    there are many.
    """
    check_confidence(confidence)
    if measured.noise is None or measured.own[number] == 0:
        return wilson(round(float(measured.means[number]) * measured.images), measured.images, confidence)
    variance = float(measured.variances[number])
    part = measured.noise.variances[number] / measured.seeds[number]
    degrees = satterthwaite(variance, part, measured.noise.degrees[number], measured.images)
    return _score(measured, number, variance, degrees, confidence)


def _score(measured: MeanEstimates, number: int, variance: float, degrees: Any, confidence: float) -> Interval:
    mean, answers = float(measured.means[number]), measured.seeds[number] * measured.images
    # With half an answer more on either side: shares of 0 and 1 tell no number of images.
    share = (mean * answers + 0.5) / (answers + 1)
    n = np.array([share * (1 - share) / variance])
    low, high = score_bounds(np.array([mean]), n, stats.t.ppf(0.5 + confidence / 2, degrees))
    return Interval(mean, float(low[0]), float(high[0]))


def satterthwaite(variance: Any, part: Any, degrees: Any, images: int) -> Any:
    """Degrees of freedom of a variance of which `part` has only `degrees`, and the rest those of the images."""
    # Images that two configurations share may take off more than the seeds add.
    part = np.minimum(part, variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(part > 0, variance**2 * degrees / part**2, np.inf)
    return np.clip(found, 1.0, images - 1.0)
