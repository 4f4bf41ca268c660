"""What may be claimed of a part? Its predictions read once, and everything that `bench.statistics` makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.metrics import Predictions
from bench.published.reference_data import Reference
from bench.report.estimates import select_on_validation
from bench.report.findings.budget import budget
from bench.report.findings.correctness import Correctness, look
from bench.report.findings.factors import factors
from bench.report.findings.pairs import COLUMNS as PAIRS
from bench.report.findings.pairs import pairs
from bench.report.findings.placements import placements
from bench.report.findings.standings import RankStatistics, seed_noise, standings
from bench.report.findings.times import times
from bench.report.findings.tuned import tries, tuned
from bench.report.grouping import Config, Configuration, TrialGroup
from bench.statistics.best_set import BestSet, find_best_set, fixed_images
from bench.statistics.means import MeanEstimates, measure, subset

MOST_LEADERS = 8

THIS_TEST_SET = 10
"""Seeds of every configuration from which the best of this very test set are marked too: seeds alone tell them then."""


@dataclass(frozen=True, eq=False)
class Analysis:
    """Claims about accuracy, whatever metric ranks; frames hold fractions and 95 % intervals.

    Attributes
    ----------
    numbers, measured, tied
        The configurations that are compared, those with every seed asked for, by label; what was measured of them and
        which may be the best, in the same order (None for fewer than one and two of them). Where no configuration has
        two seeds nothing tells how they differ, and `tied` is None: such a set loses a true best in most suites.
    here
        Which may be the best of this test set, where all have `THIS_TEST_SET` seeds; else None.
    leaders
        Labels: the chosen one first, then those tied with the best by test mean, at most `MOST_LEADERS`.
    pairs, effects, interactions, tuned, tries, times, placements, budget
        See the functions of those names: `tuned` is by axis, `pairs` of the leaders and the next
        best, at most `MOST_LEADERS` in all.
    standings
        By label, of all configurations with a complete seed.
    seed_noise
        The deviation between the seeds of the middle configuration, or what theory expects where none has two.
    seen
        What was read of the predictions.
    """

    numbers: tuple[Configuration, ...]
    measured: MeanEstimates | None
    tied: BestSet | None
    here: BestSet | None
    leaders: tuple[str, ...]
    pairs: pd.DataFrame
    effects: pd.DataFrame
    interactions: pd.DataFrame
    tuned: dict[str, pd.DataFrame]
    tries: pd.DataFrame
    times: pd.DataFrame
    placements: pd.DataFrame
    budget: pd.DataFrame
    standings: dict[str, RankStatistics]
    seed_noise: float
    seen: Correctness

    @property
    def networks_alone(self) -> bool:
        """Whether no configuration has two seeds: nothing counts how seeds differ, and all is of these networks."""
        several = any(len(one.with_status("complete")) > 1 for one in self.numbers)
        return self.measured is not None and self.measured.noise is None and not several

    @property
    def seeds_agree(self) -> bool:
        """Whether all seeds of each configuration are right on the same images, and some have several."""
        several = [table for table in self.seen.right.values() if len(table) > 1]
        return bool(several) and all((table == table[0]).all() for table in several)


def analyse(
    group: TrialGroup,
    references: Sequence[Reference],
    predictions: Callable[[str], Predictions],
    metric: str = "accuracy",
    repeats: Mapping[str, Sequence[Config]] | None = None,
) -> Analysis:
    """Analyse one section; `metric` is what validation chooses by, `repeats` as in `bench.report.report.build`."""
    seen = look(group.configurations, predictions)
    shown = [one for one in group.configurations if one.label in seen.right and seen.images > 1]
    everything = measure(seen.right[one.label] for one in shown) if shown else None
    numbers = tuple(one for one in shown if one.complete)
    places = {one.label: place for place, one in enumerate(numbers)}
    measured = None
    if everything and numbers:
        measured = subset(everything, [number for number, one in enumerate(shown) if one.complete])
    tied = here = None
    if measured and measured.noise and len(numbers) > 1:
        tied = find_best_set(measured)
        if measured.seeds.min() >= THIS_TEST_SET:
            here = find_best_set(fixed_images(measured))
    leaders = _leaders(numbers, measured, tied, select_on_validation(group, metric))
    # Nobody knows the axes of a configuration that was added from its predictions alone, nor what it cost.
    asked = [one for one in group.configurations if not one.imported]
    grid = [place for place, one in enumerate(numbers) if not one.imported]
    ran, of_ran = tuple(numbers[place] for place in grid), subset(measured, grid) if measured and grid else None
    effects, together = factors(asked, ran, of_ran)
    levels = tuned(ran, of_ran)
    return Analysis(
        numbers=numbers,
        measured=measured,
        tied=tied,
        here=here,
        leaders=leaders,
        pairs=_pairs(leaders, numbers, places, measured, seen),
        effects=effects,
        interactions=together,
        tuned=levels,
        tries=tries(ran, of_ran, list(levels)),
        times=times(ran),
        placements=placements(references, numbers, measured, leaders[:1], repeats or {}),
        budget=budget(asked),
        standings=standings(shown, everything, places, tied, here),
        seed_noise=seed_noise(measured),
        seen=seen,
    )


def _pairs(
    leaders: Sequence[str],
    numbers: Sequence[Configuration],
    places: Mapping[str, int],
    measured: MeanEstimates | None,
    seen: Correctness,
) -> pd.DataFrame:
    """The leaders and, below them, the next best by test mean: a leader that stands alone is to be compared too."""
    if measured is None:
        return pd.DataFrame(columns=list(PAIRS))
    order = [numbers[place].label for place in np.argsort(-measured.means, kind="stable")]
    return pairs(list(dict.fromkeys([*leaders, *order]))[:MOST_LEADERS], places, measured, seen.right)


def _leaders(
    numbers: Sequence[Configuration], measured: MeanEstimates | None, tied: BestSet | None, winner: Configuration | None
) -> tuple[str, ...]:
    if measured is None:
        return ()
    order = np.argsort(-measured.means, kind="stable")
    best = [numbers[place].label for place in order if tied is None or tied.in_set[place]]
    first = [winner.label] if winner is not None and winner in numbers else []
    return tuple(dict.fromkeys([*first, *best]))[:MOST_LEADERS]
