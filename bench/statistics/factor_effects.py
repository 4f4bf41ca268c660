"""Which pairs of axes do more, or less, together than each alone?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from bench.statistics.intervals import check_confidence
from bench.statistics.means import MeanEstimates, satterthwaite
from bench.statistics.seed_noise import Floats

Level = tuple[str, ...]


@dataclass(frozen=True)
class Strata:
    """`members` gives the row numbers by cell (a combination of all other axes, by number) and level.

    `levels` are those of the axes in question, in the order of first appearance, `count` the number of cells.
    """

    members: dict[tuple[int, Level], list[int]]
    levels: tuple[Level, ...]
    count: int

    @cached_property
    def having(self) -> dict[Level, set[int]]:
        """The cells of each level."""
        found: dict[Level, set[int]] = {}
        for cell, level in self.members:
            found.setdefault(level, set()).add(cell)
        return found

    def matched(self, levels: Sequence[Level]) -> list[int]:
        """The cells that have every one of these levels."""
        if len(levels) > len(self.members):  # as where every configuration drew a value of its own
            return []
        return sorted(set.intersection(*sorted((self.having.get(one, set()) for one in levels), key=len)))


def varying(axes: pd.DataFrame) -> list[str]:
    """The axes with two levels or more."""
    return [axis for axis in axes.columns if axes[axis].nunique(dropna=False) > 1]


def strata_of(axes: pd.DataFrame, inner: Sequence[str]) -> Strata:
    """Sort the rows of `axes` by the levels of `inner`, one cell per combination of the other columns."""
    outer = [axis for axis in axes.columns if axis not in inner]
    numbers: dict[tuple[object, ...], int] = {}
    members: dict[tuple[int, Level], list[int]] = {}
    around = zip(*(axes[axis] for axis in outer), strict=True) if outer else [()] * len(axes)
    within = zip(*(axes[axis] for axis in inner), strict=True)
    for row, (cell, level) in enumerate(zip(around, within, strict=True)):
        number = numbers.setdefault(tuple(cell), len(numbers))
        members.setdefault((number, tuple(level)), []).append(row)
    return Strata(members, tuple(dict.fromkeys(level for _, level in members)), len(numbers))


FAINT = 2.0
"""Standard errors of the seeds within which a difference is faint: seeds alone make 1 in 20 as large."""


@dataclass(frozen=True, eq=False)
class ContrastEffects:
    """Effects in the unit of the means, as fractions, arrays of shape (m,).

    `low` and `high` hold on new images (seeds and images vary), `this_low` and `this_high` on this test set (seeds
    vary; nan without seed noise). `p` is two-sided, on new images, of each effect by itself, against the effect asked
    about (0 unless told).
    """

    estimate: Floats
    low: Floats
    high: Floats
    this_low: Floats
    this_high: Floats
    p: Floats


@dataclass(frozen=True)
class Difference:
    """One effect, its fields as in `ContrastEffects`; `seeds_counted` is False where it
    speaks of these networks only."""

    estimate: float
    low: float
    high: float
    this_low: float
    this_high: float
    p: float
    seeds_counted: bool


def difference(
    measured: MeanEstimates, ours: int, theirs: int, confidence: float = 0.95, null: float = 0.0
) -> Difference:
    """The mean of configuration number `ours` minus that of `theirs`.

    The shared images pair them (their covariance is taken off); equal seed numbers pair nothing. `p` is against a
    difference of `null`.

    Raises
    ------
    ValueError
        A confidence outside (0, 1).
    IndexError
        No configuration has this number.
    """
    weights = np.zeros((1, len(measured.means)))
    weights[0, ours] += 1
    weights[0, theirs] -= 1
    found = contrasts(measured, weights, confidence, null)
    return Difference(
        estimate=float(found.estimate[0]),
        low=float(found.low[0]),
        high=float(found.high[0]),
        this_low=float(found.this_low[0]),
        this_high=float(found.this_high[0]),
        p=float(found.p[0]),
        seeds_counted=measured.noise is not None,
    )


def contrasts(measured: MeanEstimates, weights: Floats, confidence: float = 0.95, null: float = 0.0) -> ContrastEffects:
    """Weighted sums of the means, such as differences and the effects of a factor.

    w'm +- t sqrt(w'Vw), V the covariance of the means over new seeds and images; Satterthwaite's degrees of freedom,
    at most those that all seeds together have.

    Parameters
    ----------
    measured
        k configurations.
    weights
        Shape (m, k), a row per effect.
    confidence
        Coverage of each interval by itself, in (0, 1).
    null
        The effect that `p` is against.
    """
    check_confidence(confidence)
    estimate = weights @ measured.means
    spread = variance(measured, weights)
    level = 0.5 + confidence / 2
    nothing = np.full(len(estimate), np.nan)
    if measured.noise is None:
        degrees = np.full(len(estimate), measured.images - 1.0)
        this_low, this_high = nothing, nothing
    else:
        parts = weights**2 * (measured.noise.variances / measured.seeds)
        seeds = parts.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            of_seeds = seeds**2 / (parts**2 / measured.noise.degrees).sum(axis=1)
        of_seeds = np.clip(np.nan_to_num(of_seeds, nan=1.0), 1.0, measured.noise.total)
        degrees = satterthwaite(spread, seeds, of_seeds, measured.images)
        half = stats.t.ppf(level, of_seeds) * np.sqrt(seeds)
        this_low, this_high = estimate - half, estimate + half
    half = stats.t.ppf(level, degrees) * np.sqrt(spread)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.where(estimate == null, 0.0, np.abs(estimate - null) / np.sqrt(spread))
    return ContrastEffects(
        estimate, estimate - half, estimate + half, this_low, this_high, 2 * stats.t.sf(score, degrees)
    )


def seed_error(measured: MeanEstimates, weights: Floats) -> Floats:
    """The standard error by seeds alone of each row's weighted sum of the means, shape (m,).

    For a difference of two configurations as noisy as each other this is s sqrt(1 / s1 + 1 / s2). Where no
    configuration has two seeds it is what theory expects of flips, `bench.statistics.intervals.binomial_noise`.
    """
    noise = measured.independent if measured.noise is None else measured.noise.variances
    result: Floats = np.sqrt(weights**2 @ (noise / measured.seeds))
    return result


def variance(measured: MeanEstimates, weights: Floats) -> Floats:
    """w'Vw of each row of `weights`, shape (m, k), V the covariance of the means over new seeds and new images.

    From the images themselves: V of thousands of configurations would be millions of numbers.
    """
    used = np.flatnonzero(weights.any(axis=0))
    rows = measured.deviations if len(used) == len(measured.means) else measured.deviations[used]
    by_image = weights[:, used].astype(rows.dtype) @ rows
    shared = np.einsum("mn,mn->m", by_image, by_image, dtype=np.float64) / (measured.images - 1) / measured.images
    result: Floats = shared + weights**2 @ measured.beyond
    return result


MEAN = "mean"
EFFECT_COLUMNS = (
    "axis",
    "level",
    "against",
    "effect",
    "low",
    "high",
    "this_low",
    "this_high",
    "p",
    "below_floor",
    "cells",
    "missing",
)


def main_effects(
    axes: pd.DataFrame, measured: MeanEstimates, against: dict[str, str] | None = None, confidence: float = 0.95
) -> pd.DataFrame:
    """The effect of every level of every axis that varies, over cells in which all else is equal.

    A cell is one combination of all the other axes. Against the mean, a level's effect is its value less the mean of
    all levels, averaged over the cells that have them all; against a level, the difference of the two, averaged over
    the cells that have both. In a full grid these are the main effects of the factorial design (Box, Hunter and Hunter,
    Statistics for Experimenters, chapter 5), the grid fixed, seeds and images random.

    Parameters
    ----------
    axes
        A row per configuration in `measured`'s order and a column per axis, levels as text. Full-budget
        configurations only.
    measured
        The same configurations.
    against
        Axis to the level its others are compared with; axes that it leaves out are compared with the mean.

    Returns
    -------
    pd.DataFrame
        `EFFECT_COLUMNS`, a row per axis and level, in the order of first appearance. Effects and bounds are fractions
        (bounds and p as in `bench.statistics.factor_effects.ContrastEffects`), nan where no cell matches. `below_floor`
        says whether an effect is within `FAINT` standard errors of the seeds. `cells` counts those used and `missing`
        those left out because pruning, failure or the shape of the grid left a level without its partner: what survives
        pruning is a selected sample, so print it.

    Raises
    ------
    ValueError
        Rows do not match, or `against` names an axis or a level that is not there.
    """
    _check(axes, measured, against or {})
    rows: list[dict[str, object]] = []
    weights: list[Floats] = []
    for axis in varying(axes):
        cells = strata_of(axes, [axis])
        base = (against or {}).get(axis)
        levels = [level for (level,) in cells.levels]
        whole = cells.matched([(one,) for one in levels]) if base is None else []
        for level in levels:
            if level == base:
                continue
            wanted = levels if base is None else [level, base]
            matched = whole if base is None else cells.matched([(one,) for one in wanted])
            rows.append(
                {
                    "axis": axis,
                    "level": level,
                    "against": base or MEAN,
                    "cells": len(matched),
                    "missing": cells.count - len(matched),
                }
            )
            if not matched:
                continue
            shares = dict.fromkeys(wanted, -1 / len(wanted)) if base is None else {base: -1.0, level: 0.0}
            shares[level] += 1
            weights.append(weigh(cells, matched, {(name,): share for name, share in shares.items()}, len(axes)))
    return tabulate(rows, weights, measured, EFFECT_COLUMNS, confidence)


def weigh(cells: Strata, matched: Sequence[int], shares: dict[tuple[str, ...], float], count: int) -> Floats:
    """A row of weights: each level's share spread evenly over the matched cells, and over a cell's configurations."""
    row = np.zeros(count)
    for cell in matched:
        for level, share in shares.items():
            members = cells.members[cell, level]
            row[members] += share / len(members) / len(matched)
    return row


def tabulate(
    rows: list[dict[str, object]],
    weights: list[Floats],
    measured: MeanEstimates,
    columns: Sequence[str],
    confidence: float,
) -> pd.DataFrame:
    """The rows with the figures of their contrasts, of which there is one per row with a cell; nan for the others."""
    frame = pd.DataFrame(rows)
    if not rows:
        return pd.DataFrame(columns=list(columns))
    frame[["effect", "low", "high", "this_low", "this_high", "p"]] = np.nan
    frame["below_floor"] = False
    if weights:
        found = contrasts(measured, np.stack(weights), confidence)
        there = frame["cells"] > 0
        frame.loc[there, "effect"] = found.estimate
        for name in ("low", "high", "this_low", "this_high", "p"):
            frame.loc[there, name] = getattr(found, name)
        frame.loc[there, "below_floor"] = np.abs(found.estimate) < FAINT * seed_error(measured, np.stack(weights))
    return frame[list(columns)]


def _check(axes: pd.DataFrame, measured: MeanEstimates, against: dict[str, str]) -> None:
    if len(axes) != len(measured.means):
        raise ValueError(f"{len(axes)} rows of axes do not match {len(measured.means)} configurations")
    for axis, level in against.items():
        if axis not in axes.columns or level not in set(axes[axis]):
            raise ValueError(f"there is no {axis} {level!r} to compare with")


INTERACTION_COLUMNS = (
    "axis",
    "level",
    "with_axis",
    "with_level",
    "effect",
    "low",
    "high",
    "this_low",
    "this_high",
    "p",
    "p_holm",
    "below_floor",
    "cells",
    "missing",
)


def interactions(
    axes: pd.DataFrame, measured: MeanEstimates, top: int | None = None, confidence: float = 0.95
) -> pd.DataFrame:
    """Two-way interactions by size, the strongest first: what two levels do together beyond the sum of their effects.

    In each cell (a combination of all other axes) that has every pair of levels of the two axes: the value less the
    means of its row and its column, plus the mean of all, averaged over such cells. As in the factorial analysis of
    variance; rows and columns of one pair of axes sum to 0. Of an axis with two levels the first is left out, as it
    says the same with the other sign: two axes of two levels have one interaction, and one test.

    Parameters
    ----------
    axes, measured
        As for `bench.statistics.factor_effects.main_effects`.
    top
        How many are kept; all by default.

    Returns
    -------
    pd.DataFrame
        `INTERACTION_COLUMNS`; pairs of axes without a matching cell are left out. `p` is of each by itself, `p_holm`
        over all that were looked at, before the strongest were picked (Holm, statsmodels), which bounds and p do not
        allow for.
    """
    rows: list[dict[str, object]] = []
    weights: list[Floats] = []
    for first, second in combinations(varying(axes), 2):
        cells = strata_of(axes, [first, second])
        ours = list(dict.fromkeys(level[0] for level in cells.levels))
        theirs = list(dict.fromkeys(level[1] for level in cells.levels))
        pairs: list[Level] = list(product(ours, theirs))
        matched = cells.matched(pairs)
        if not matched:
            continue
        for mine, yours in product(*(levels[1:] if len(levels) == 2 else levels for levels in (ours, theirs))):
            shares: dict[Level, float] = {
                (one, other): ((one == mine) - 1 / len(ours)) * ((other == yours) - 1 / len(theirs))
                for one, other in pairs
            }
            rows.append(
                {
                    "axis": first,
                    "level": mine,
                    "with_axis": second,
                    "with_level": yours,
                    "cells": len(matched),
                    "missing": cells.count - len(matched),
                }
            )
            weights.append(weigh(cells, matched, shares, len(axes)))
    found = tabulate(rows, weights, measured, [name for name in INTERACTION_COLUMNS if name != "p_holm"], confidence)
    found["p_holm"] = multipletests(found["p"], method="holm")[1] if len(found) else np.array([])
    found = found.sort_values("effect", key=lambda values: -values.abs(), kind="stable", ignore_index=True)
    return found.head(top)[list(INTERACTION_COLUMNS)] if top is not None else found[list(INTERACTION_COLUMNS)]
