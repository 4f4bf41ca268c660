"""How much of a search's variation does each parameter explain? Main effects of a random forest over the search space.

Functional analysis of variance (Hutter, Hoos and Leyton-Brown 2014, ICML): a forest predicts the metric from the drawn
values; a parameter's importance is the fraction of the variance of that prediction over the search space that its
marginal prediction has. The space is averaged over, not the sample, so that an adaptive search, which has most of its
configurations where results were good, is weighted as a random one. Uncertainty is that of the configurations: a forest
is fitted to each of some bootstrap resamples of them, and what it explains of those left out says whether there is
anything to attribute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.statistics.seed_noise import Floats

if TYPE_CHECKING:
    from sklearn.tree import DecisionTreeRegressor

MIN_CONFIGURATIONS = 10
"""Fewer say nothing of a parameter's importance."""

RESAMPLES = 40
TREES = 4
"""Of the forest of a resample."""

GRID_POINTS = 12
"""Values of a parameter at which its marginal prediction is computed."""

BACKGROUND = 64
"""Random points of the search space over which that is averaged."""

TOTAL_POINTS = 1024
"""Random points of which the variance of the predictions is taken."""


@dataclass(frozen=True)
class Importance:
    """A fraction of the variance, between 0 and 1: the mean over resamples, and their middle 95 %."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Importances:
    """Of each parameter, and the fraction of the variance of left-out configurations that the forests explain."""

    parameters: tuple[Importance, ...]
    explained: float


def parameter_importances(
    unit_values: Floats, n_choices: Sequence[int], results: Floats, seed: int = 0
) -> Importances | None:
    """The importance of each parameter; None of fewer than `MIN_CONFIGURATIONS` or of equal results.

    Parameters
    ----------
    unit_values
        Shape (configurations, parameters): where in its distribution each value lies, from 0 to 1; of a choice its
        index.
    n_choices
        Of each parameter, how many values its choice has; 0 where it has a distribution of numbers.
    results
        The metric of each configuration.
    """
    n_rows = len(results)
    if n_rows < MIN_CONFIGURATIONS or np.ptp(results) == 0:
        return None
    rng = np.random.default_rng(seed)
    grids = [np.arange(n, dtype=float) if n else (np.arange(GRID_POINTS) + 0.5) / GRID_POINTS for n in n_choices]
    space = _marginal_points(rng.random((TOTAL_POINTS, len(n_choices))), grids, n_choices)
    features, points = _one_hot(unit_values, n_choices), _one_hot(space, n_choices)
    fractions, left_out = [], [list[float]() for _ in range(n_rows)]
    for _ in range(RESAMPLES):
        rows = rng.integers(0, n_rows, n_rows)
        trees = [_tree(features, results, rng.choice(rows, n_rows), rng) for _ in range(TREES)]
        predicted = np.mean([tree.predict(points) for tree in trees], axis=0)
        fractions.append(_main_effects(predicted, grids))
        others = np.setdiff1d(np.arange(n_rows), rows)
        if len(others):
            for row, value in zip(
                others, np.mean([tree.predict(features[others]) for tree in trees], axis=0), strict=True
            ):
                left_out[row].append(value)
    low, high = np.percentile(fractions, [2.5, 97.5], axis=0)
    importances = zip(np.mean(fractions, axis=0), low, high, strict=True)
    known = [row for row in range(n_rows) if left_out[row]]
    errors = results[known] - np.array([np.mean(left_out[row]) for row in known])
    explained = 1 - float(np.mean(errors**2) / results.var())
    return Importances(tuple(Importance(*map(float, values)) for values in importances), explained)


def _tree(features: Floats, results: Floats, rows: Floats, rng: np.random.Generator) -> DecisionTreeRegressor:
    from sklearn.tree import DecisionTreeRegressor

    tree = DecisionTreeRegressor(min_samples_leaf=2, random_state=int(rng.integers(2**31)))
    return tree.fit(features[rows], results[rows])


def _marginal_points(points: Floats, grids: Sequence[Floats], n_choices: Sequence[int]) -> Floats:
    """Random points, then for each value of each parameter's grid some of them with that value."""
    for column, count in enumerate(n_choices):
        if count:
            points[:, column] = np.floor(points[:, column] * count)
    blocks = [points]
    for column, grid in enumerate(grids):
        for value in grid:
            blocks.append(points[:BACKGROUND].copy())
            blocks[-1][:, column] = value
    return np.concatenate(blocks)


def _main_effects(predicted: Floats, grids: Sequence[Floats]) -> Floats:
    """The fraction of the predictions' variance that each parameter explains by itself."""
    total, start = float(predicted[:TOTAL_POINTS].var()), 0
    marginals = predicted[TOTAL_POINTS:].reshape(-1, BACKGROUND).mean(axis=1)
    explained = []
    for grid in grids:
        explained.append(float(marginals[start : start + len(grid)].var()))
        start += len(grid)
    return np.clip(np.array(explained) / total, 0, 1) if total > 0 else np.zeros(len(grids))


def _one_hot(unit_values: Floats, n_choices: Sequence[int]) -> Floats:
    """A column for each value of a choice, which has no order."""
    columns = [
        unit_values[:, [column]] if not count else (unit_values[:, [column]] == np.arange(count)).astype(float)
        for column, count in enumerate(n_choices)
    ]
    return np.concatenate(columns, axis=1)
