"""How sure is a share of correct images? Wilson's interval, and the least noise two seeds can show."""

from __future__ import annotations

import math

from scipy import stats

from bench.statistics.seeds import Interval, check_confidence


def wilson(correct: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion: images vary, the trained network is fixed.

    (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n), z the normal quantile
    (Wilson 1927, doi 10.1080/01621459.1927.10502953). The estimate is correct / n.

    Raises
    ------
    ValueError
        Not 0 <= correct <= n, n not positive, or a confidence outside (0, 1).
    """
    if n <= 0 or not 0 <= correct <= n:
        raise ValueError(f"{correct} correct of {n} is no proportion")
    check_confidence(confidence)
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    share = correct / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    low = 0.0 if correct == 0 else max(0.0, centre - half)
    high = 1.0 if correct == n else min(1.0, centre + half)
    return Interval(share, low, high)


def binomial_floor(error: float, n: int) -> float:
    """The standard deviation between seeds to expect on a finite test set: sqrt(error / 2n).

    Jordan 2023 (arXiv 2304.01910): two runs of one configuration differ on about as many images as a calibrated
    network must, so that their test accuracies vary this much although the networks are equally good.

    Parameters
    ----------
    error
        1 - accuracy, in [0, 1].
    n
        Number of test images.

    Returns
    -------
    float
        As a fraction: 0.0018 at an error of 0.065 on 10,000 images.
    """
    if n <= 0 or not 0 <= error <= 1:
        raise ValueError(f"no floor for an error of {error} on {n} images")
    return math.sqrt(error / (2 * n))
