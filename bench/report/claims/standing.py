"""Where does a configuration stand? Its two intervals, and how it compares with the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.report.sections import Configuration
from bench.statistics.measured import Measured, new_images, this_test_set
from bench.statistics.proportions import binomial_floor
from bench.statistics.seeds import Interval
from bench.statistics.tied import Tied


@dataclass(frozen=True)
class Standing:
    """A configuration's accuracy: `this` on this test set (None for one seed), `new` on new images, both at 95 %.

    `tied` is None for a configuration that lacks seeds, or where there was nothing to compare; `behind` is how far the
    mean lies behind the best complete one's, as a fraction, and `below_floor` whether that is less than theory's least
    noise between seeds (None for those that were not compared).
    """

    this: Interval | None
    new: Interval
    tied: bool | None = None
    behind: float = float("nan")
    below_floor: bool | None = None


def standings(
    shown: Sequence[Configuration],
    measured: Measured | None,
    compared: Mapping[str, int],
    tied: Tied | None,
    floor: float,
) -> dict[str, Standing]:
    """By label.

    Parameters
    ----------
    shown, measured
        All that have a complete seed, and what was measured of them, in the same order.
    compared, tied
        Label to place in `tied` of those that were compared with each other.
    floor
        Theory's least noise between seeds.
    """
    if measured is None:
        return {}
    found = {}
    for number, one in enumerate(shown):
        this, new = this_test_set(measured, number), new_images(measured, number)
        place = compared.get(one.label)
        if tied is None or place is None:
            found[one.label] = Standing(this, new)
            continue
        behind = float(tied.behind[place])
        found[one.label] = Standing(this, new, bool(tied.tied[place]), behind, 0 < behind < floor)
    return found


def least_noise(measured: Measured | None) -> float:
    """Theory's least standard deviation between seeds at the mean error; nan where nothing was measured."""
    return binomial_floor(1 - float(np.mean(measured.means)), measured.images) if measured else float("nan")
