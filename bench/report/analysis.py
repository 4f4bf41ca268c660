"""What do the predictions tell? Which images are classified correctly, estimates of the means, the best set."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.metrics import PredictedClasses, Predictions
from bench.report.estimates import select_on_validation
from bench.report.grouping import Configuration, TrialGroup
from bench.statistics.best_set import BestSet, find_best_set, fixed_images
from bench.statistics.contrasts import MIN_SEEDS, NOISE_STANDARD_ERRORS, seed_error
from bench.statistics.intervals import Interval
from bench.statistics.means import MeanEstimates, measure, new_images, subset, this_test_set

MAX_TOP = 8

SEEDS_FOR_TEST_SET = 10
"""Seeds of every configuration from which the best set of this very test set is found, too: only seeds vary in it."""

STATISTICS = ("in_best_set", "in_joint_best_set", "in_best_set_on_test", "gap_to_best", "below_seed_noise")


@dataclass(frozen=True, eq=False)
class Correctness:
    """`correct` by label: booleans of shape (seeds, images), of the configurations tested on the same `images` images.

    `checksum` is the SHA-256 of those images' labels, `checksums` and `accuracies` those of each complete trial by key.
    A configuration with other test labels than most is not in `correct`: it cannot be compared with them.
    """

    correct: dict[str, NDArray[np.bool_]]
    images: int
    checksum: str
    checksums: dict[str, str]
    accuracies: dict[str, float]


@dataclass(frozen=True)
class RankStatistics:
    """A configuration's intervals at 95 %, and how it compares with the best; `bench.report.leaderboard_frame.COLUMNS`.

    `test_interval` is of the accuracy on this test set (None without seed noise), `new_interval` on new images.
    """

    test_interval: Interval | None
    new_interval: Interval
    in_best_set: bool | None = None
    in_joint_best_set: bool | None = None
    in_best_set_on_test: bool | None = None
    gap_to_best: float = float("nan")
    below_seed_noise: bool | None = None

    def columns(self) -> dict[str, Any]:
        """The leaderboard's columns."""
        bounds = {name: getattr(self, name) for name in STATISTICS}
        return {"new_low": self.new_interval.low, "new_high": self.new_interval.high, **bounds}


@dataclass(frozen=True, eq=False)
class Analysis:
    """Estimates of accuracy, whatever metric ranks; fractions and 95 % intervals.

    Attributes
    ----------
    compared, estimates
        The configurations with every planned seed, by label, and the estimates of their means in the same order (None
        without any).
    ranked
        The positions in `compared` of those with `MIN_SEEDS` seeds or more, of which alone it is said which may be the
        best: with fewer such a set excludes a true best in most suites.
    best_set
        Which of `ranked` may be the best; None for fewer than two.
    best_set_on_test
        Which of them may be the best of this test set, where all have `SEEDS_FOR_TEST_SET` seeds; else None.
    top
        Labels: the selected one first, then those in the best set by test mean, at most `MAX_TOP`.
    rank_statistics
        By label, of all configurations with a complete seed.
    seed_noise
        The standard deviation between the seeds of the median configuration; in theory where none has two seeds.
    correctness
        What was read of the predictions.
    """

    compared: tuple[Configuration, ...]
    estimates: MeanEstimates | None
    ranked: tuple[int, ...]
    best_set: BestSet | None
    best_set_on_test: BestSet | None
    top: tuple[str, ...]
    rank_statistics: dict[str, RankStatistics]
    seed_noise: float
    correctness: Correctness

    @property
    def indices(self) -> dict[str, int]:
        """Label to position in `compared` and `estimates`."""
        return {configuration.label: index for index, configuration in enumerate(self.compared)}

    @property
    def by_mean(self) -> list[str]:
        """The labels of `compared`, the highest test mean first."""
        if self.estimates is None:
            return []
        return [self.compared[index].label for index in np.argsort(-self.estimates.means, kind="stable")]

    def trained(self) -> tuple[tuple[Configuration, ...], MeanEstimates | None]:
        """`compared` and `estimates` without imported configurations, whose settings and costs are unknown."""
        rows = [index for index, configuration in enumerate(self.compared) if not configuration.imported]
        estimates = subset(self.estimates, rows) if self.estimates and rows else None
        return tuple(self.compared[index] for index in rows), estimates

    def not_adaptive(self) -> tuple[tuple[Configuration, ...], MeanEstimates | None]:
        """`trained` without what an adaptive search chose by the results of others."""
        compared, estimates = self.trained()
        rows = [index for index, configuration in enumerate(compared) if not configuration.adaptive]
        if estimates is None or len(rows) == len(compared):
            return compared, estimates
        return tuple(compared[index] for index in rows), subset(estimates, rows) if rows else None

    @property
    def untested(self) -> list[Configuration]:
        """Those of `compared` with too few seeds for a p or a place in the best set."""
        return [configuration for index, configuration in enumerate(self.compared) if index not in set(self.ranked)]

    @property
    def single_seeds(self) -> bool:
        """Whether no configuration has two seeds, so that nothing accounts for seed noise."""
        several = any(len(configuration.with_status("complete")) > 1 for configuration in self.compared)
        return self.estimates is not None and self.estimates.noise is None and not several

    @property
    def identical_seeds(self) -> bool:
        """Whether all seeds of each configuration are correct on the same images, and some have several."""
        several = [table for table in self.correctness.correct.values() if len(table) > 1]
        return bool(several) and all((table == table[0]).all() for table in several)


