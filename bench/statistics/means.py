"""The mean accuracy of every configuration of a suite, and its variance over new seeds and new images."""

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
from bench.statistics.seed_noise import subset as noise_subset

Correct = NDArray[np.bool_]
"""Whether each seed classified each image correctly, shape (seeds, images); the same images for all."""


@dataclass(frozen=True)
class VarianceComponents:
    """Variance components of a table of correct predictions, seeds by images.

    `mean` is the accuracy over seeds, `image_accuracy` the fraction of seeds that are correct on each image, shape
    (images,). `between_seeds` is the variance of the seeds' accuracies (nan for one seed), `independent` the value that
    it would have if images flipped independently: the residual mean square over the number of images. Their difference
    is the variance component of the seeds. All variances are squares of fractions.
    """

    mean: float
    image_accuracy: NDArray[np.float64]
    seeds: int
    between_seeds: float
    independent: float

    @property
    def images(self) -> int:
        """Number of test images."""
        return len(self.image_accuracy)

    @property
    def seed_component(self) -> float:
        """Variance between seeds on any images; unbiased, so that it may be below 0."""
        return self.between_seeds - self.independent

    @property
    def image_component(self) -> float:
        """Variance between images for any seed; unbiased, so that it may be below 0."""
        return float(np.var(self.image_accuracy, ddof=1)) - self.independent * self.images / self.seeds


def variance_components(correct: NDArray[Any]) -> VarianceComponents:
    """Two-way analysis of variance of correct (1) and wrong (0): random seeds, random images, one value per cell.

    The expected mean squares are sigma_e^2 + n sigma_seeds^2 for seeds, sigma_e^2 + S sigma_images^2 for images and
    sigma_e^2 for the residual (Searle, Casella and McCulloch 1992, Variance Components, section 4.5; Montgomery, Design
    and Analysis of Experiments, chapter 13).

    Parameters
    ----------
    correct
        Shape (seeds, images), booleans; at least one seed and two images. With one seed the independent variance is
        that of a calibrated network, `binomial_noise` squared.

    Raises
    ------
    ValueError
        Another shape.
    """
    if correct.ndim != 2 or correct.shape[0] < 1 or correct.shape[1] < 2:
        raise ValueError(f"expected a table of seeds by images, at least 1 by 2, not shape {correct.shape}")
    seeds, images = correct.shape
    image_accuracy = np.count_nonzero(correct, axis=0) / seeds
    accuracies = np.count_nonzero(correct, axis=1) / images
    mean = float(accuracies.mean())
    if seeds == 1:
        return VarianceComponents(mean, image_accuracy, 1, float("nan"), binomial_noise(1 - mean, images) ** 2)
    total = seeds * images * mean * (1 - mean)
    by_seed = images * float(np.sum((accuracies - mean) ** 2))
    by_image = seeds * float(np.sum((image_accuracy - mean) ** 2))
    residual = max(0.0, total - by_seed - by_image) / ((seeds - 1) * (images - 1))
    return VarianceComponents(mean, image_accuracy, seeds, by_seed / images / (seeds - 1), residual / images)


SINGLE_PRECISION_FROM = 500
"""With more configurations than this, `MeanEstimates.deviations` is float32: it takes most of the memory."""

