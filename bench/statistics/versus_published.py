"""Does a measured mean agree with a published result? Results without predictions, of one run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy import stats

from bench.statistics.intervals import Interval, PooledDeviation, check_confidence, wilson

Position = Literal["above", "within", "below"]


@dataclass(frozen=True)
class PublishedGap:
    """Measured minus published accuracy with its bounds; `position` is where the measured value lies."""

    position: Position
    gap: Interval


def published_gap(
    published: float, measured: Interval, images: int | None = None, confidence: float = 0.95
) -> PublishedGap:
    """Compare a published accuracy with a measured interval.

    Without `images` the published value is taken as exact. With them it is a single run with Wilson's interval, and the
    bounds of the gap are those of two independent proportions: the distances to the intervals' facing ends, squared,
    added, rooted (Newcombe 1998, doi 10.1002/(SICI)1097-0258(19980430)17:8<873, method 10). If both are of the same
    images, the bounds are conservative.

    Parameters
    ----------
    published
        As a fraction.
    measured
        On new images: `bench.statistics.means.new_images`.
    images
        The number of test images of a published single run.
    confidence
        Of the published value's interval.

    Raises
    ------
    ValueError
        `published` is no fraction.
    """
    if not 0 <= published <= 1:
        raise ValueError(f"a published accuracy of {published} is no fraction")
    gap = measured.estimate - published
    interval = Interval(published, published, published)
    if images is not None:
        interval = wilson(round(published * images), images, confidence)
    low = gap - math.hypot(measured.estimate - measured.low, interval.high - published)
    high = gap + math.hypot(measured.high - measured.estimate, published - interval.low)
    position: Position = "above" if low > 0 else "below" if high < 0 else "within"
    return PublishedGap(position, Interval(gap, low, high))


@dataclass(frozen=True)
class Agreement:
    """Measured minus published value, and the half-width of the prediction interval, in the unit of the values."""

    difference: float
    half_width: float

    @property
    def position(self) -> Position:
        """Where the measured value lies: ``within`` the prediction interval, ``above`` or ``below``."""
        if abs(self.difference) <= self.half_width:
            return "within"
        return "above" if self.difference > 0 else "below"


def agreement(
    measured: float,
    seeds: int,
    published: float,
    noise: PooledDeviation | float,
    sampling: float = 0.0,
    rounding: float = 0.0,
    confidence: float = 0.95,
) -> Agreement:
    """Compare the mean of several seeds with a single run, as two samples of one population of seeds.

    The half-width is t * sqrt(s^2 (1 / seeds + 1) + sampling) + rounding, the prediction interval for one more run
    (Geisser 1993, Predictive Inference, chapter 2), which assumes that the published run has the same seed noise.

    Parameters
    ----------
    measured, seeds
        The mean and its number of seeds.
    published
        The value of one run.
    noise
        s: pooled over configurations, with the degrees of freedom of t; or a standard deviation that is taken as known.
    sampling
        A variance to be added where the two are of different images: the sum of both p (1 - p) / n.
    rounding
        Half a unit of the last published digit.

    Raises
    ------
    ValueError
        No seeds, or a confidence outside (0, 1).
    """
    if seeds < 1:
        raise ValueError("a comparison needs at least one seed")
    check_confidence(confidence)
    deviation, degrees = (noise.deviation, noise.degrees) if isinstance(noise, PooledDeviation) else (noise, math.inf)
    spread = math.sqrt(deviation**2 * (1 / seeds + 1) + sampling)
    half_width = float(stats.t.ppf(0.5 + confidence / 2, degrees)) * spread + rounding
    return Agreement(measured - published, half_width)
