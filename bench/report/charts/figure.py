"""What is a chart of the report? Its name, its words, and the one specification that all its forms are drawn from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

DIGITS = 6
"""Significant digits of the numbers inside a specification."""


@dataclass(frozen=True)
class Figure:
    """One chart.

    `name` is that of its files and unique within a part, `group` the section of the page it belongs to (``cost``,
    ``effects``, ``curves``, ``calibration``, ``tries`` or ``budget``; ``""`` for those that the page shows in a form of
    its own and that are drawn into files only). The caption says what is shown and what may not be concluded.
    """

    name: str
    title: str
    caption: str
    chart: alt.TopLevelMixin
    group: str


@dataclass(frozen=True)
class LeftOut:
    """A chart that would say nothing here, and why; `group` as in `Figure`."""

    title: str
    reason: str
    group: str


def values(frame: pd.DataFrame) -> alt.InlineData:
    """The rows as a specification's data; what is not finite becomes null."""
    return alt.InlineData(values=[{str(k): _plain(v) for k, v in row.items()} for row in frame.to_dict("records")])


def _plain(value: Any) -> Any:
    if isinstance(value, bool | str):
        return value
    if value is None or pd.isna(value) or not math.isfinite(value):
        return None
    return int(value) if float(value).is_integer() else float(f"{float(value):.{DIGITS}g}")
