"""How does the error fall with the number of training images? error = a n^-b + c, with intervals by resampled noise.

Learning curves follow a power law over wide ranges (Hestness et al. 2017, arXiv 1712.00409); c is what no number of
images removes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from bench.statistics.intervals import Interval

Floats = NDArray[np.float64]

MIN_POINTS = 4
"""Numbers of images that a law of three parameters is fitted to at least."""

MAX_EXPONENT = 3.0

N_RESAMPLES = 200


@dataclass(frozen=True)
class PowerLaw:
    """``error = scale * (n / unit) ** -exponent + offset``; `unit` is the mean of the numbers of images.

    `resamples` (k, 3) are scale, exponent and offset of fits to errors that were drawn anew within their noise.
    """

    unit: float
    parameters: Floats
    resamples: Floats

    @property
    def exponent(self) -> Interval:
        """b, with the middle 95 % of the resamples."""
        return _interval(float(self.parameters[1]), self.resamples[:, 1])

    @property
    def offset(self) -> Interval:
        """c, the error that is left with any number of images."""
        return _interval(float(self.parameters[2]), self.resamples[:, 2])

    def error(self, n: float) -> Interval:
        """The error at `n` training images, with the middle 95 % of the resamples."""
        return _interval(float(self.curve(np.array([n]))[0]), law(np.array(n / self.unit), self.resamples.T))

    def curve(self, n: Floats) -> Floats:
        """The error at each of these numbers of training images."""
        return law(n / self.unit, self.parameters)


def fit_power_law(n: Floats, errors: Floats, standard_errors: Floats, seed: int = 0) -> PowerLaw | None:
    """Fit the law to mean errors at `n` images by least squares of log errors.

    Parameters
    ----------
    n, errors, standard_errors
        Shape (points,): numbers of training images, mean errors in (0, 1] and their standard errors.

    Returns
    -------
    PowerLaw or None
        None for fewer than `MIN_POINTS` different numbers of images, or an error that is 0.
    """
    if len(np.unique(n)) < MIN_POINTS or np.any(errors <= 0) or not np.all(np.isfinite(errors)):
        return None
    unit = float(np.exp(np.log(n).mean()))
    relative = n / unit
    fitted = _fit(relative, errors)
    random = np.random.default_rng(seed)
    resampled = np.clip(errors + standard_errors * random.standard_normal((N_RESAMPLES, len(n))), 1e-6, 1.0)
    return PowerLaw(unit, fitted, np.array([_fit(relative, draw, fitted) for draw in resampled]))


def law(relative: Floats, parameters: Floats) -> Floats:
    """The error at numbers of images relative to the unit."""
    scale, exponent, offset = parameters
    error: Floats = scale * relative**-exponent + offset
    return error


def _fit(relative: Floats, errors: Floats, start: Floats | None = None) -> Floats:
    """Scale, exponent and offset; from a few starts, since the offset and the exponent can stand in for one another."""
    least = float(errors.min())
    bounds = [1e-9, 1e-3, 0.0], [10.0, MAX_EXPONENT, least]
    middle = float(np.exp(np.log(errors).mean()))
    starts = (
        [start] if start is not None else [np.array([middle, b, c * least]) for b in (0.2, 0.6) for c in (0.0, 0.5)]
    )

    def residuals(parameters: Floats) -> Any:
        return np.log(law(relative, parameters)) - np.log(errors)

    def slopes(parameters: Floats) -> Any:
        scale, exponent, _ = parameters
        power = relative**-exponent
        columns = np.stack([power, -scale * power * np.log(relative), np.ones_like(power)], axis=1)
        return columns / law(relative, parameters)[:, None]

    low, high = map(np.array, bounds)
    inside = (np.clip(point, low, high) for point in starts)
    fits = [optimize.least_squares(residuals, point, slopes, bounds=(low, high)) for point in inside]
    best: Floats = min(fits, key=lambda fit: fit.cost).x
    return best


def _interval(estimate: float, resampled: Floats) -> Interval:
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Interval(estimate, float(low), float(high))
