"""Numbers as people read them, the same in every section and output."""

from __future__ import annotations

import math
import re
from typing import Any

import pandas as pd

from bench.metrics import METRICS
from bench.report.estimates import WILSON, Estimate

NOTHING = "–"


_NUMBERS = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)")


def level_order(value: str) -> tuple[tuple[str, float], ...]:
    """Sorts values of an axis as people do: ``batch_size=8`` before ``batch_size=64``."""
    parts = _NUMBERS.split(value)
    return tuple((parts[i], float(parts[i + 1]) if i + 1 < len(parts) else 0.0) for i in range(0, len(parts), 2))


def unit(metric: str) -> str:
    """The end of a heading or a value: `` %`` or nothing."""
    return " %" if METRICS[metric].percent else ""


def is_missing(value: Any) -> bool:
    """Whether a value is None, nan or NA."""
    return bool(pd.isna(value))


def number(value: float, metric: str) -> str:
    """A metric's value: in percent with two decimals, or as it is with four."""
    if METRICS[metric].percent:
        return percent(value)
    return NOTHING if math.isnan(value) else f"{value:.4f}"


def percent(value: float) -> str:
    """A fraction in percent with two decimals."""
    return NOTHING if pd.isna(value) else f"{100 * value:.2f}"


def points(value: float) -> str:
    """A fraction as points with their sign: ``+1.04``, ``−0.30``."""
    return NOTHING if math.isnan(value) else _with_sign(f"{100 * value:+.2f}")


def _with_sign(text: str) -> str:
    """A sign as people write it, and none of what rounds to 0."""
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def points_interval(low: float, high: float) -> str:
    """An interval of points: ``[−0.07, +2.15]``."""
    return NOTHING if math.isnan(low) else f"[{points(low)},\u00a0{points(high)}]"


def points_range(low: float, high: float) -> str:
    """Two fractions as points without a sign for what is above 0: ``−0.07 to 2.15``."""
    return " to ".join(_without_plus(f"{100 * value:.2f}") for value in (low, high))


def _without_plus(text: str) -> str:
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")


def signed(value: float, metric: str) -> str:
    """A difference of a metric with its sign."""
    if METRICS[metric].percent or math.isnan(value):
        return points(value)
    return _with_sign(f"{value:+.4f}")


def with_interval(estimate: Estimate, metric: str) -> str:
    """``88.35 ± 0.21`` for an interval over seeds, ``88.35 [87.71, 88.97]`` for Wilson's over images."""
    mean = number(estimate.mean, metric)
    if math.isnan(estimate.low):
        return mean
    if estimate.interval == WILSON:
        return f"{mean} [{number(estimate.low, metric)}, {number(estimate.high, metric)}]"
    # Bounds lie within 0 and 1, near which the sides differ: the wider side is displayed.
    return f"{mean} ± {number(max(estimate.high - estimate.mean, estimate.mean - estimate.low), metric)}"


def p_value(value: float) -> str:
    """As journals print it, with three decimals: ``.045``, ``< .001``."""
    if math.isnan(value):
        return NOTHING
    return "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0")


def count(value: Any) -> str:
    """A whole number with thousands separators."""
    return NOTHING if pd.isna(value) else f"{value:,}"


def mean_count(value: float) -> str:
    """A mean of whole numbers, to the nearest one."""
    return NOTHING if math.isnan(value) else count(round(value))


def counted(number: int, noun: str) -> str:
    """``1 trial``, ``2 trials``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def magnitude(value: Any) -> str:
    """Three digits and a unit: ``218 k``, ``1.2 M``."""
    if pd.isna(value):
        return NOTHING
    for prefix, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if value >= size:
            return f"{value / size:.3g} {prefix}"
    return str(value)


def seconds(value: float) -> str:
    """Seconds, with a decimal below a hundred, and three digits below one."""
    if math.isnan(value):
        return NOTHING
    if 0 < value < 1:
        return f"{value:.3g}"
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def milliseconds(value: float) -> str:
    """Three digits of milliseconds."""
    return NOTHING if math.isnan(value) else f"{value:.3g}"


def spaced(axis: str) -> str:
    """An axis as words: ``batch size``."""
    return axis.replace("_", " ")
