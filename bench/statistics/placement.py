"""Where does a published figure lie? Above, within or below what we would measure on new images; never a p-value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from bench.statistics.proportions import wilson
from bench.statistics.seeds import Interval

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
        On new images: `bench.statistics.measured.new_images`.
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
