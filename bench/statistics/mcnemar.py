"""Do two trained networks differ on these images? One run against one run, and of these weights only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.proportion import proportion_confint

from bench.statistics.seeds import Interval, check_confidence


@dataclass(frozen=True)
class McNemar:
    """`difference` is the accuracy of ours minus theirs; the counts are of images that only one of them got right."""

    difference: Interval
    only_ours: int
    only_theirs: int
    p: float


def mcnemar(ours: NDArray[Any], theirs: NDArray[Any], confidence: float = 0.95) -> McNemar:
    """McNemar's exact test of two single runs on the same images (statsmodels; Dietterich 1998).

    It asks whether the images that one of them alone got right fall evenly. The difference's interval is exact for
    that question too: Clopper and Pearson's of the share of ours, given their number, so that it leaves out 0 just
    where p is below 1 - confidence. It says nothing about other seeds: for configurations with several seeds,
    `bench.statistics.contrasts.difference`.

    Parameters
    ----------
    ours, theirs
        Which images each got right: booleans of shape (images,).

    Raises
    ------
    ValueError
        Shapes differ or are not (images,), or a confidence outside (0, 1).
    """
    if ours.shape != theirs.shape or ours.ndim != 1 or not len(ours):
        raise ValueError(f"two runs on the same images are wanted, not shapes {ours.shape} and {theirs.shape}")
    check_confidence(confidence)
    first, second = ours.astype(bool), theirs.astype(bool)
    only_ours = int(np.count_nonzero(first & ~second))
    only_theirs = int(np.count_nonzero(second & ~first))
    images, apart = len(ours), only_ours + only_theirs
    if apart == 0:
        return McNemar(Interval(0.0, 0.0, 0.0), 0, 0, 1.0)
    table = [[int(np.count_nonzero(first & second)), only_ours], [only_theirs, 0]]
    p = float(statsmodels_mcnemar(table, exact=True).pvalue)
    low, high = proportion_confint(only_ours, apart, alpha=1 - confidence, method="beta")
    bounds = [apart * (2 * float(bound) - 1) / images for bound in (low, high)]
    return McNemar(Interval((only_ours - only_theirs) / images, *bounds), only_ours, only_theirs, p)


def one_sided(found: McNemar, images: int, null: float = 0.0) -> tuple[float, float]:
    """Exact p-values against "the difference is at least `null`" and against "it is at most `null`".

    Given how many images only one run got right, the share of ours among them is binomial; a difference of `null`
    makes it (1 + null * images / apart) / 2. At a p of 2.5 % the null lies on the bound of `mcnemar`'s 95 % interval.

    Parameters
    ----------
    images
        Number of test images.
    null
        As a fraction.
    """
    apart = found.only_ours + found.only_theirs
    if apart == 0 or abs(null) * images > apart:
        # No share gives such a difference: what was found lies on one side of it for certain.
        return (1.0, 0.0) if null < 0 else (0.0, 1.0) if null > 0 else (1.0, 1.0)
    share = (1 + null * images / apart) / 2
    below = float(stats.binom.cdf(found.only_ours, apart, share))
    above = float(stats.binom.sf(found.only_ours - 1, apart, share))
    return below, above
