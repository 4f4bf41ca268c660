"""Where do published accuracies lie against ours? Above, within or below, never with a p-value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from bench.jsonutil import canonical
from bench.published.reference_data import Reference
from bench.report.estimates import validation_mean
from bench.report.grouping import Config, Configuration
from bench.report.leaderboard_frame import NEVER_RANKED
from bench.statistics.intervals import Interval
from bench.statistics.means import MeanEstimates, new_images
from bench.statistics.versus_published import published_gap

MEAN = "mean_of_runs"
"""The flag of figures that are no single run's: those get no interval of their own."""

COLUMNS = ("published", "id", "value", "against", "repeats", "ours", "ours_low", "ours_high", "place",
           "gap", "gap_low", "gap_high", "images", "flags", "url")  # fmt: skip
"""`repeats` says whether the configuration it is placed `against` is one that repeats it, or only the first of ours."""


def placements(
    references: Sequence[Reference],
    numbers: Sequence[Configuration],
    measured: MeanEstimates | None,
    leaders: Sequence[str],
    repeats: Mapping[str, Sequence[Config]],
) -> pd.DataFrame:
    """`COLUMNS`, the highest published figure first: `gap` is theirs minus ours, `place` theirs against ours.

    Parameters
    ----------
    references
        Those with a test accuracy count; of refuted claims the figure is shown and not placed.
    numbers, measured
        Ours, and what was measured of them; a published single run gets Wilson's interval on as many images.
    leaders
        The label that figures are held against which no configuration of ours repeats; none: they are left out.
    repeats
        By a reference's id, the configurations that may stand for it; of several, the best on validation does.
    """
    places = {one.label: place for place, one in enumerate(numbers)}
    rows = []
    for one in references:
        if measured is None or one.part != "test" or one.metric_name != "accuracy" or one.value is None:
            continue
        repeated = _repeated(numbers, repeats.get(one.id, ()))
        label = repeated or next(iter(leaders), None)
        if label is not None:
            ours = new_images(measured, places[label])
            rows.append(_row(one, one.value, label, repeated is not None, ours, measured.images))
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"images": "Int64"})
    return frame.sort_values("value", ascending=False, kind="stable", ignore_index=True)


def _repeated(numbers: Sequence[Configuration], configs: Sequence[Config]) -> str | None:
    """The label of the one that stands for a published result."""
    wanted = {canonical(config) for config in configs}
    found = [one for one in numbers if canonical(one.config) in wanted]
    if len(found) > 1:
        found = [one for one in found if not math.isnan(validation_mean(one))]
    return max(found, key=validation_mean).label if found else None


def _row(one: Reference, value: float, label: str, repeated: bool, ours: Interval, images: int) -> dict[str, object]:
    single = MEAN not in one.flags
    found = None if NEVER_RANKED in one.flags else published_gap(value, ours, images if single else None)
    return {
        "published": one.model,
        "id": one.id,
        "value": value,
        "against": label,
        "repeats": repeated,
        "ours": ours.estimate,
        "ours_low": ours.low,
        "ours_high": ours.high,
        "place": found.position if found else "not placed",
        "gap": value - ours.estimate,
        "gap_low": found.gap.low if found else math.nan,
        "gap_high": found.gap.high if found else math.nan,
        "images": images if single else None,
        "flags": "; ".join(flag.replace("_", " ") for flag in one.flags),
        "url": one.url or "",
    }
