"""Where does a configuration stand? Its two intervals, and how it compares with the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.report.grouping import Configuration
from bench.statistics.best_set import BestSet
from bench.statistics.factor_effects import NOISE_STANDARD_ERRORS, seed_error
from bench.statistics.intervals import Interval
from bench.statistics.means import MeanEstimates, new_images, this_test_set

STATISTICS = ("in_best_set", "in_joint_best_set", "in_best_set_on_test", "gap_to_best", "below_seed_noise")


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
        own = {name: getattr(self, name) for name in STATISTICS}
        return {"new_low": self.new_interval.low, "new_high": self.new_interval.high, **own}


def standings(
    shown: Sequence[Configuration],
    measured: MeanEstimates | None,
    compared: Mapping[str, int],
    tied: BestSet | None,
    here: BestSet | None,
) -> dict[str, RankStatistics]:
    """By label.

    Parameters
    ----------
    shown, measured
        All that have a complete seed, and what was measured of them, in the same order.
    compared
        Label to place in `tied` and `here` of those that were compared with each other.
    tied, here
        Which of them may be the best on new images, and on this test set; None where that was not judged.
    """
    if measured is None:
        return {}
    places = [number for number, one in enumerate(shown) if one.label in compared]
    best = max(places, key=lambda number: measured.means[number], default=0)
    found = {}
    for number, one in enumerate(shown):
        this, new = this_test_set(measured, number), new_images(measured, number)
        place = compared.get(one.label)
        if place is None or len(places) < 2:
            found[one.label] = RankStatistics(this, new)
            continue
        weights = np.zeros((1, len(shown)))
        weights[0, best] += 1
        weights[0, number] -= 1
        behind = float(measured.means[best] - measured.means[number])
        found[one.label] = RankStatistics(
            this,
            new,
            bool(tied.in_set[place]) if tied else None,
            bool(tied.in_joint_set[place]) if tied else None,
            bool(here.in_set[place]) if here else None,
            behind,
            0 < behind < NOISE_STANDARD_ERRORS * float(seed_error(measured, weights)[0]),
        )
    return found


def seed_noise(measured: MeanEstimates | None) -> float:
    """The standard deviation between the seeds of the middle configuration; nan where nothing was measured.

    As measured, or as theory expects where no configuration has two seeds.
    """
    if measured is None:
        return float("nan")
    noise = measured.independent if measured.noise is None else measured.noise.variances
    return float(np.sqrt(np.median(noise)))
