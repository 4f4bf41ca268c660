"""Does a measured mean agree with a figure that somebody else got once?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy import stats

from bench.statistics.seeds import Pooled, check_confidence

Word = Literal["within", "above", "below"]


@dataclass(frozen=True)
class Agreement:
    """Ours minus theirs, and how far that may be from 0 by noise alone, in the unit of the figures."""

    difference: float
    half: float

    @property
    def word(self) -> Word:
        """Where ours lies: ``within`` the noise of theirs, ``above`` or ``below``."""
        if abs(self.difference) <= self.half:
            return "within"
        return "above" if self.difference > 0 else "below"


def agreement(
    ours: float,
    seeds: int,
    theirs: float,
    noise: Pooled | float,
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
    deviation, degrees = (noise.deviation, noise.degrees) if isinstance(noise, Pooled) else (noise, math.inf)
    spread = math.sqrt(deviation**2 * (1 / seeds + 1) + sampling)
    return Agreement(ours - theirs, float(stats.t.ppf(0.5 + confidence / 2, degrees)) * spread + rounding)
