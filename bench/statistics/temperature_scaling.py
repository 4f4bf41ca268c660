"""Ensembles and temperature scaling from stored class probabilities: the metrics before and after, with intervals.

An ensemble's probabilities are the mean of its networks' (Lakshminarayanan et al. 2017, arXiv 1612.01474). Temperature
scaling divides logits by one number, fitted on images that are neither trained nor tested on (Guo et al. 2017, arXiv
1706.04599); the logarithms of probabilities stand for the logits, which differ from them by a constant per image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from bench.metrics import ECE_BINS, confidence_bins
from bench.statistics.intervals import Interval

Probabilities = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]

SMALLEST = 2.0**-25
"""Stands for a probability of 0: half of the smallest number that half precision has."""
TEMPERATURES = (0.05, 20.0)
"""Where a temperature is looked for; one at an end fits no better further on than there."""
RESAMPLES = 500
METRICS = ("accuracy", "log_loss", "brier_score", "ece")
_SEED = 0
_CHUNK = 2_000_000
"""Image numbers that are drawn at once."""


@dataclass(frozen=True)
class Temperature:
    """A fitted temperature: the log loss of the `images` it was fitted on, before and after.

    Above 1 the probabilities were too confident, below 1 not confident enough.
    """

    value: float
    images: int
    loss_before: float
    loss_after: float


def mean_probabilities(members: Sequence[Probabilities]) -> NDArray[np.float64]:
    """The mean of networks' probabilities, each (images, classes), with rows that sum to 1.

    Raises
    ------
    ValueError
        No network, or networks of different shapes.
    """
    if not members or len({member.shape for member in members}) != 1:
        raise ValueError(f"an ensemble needs networks of one shape, not {[member.shape for member in members]}")
    total = np.zeros(members[0].shape)
    for member in members:
        total += member
    return _normalized(total)


def fit_temperature(probabilities: Probabilities, labels: Labels) -> Temperature:
    """The temperature that minimizes the log loss of these images.

    Parameters
    ----------
    probabilities
        Shape (images, classes): of images that the networks did not train on, such as the validation part.
    labels
        Class numbers, shape (images,).
    """
    log = _log(probabilities)
    index = np.arange(len(labels)), labels

    def loss(log_temperature: float) -> float:
        scaled = log / math.exp(log_temperature)
        scaled -= scaled.max(1, keepdims=True)
        return float((np.log(np.exp(scaled).sum(1)) - scaled[index]).mean())

    low, high = map(math.log, TEMPERATURES)
    # The loss is convex in 1 / T, so it has one minimum.
    fitted = optimize.minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-4})
    before = loss(0.0)
    best, after = min((0.0, before), (float(fitted.x), float(fitted.fun)), key=lambda pair: pair[1])
    return Temperature(math.exp(best), len(labels), before, after)


def with_temperature(probabilities: Probabilities, temperature: float) -> NDArray[np.float64]:
    """The probabilities (images, classes) after dividing their logits by a temperature; no image changes its class."""
    scaled = _log(probabilities) / temperature
    scaled -= scaled.max(1, keepdims=True)
    return _normalized(np.exp(scaled))


def image_counts(images: int) -> NDArray[np.float64]:
    """How often each image is in each resample of a bootstrap, shape (`RESAMPLES`, images); always the same."""
    random = np.random.RandomState(_SEED)  # its stream is frozen (NEP 19)
    counts = np.empty((RESAMPLES, images))
    rows = max(1, _CHUNK // images)
    for start in range(0, RESAMPLES, rows):
        size = min(rows, RESAMPLES - start)
        drawn = random.randint(0, images, (size, images)) + images * np.arange(size)[:, None]
        counts[start : start + size] = np.bincount(drawn.ravel(), minlength=size * images).reshape(size, images)
    return counts


def score(
    networks: Sequence[Probabilities],
    labels: Labels,
    counts: NDArray[np.float64],
    predicted: Sequence[Labels] | None = None,
) -> dict[str, Interval]:
    """The four `METRICS` of test images, as means over networks, with 95 % intervals for new images.

    An interval is the estimate plus and minus 1.96 standard errors of the bootstrap over images (Efron and Tibshirani
    1993, chapter 13), within the metric's range: percentiles would be off for the calibration error, which resampling
    biases upwards. That other seeds would give other networks is not in it.

    Parameters
    ----------
    networks
        Probabilities (images, classes) of each: an ensemble's alone, or those of single networks.
    labels
        Class numbers, shape (images,).
    counts
        From `image_counts`.
    predicted
        The class of each image by each network, where rounding may have made two probabilities equal; else argmax.
    """
    classes = predicted or [network.argmax(1) for network in networks]
    estimates, resampled = [], []
    for network, chosen in zip(networks, classes, strict=True):
        values = _per_image(network, labels, chosen)
        estimates.append(_from_sums(values.sum(0, keepdims=True), len(labels))[0])
        resampled.append(_from_sums(counts @ values, len(labels)))
    estimate = np.mean(estimates, 0)
    half_widths = stats.norm.ppf(0.975) * np.std(np.mean(resampled, 0), axis=0, ddof=1)
    highest = dict(zip(METRICS, (1.0, math.inf, 2.0, 1.0), strict=True))
    return {
        name: Interval(float(value), max(0.0, float(value - half)), min(highest[name], float(value + half)))
        for name, value, half in zip(METRICS, estimate, half_widths, strict=True)
    }


def _per_image(probabilities: Probabilities, labels: Labels, predicted: Labels) -> NDArray[np.float64]:
    """Columns whose sums over images give the metrics: accuracy, log loss, Brier score, and a column per bin of ECE."""
    p = probabilities.astype(np.float64)
    rows = np.arange(len(labels))
    correct, true = predicted == labels, p[rows, labels]
    confidence = p[rows, predicted]
    gaps = np.zeros((len(labels), ECE_BINS))
    gaps[rows, confidence_bins(np.minimum(confidence, 1.0))] = correct - confidence
    brier = (p**2).sum(1) - 2 * true + 1
    return np.column_stack([correct, -np.log(np.maximum(true, SMALLEST)), brier, gaps])


def _from_sums(sums: NDArray[np.floating[Any]], images: int) -> NDArray[np.float64]:
    """The metrics, shape (samples, 4), from sums over images, shape (samples, 3 + bins)."""
    return np.column_stack([sums[:, :3], np.abs(sums[:, 3:]).sum(1)]) / images


def _log(probabilities: Probabilities) -> NDArray[np.float64]:
    logarithms: NDArray[np.float64] = np.log(np.maximum(probabilities.astype(np.float64), SMALLEST))
    return logarithms


def _normalized(values: NDArray[np.float64]) -> NDArray[np.float64]:
    normalized: NDArray[np.float64] = values / values.sum(1, keepdims=True)
    return normalized
