"""Small images beside the rows of a table: where a figure and its intervals lie on the table's scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from bench.metrics import METRICS
from bench.report.cells import Row


@dataclass(frozen=True)
class Whisker:
    """Where a row's figure and its bounds lie on the table's common scale, in percent of the width.

    `low` and `high` bound it on this test set; `new_low` and `new_high` on new images, where these are known.
    """

    at: float
    low: float
    high: float
    new_low: float | None = None
    new_high: float | None = None

    @property
    def style(self) -> str:
        """As custom properties, of which the style sheet draws it: a table of thousands of rows stays small."""
        places = {"a": self.at, "l": self.low, "h": self.high, "m": self.new_low, "n": self.new_high}
        bare = self.low == self.high
        return ";".join(f"--{k}:{v:g}" for k, v in places.items() if v is not None and (k == "a" or not bare))


def scale(rows: list[Row]) -> tuple[float, float] | None:
    """The range of test figures that our rows' intervals span, widened to take in published figures near it."""
    ours = [row.numbers for row in rows if not row.published and not math.isnan(row.numbers["test_mean"])]
    if not ours:
        return None
    low = min(_bound(n, name) for n in ours for name in ("test_low", "new_low"))
    high = max(_bound(n, name) for n in ours for name in ("test_high", "new_high"))
    margin = max(high - low, 0.002)
    published = [row.numbers["test_mean"] for row in rows if row.published]
    near = [value for value in published if low - margin <= value <= high + margin]
    low, high = min([low, *near]), max([high, *near])
    edge = 0.04 * max(high - low, 0.002)
    return max(low - edge, 0.0), min(high + edge, 1.0 if METRICS[ours[0]["metric"]].percent else math.inf)


def _bound(numbers: dict[str, Any], name: str) -> float:
    """A bound of the interval, or the figure itself where it has none."""
    bound = float(numbers[name])
    return float(numbers["test_mean"]) if math.isnan(bound) else bound


def whisker(numbers: dict[str, Any], limits: tuple[float, float]) -> Whisker | None:
    """The row's place on the scale; None for a figure that is missing or lies outside."""

    def place(value: float) -> float:
        return round(100 * (value - limits[0]) / (limits[1] - limits[0]), 2)

    value = numbers["test_mean"]
    if math.isnan(value) or not limits[0] <= value <= limits[1]:
        return None
    if math.isnan(numbers["test_low"]):
        return Whisker(place(value), place(value), place(value))
    wider = [place(min(max(numbers[name], limits[0]), limits[1])) for name in ("new_low", "new_high")]
    return Whisker(
        place(value),
        place(numbers["test_low"]),
        place(numbers["test_high"]),
        *(None if math.isnan(bound) else bound for bound in wider),
    )
