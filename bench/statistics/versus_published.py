"""Does a measured mean agree with a published result? Results without predictions, of one run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy import stats

from bench.statistics.intervals import Interval, PooledDeviation, check_confidence, wilson

Place = Literal["above", "within", "below"]


@dataclass(frozen=True)
class Placement:
    """`place` is where the published figure lies against ours; `gap` theirs minus ours, with its bounds."""

    place: Place
    gap: Interval


def placement(published: float, ours: Interval, images: int | None = None, confidence: float = 0.95) -> Placement:
    """Place a figure that comes without predictions.

    Without `images` the figure is taken as it stands and held against our interval. With them it is a single run, with
    Wilson's interval of its own, and the gap's bounds are those of two independent figures: the distances to the two
    intervals' facing ends, squared, added, rooted (Newcombe 1998, doi 10.1002/(SICI)1097-0258(19980430)17:8<873, method
    10). Both may be of the same images, which would make the gap surer than this says.

    Parameters
    ----------
    published
        As a fraction.
    ours
        On new images: `bench.statistics.means.new_images`.
    images
        The number of test images of a published single run.
    confidence
        Of the published figure's interval; ours has its own.

    Raises
    ------
    ValueError
        `published` is no fraction.
    """
    if not 0 <= published <= 1:
        raise ValueError(f"a published figure of {published} is no fraction")
    gap = published - ours.estimate
    theirs = Interval(published, published, published)
    if images is not None:
        theirs = wilson(round(published * images), images, confidence)
    low = gap - math.hypot(published - theirs.low, ours.high - ours.estimate)
    high = gap + math.hypot(theirs.high - published, ours.estimate - ours.low)
    place: Place = "above" if low > 0 else "below" if high < 0 else "within"
    return Placement(place, Interval(gap, low, high))


Word = Literal["within", "above", "below"]


@dataclass(frozen=True)
class Agreement:
    """Ours minus theirs, and how far that may be from 0 by noise alone, in the unit of the figures."""

    difference: float
    half_width: float

    @property
    def word(self) -> Word:
        """Where ours lies: ``within`` the noise of theirs, ``above`` or ``below``."""
        if abs(self.difference) <= self.half_width:
            return "within"
        return "above" if self.difference > 0 else "below"


def agreement(
    ours: float,
    seeds: int,
    theirs: float,
    noise: PooledDeviation | float,
    sampling: float = 0.0,
    rounding: float = 0.0,
    confidence: float = 0.95,
) -> Agreement:
    """Compare the mean of several seeds with a single run, as two samples of one population of seeds.

    The half-width is t * sqrt(s^2 (1 / seeds + 1) + sampling) + rounding, the prediction interval for one more run
    (Geisser 1993, Predictive Inference, chapter 2), so that theirs is given the noise of ours.

    Parameters
    ----------
    ours, seeds
        The mean and over how many seeds it goes.
    theirs
        The figure of one run.
    noise
        s: pooled over our configurations, which brings t its degrees of freedom; or a plain standard deviation,
        such as a theory's, taken as known.
    sampling
        A variance to be added where the two were measured on different images: the sum of both sides' p (1 - p) / n.
    rounding
        Half a unit of the last digit that they print.

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
    return Agreement(ours - theirs, float(stats.t.ppf(0.5 + confidence / 2, degrees)) * spread + rounding)
