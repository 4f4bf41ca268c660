"""Small pictures for the page, as coordinates of inline SVG: intervals beside the rows, learning curves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from bench.report.cells import Row
from bench.report.details import Details
from bench.suite.metrics import METRICS

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 10, 26


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


@dataclass(frozen=True)
class Curves:
    """Polylines (``x,y x,y``) by class name, ticks as (position, text); coordinates in a WIDTH x HEIGHT box."""

    lines: tuple[tuple[str, str], ...]
    dots: tuple[tuple[str, float, float], ...]
    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]


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
    bound = float(numbers.get(name, math.nan))
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
    wider = [place(min(max(numbers.get(name, math.nan), limits[0]), limits[1])) for name in ("new_low", "new_high")]
    return Whisker(
        place(value),
        place(numbers["test_low"]),
        place(numbers["test_high"]),
        *(None if math.isnan(bound) else bound for bound in wider),
    )


def curves(one: Details) -> Curves | None:
    """Training and validation accuracy per epoch, a line per seed; None where no curve was kept."""
    series = [(name, values) for name, lines in one.curves.items() for values in lines]
    finite = [value for _, values in series for value in values if value is not None]
    if not finite:
        return None
    epochs = max(len(values) for _, values in series)
    low, high = min(finite), max(finite)
    ticks = _ticks(low, high)
    low, high = min(low, ticks[0]), max(high, ticks[-1])

    def across(epoch: int) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (epoch - 1) / max(epochs - 1, 1), 1)

    def up(value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low), 1)

    points = [
        (name, [(across(epoch), up(value)) for epoch, value in enumerate(values, 1) if value is not None])
        for name, values in series
    ]
    step = max(1, math.ceil(epochs / 8))
    return Curves(
        lines=tuple((name, " ".join(f"{x},{y}" for x, y in line)) for name, line in points if len(line) > 1),
        dots=tuple((name, *line[0]) for name, line in points if len(line) == 1),
        across=tuple((across(epoch), str(epoch)) for epoch in range(1, epochs + 1, step)),
        up=tuple((up(tick), f"{100 * tick:g}") for tick in ticks),
    )


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers that span a range."""
    span = max(high - low, 0.001)
    power: float = 10.0 ** math.floor(math.log10(span))
    step = next(size * power for size in (0.2, 0.5, 1.0, 2.0) if span / (size * power) <= 5)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 6) for number in range(first, max(last, first + 1) + 1)]