def analyse(
    group: TrialGroup, predictions: Callable[[str], PredictedClasses | Predictions], metric: str = "accuracy"
) -> Analysis:
    """Analyse one group; `metric` is what validation selects by."""
    correctness = read_correctness(group.configurations, predictions)
    measured = [
        configuration
        for configuration in group.configurations
        if configuration.label in correctness.correct and correctness.images > 1
    ]
    everything = measure(correctness.correct[configuration.label] for configuration in measured) if measured else None
    compared = tuple(configuration for configuration in measured if configuration.complete)
    estimates = best_set = best_set_on_test = None
    if everything and compared:
        estimates = subset(
            everything, [index for index, configuration in enumerate(measured) if configuration.complete]
        )
    ranked = tuple(np.flatnonzero(estimates.seeds >= MIN_SEEDS).tolist()) if estimates else ()
    if estimates and len(ranked) > 1:
        of_ranked = subset(estimates, ranked)
        best_set = find_best_set(of_ranked)
        if of_ranked.seeds.min() >= SEEDS_FOR_TEST_SET:
            best_set_on_test = find_best_set(fixed_images(of_ranked))
    return Analysis(
        compared=compared,
        estimates=estimates,
        ranked=ranked,
        best_set=best_set,
        best_set_on_test=best_set_on_test,
        top=_top(compared, estimates, ranked, best_set, select_on_validation(group, metric)),
        rank_statistics=_rank_statistics(
            measured, everything, compared, [compared[index].label for index in ranked], best_set, best_set_on_test
        ),
        seed_noise=_median_seed_noise(estimates),
        correctness=correctness,
    )


def read_correctness(
    configurations: Sequence[Configuration], predictions: Callable[[str], PredictedClasses | Predictions]
) -> Correctness:
    """Read the predictions of every complete trial; a byte per image stays in memory."""
    tables: dict[str, list[NDArray[np.bool_]]] = {}
    checksums: dict[str, str] = {}
    accuracies: dict[str, float] = {}
    for configuration in configurations:
        for record in configuration.with_status("complete"):
            stored = predictions(record.key)
            correct = stored.labels == stored.predicted
            tables.setdefault(configuration.label, []).append(correct)
            checksums[record.key] = hashlib.sha256(stored.labels.astype("<u2").tobytes()).hexdigest()
            accuracies[record.key] = float(np.count_nonzero(correct) / len(correct))
    if not checksums:
        return Correctness({}, 0, "", {}, {})
    (checksum, _), *_ = Counter(checksums.values()).most_common(1)
    same_labels = {
        configuration.label: np.stack(tables[configuration.label])
        for configuration in configurations
        if configuration.label in tables
        and {checksums[r.key] for r in configuration.with_status("complete")} == {checksum}
    }
    images = next((table.shape[1] for table in same_labels.values()), 0)
    return Correctness(same_labels, images, checksum, checksums, accuracies)


def _top(
    compared: Sequence[Configuration],
    estimates: MeanEstimates | None,
    ranked: Sequence[int],
    best_set: BestSet | None,
    selected: Configuration | None,
) -> tuple[str, ...]:
    if estimates is None:
        return ()
    order = np.argsort(-estimates.means, kind="stable")
    left = {index for index, best in zip(ranked, best_set.in_set, strict=True) if not best} if best_set else set()
    best = [compared[index].label for index in order if index not in left]
    first = [selected.label] if selected is not None and selected in compared else []
    return tuple(dict.fromkeys([*first, *best]))[:MAX_TOP]


def _rank_statistics(
    measured: Sequence[Configuration],
    estimates: MeanEstimates | None,
    compared: Sequence[Configuration],
    ranked: Sequence[str],
    best_set: BestSet | None,
    best_set_on_test: BestSet | None,
) -> dict[str, RankStatistics]:
    """By label, of all that have a complete seed (`measured`, in the order of `estimates`).

    `ranked` are the labels of the best sets, in their order.
    """
    if estimates is None:
        return {}
    complete = {configuration.label for configuration in compared}
    ranks = {label: rank for rank, label in enumerate(ranked)}
    rows = [row for row, configuration in enumerate(measured) if configuration.label in complete]
    best = max(rows, key=lambda row: estimates.means[row], default=0)
    statistics = {}
    for row, configuration in enumerate(measured):
        intervals = this_test_set(estimates, row), new_images(estimates, row)
        if configuration.label not in complete or len(rows) < 2:
            statistics[configuration.label] = RankStatistics(*intervals)
            continue
        weights = np.zeros((1, len(measured)))
        weights[0, best] += 1
        weights[0, row] -= 1
        gap = float(estimates.means[best] - estimates.means[row])
        rank = ranks.get(configuration.label)
        statistics[configuration.label] = RankStatistics(
            *intervals,
            bool(best_set.in_set[rank]) if best_set and rank is not None else None,
            bool(best_set.in_joint_set[rank]) if best_set and rank is not None else None,
            bool(best_set_on_test.in_set[rank]) if best_set_on_test and rank is not None else None,
            gap,
            0 < gap < NOISE_STANDARD_ERRORS * float(seed_error(estimates, weights)[0]),
        )
    return statistics


def _median_seed_noise(estimates: MeanEstimates | None) -> float:
    if estimates is None:
        return float("nan")
    noise = estimates.independent if estimates.noise is None else estimates.noise.variances
    return float(np.sqrt(np.median(noise)))