PRIOR_FLIPS = 2.0
"""Weight of the pooled flips, in flips: with few images a configuration may show none of its own."""


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
        What that variance would be if images flipped independently.
    deviations
        Shape (k, columns): the fraction of seeds that are correct on each image, minus the mean. Their products give
        the covariance over images, which pairs the comparison of two configurations. float32 with more than
        `SINGLE_PRECISION_FROM` configurations.
    """

    means: Floats
    seeds: NDArray[np.int_]
    images: int
    noise: SeedNoise | None
    independent: Floats
    deviations: NDArray[np.floating[Any]]

    @property
    def image_covariance(self) -> Floats:
        """Shape (k, k): covariance of the means over samples of test images, with the independent flips of the seeds.

        With thousands of configurations this has millions of values: `image_variances` is its diagonal, and
        `bench.statistics.contrasts.variance` needs `deviations` only.
        """
        products = self.deviations @ self.deviations.T
        result: Floats = products.astype(np.float64) * (1 / (self.images - 1)) / self.images
        return result

    @cached_property
    def image_variances(self) -> Floats:
        """Variance of each mean over samples of test images."""
        sum_of_squares = np.einsum("kn,kn->k", self.deviations, self.deviations, dtype=np.float64)
        result: Floats = sum_of_squares / (self.images - 1) / self.images
        return result

    @cached_property
    def variances(self) -> Floats:
        """Variance of each mean over new seeds and new images."""
        return self.image_variances + self.seed_variances

    @cached_property
    def seed_variances(self) -> Floats:
        """Variance of the means due to better and worse seeds, beyond independent flips of images."""
        if self.noise is None:
            return np.zeros(len(self.means))
        return np.maximum(self.noise.variances - self.independent, 0.0) / self.seeds

    @property
    def covariance(self) -> Floats:
        """Shape (k, k): covariance of the means over new seeds and new images."""
        total: Floats = self.image_covariance + np.diag(self.seed_variances)
        return total


def measure(tables: Iterable[NDArray[Any]]) -> MeanEstimates:
    """Means and variances of all configurations, with the seed noise moderated over configurations.

    The variance of a mean over S seeds and n images is (MS_seeds + MS_images - MS_rest) / nS, the unbiased estimate of
    sigma_seeds^2 / S + sigma_images^2 / n + sigma_e^2 / nS (sources: `variance_components`), with the moderated
    MS_seeds.

    Parameters
    ----------
    tables
        Per configuration, whether each seed classified each image correctly: booleans of shape (seeds, images). The
        number of seeds may differ, the images may not. Tables are read one at a time.

    Raises
    ------
    ValueError
        No table, or tables of different images.
    """
    all_components: list[VarianceComponents] = []
    for table in tables:
        components = variance_components(table)
        deviation = components.image_accuracy - components.image_accuracy.mean()
        all_components.append(replace(components, image_accuracy=deviation))
        if len(all_components) > SINGLE_PRECISION_FROM:
            converted = all_components if len(all_components) == SINGLE_PRECISION_FROM + 1 else all_components[-1:]
            all_components[-len(converted) :] = [
                replace(item, image_accuracy=item.image_accuracy.astype(np.float32)) for item in converted
            ]
    if not all_components:
        raise ValueError("there is no configuration to measure")
    image_counts = {components.images for components in all_components}
    if len(image_counts) > 1:
        raise ValueError(
            f"configurations can be compared on the same test images only, found {sorted(image_counts)} images"
        )
    seeds = np.array([components.seeds for components in all_components])
    independent = _flip_variances(all_components)
    noise = moderated(np.array([components.between_seeds for components in all_components]), independent, seeds)
    if noise is not None:
        # Seeds cannot truly vary less than independent flips: a smaller estimate is chance (two may agree exactly).
        noise = replace(noise, variances=np.maximum(noise.variances, independent))
    means, deviations = (
        np.array([components.mean for components in all_components]),
        np.stack([components.image_accuracy for components in all_components]),
    )
    return MeanEstimates(means, seeds, image_counts.pop(), noise, independent, deviations)


def _flip_variances(all_components: Sequence[VarianceComponents]) -> Floats:
    """The variance of a seed's accuracy if images flipped independently, for each configuration.

    The observed variance is shrunk towards the expected one (error / 2n) times the ratio of observed to expected over
    all configurations. A configuration with one seed gets that value; without a second seed anywhere it is the expected
    one.
    """
    images = len(all_components[0].image_accuracy)
    n_errors = np.array([(1 - components.mean) * components.seeds * images for components in all_components])
    seeds = np.array([components.seeds for components in all_components])
    errors = (n_errors + 0.5) / (seeds * images + 1)
    expected = np.array([binomial_noise(error, images) ** 2 for error in errors])
    weights = np.where(seeds > 1, (seeds - 1.0) * images**2, 0.0)
    observed = np.where(seeds > 1, [components.independent for components in all_components], 0.0) * weights
    proportion = (observed.sum() + 1) / ((expected * weights).sum() + 1)
    prior = proportion * expected
    variances: Floats = prior * (observed + PRIOR_FLIPS) / (prior * weights + PRIOR_FLIPS)
    return variances


def subset(estimates: MeanEstimates, rows: Sequence[int]) -> MeanEstimates:
    """Some of the configurations, in this order, with the seed noise that was estimated from all of them."""
    indices = np.asarray(rows, dtype=int)
    if np.array_equal(indices, np.arange(len(estimates.means))):
        return estimates
    noise = estimates.noise and noise_subset(estimates.noise, indices)
    return MeanEstimates(
        estimates.means[indices],
        estimates.seeds[indices],
        estimates.images,
        noise,
        estimates.independent[indices],
        estimates.deviations[indices],
    )


def this_test_set(estimates: MeanEstimates, index: int, confidence: float = 0.95) -> Interval | None:
    """The interval of a mean when seeds vary and images do not; None where no configuration has two seeds.

    Wilson's with as many images as would give a mean of p (1 - p) / n the variance of a seed, moderated, over the
    number of seeds, and Student's t with its degrees of freedom. A single seed gets the noise of the other
    configurations. The interval is cut to the interval on new images, which would be narrower only with very few
    degrees of freedom.
    """
    check_confidence(confidence)
    if estimates.noise is None:
        return None
    variance = estimates.noise.variances[index] / estimates.seeds[index]
    interval = _score(estimates, index, variance, estimates.noise.degrees[index], confidence)
    new_images_interval = new_images(estimates, index, confidence)
    return Interval(
        interval.estimate, max(interval.low, new_images_interval.low), min(interval.high, new_images_interval.high)
    )


def new_images(estimates: MeanEstimates, index: int, confidence: float = 0.95) -> Interval:
    """The interval of a mean when seeds and images vary; where no configuration has two seeds Wilson's, of the images.

    Wilson's with as many images as would give a mean of p (1 - p) / n its variance over new seeds and images. The
    degrees of freedom are Satterthwaite's (1946, doi 10.2307/3002019), with those of the seeds and of the images.
    """
    check_confidence(confidence)
    if estimates.noise is None or estimates.image_variances[index] == 0:
        return wilson(round(float(estimates.means[index]) * estimates.images), estimates.images, confidence)
    variance = float(estimates.variances[index])
    seed_part = estimates.noise.variances[index] / estimates.seeds[index]
    degrees = satterthwaite(variance, seed_part, estimates.noise.degrees[index], estimates.images)
    return _score(estimates, index, variance, degrees, confidence)


def _score(estimates: MeanEstimates, index: int, variance: float, degrees: Any, confidence: float) -> Interval:
    mean, n_predictions = float(estimates.means[index]), estimates.seeds[index] * estimates.images
    # Half a prediction is added on either side: proportions of 0 and 1 give no effective number of images.
    smoothed = (mean * n_predictions + 0.5) / (n_predictions + 1)
    effective_images = np.array([smoothed * (1 - smoothed) / variance])
    low, high = score_bounds(np.array([mean]), effective_images, stats.t.ppf(0.5 + confidence / 2, degrees))
    return Interval(mean, float(low[0]), float(high[0]))


def satterthwaite(variance: Any, seed_part: Any, degrees: Any, images: int) -> Any:
    """Degrees of freedom of a variance of which `seed_part` has `degrees`, and the remainder those of the images."""
    # The covariance over shared images may exceed the part of the seeds.
    seed_part = np.minimum(seed_part, variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        result = np.where(seed_part > 0, variance**2 * degrees / seed_part**2, np.inf)
    return np.clip(result, 1.0, images - 1.0)
