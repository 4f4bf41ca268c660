"""The report for other programs: CSV of the leaderboard and of every table, JSON of everything."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.report.document import Report
from bench.suite.labels import by_axis

FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What a formula begins with in some spreadsheet; the last four are the wide forms of the first."""


def to_csv(report: Report) -> str:
    """The frame as CSV, one row per configuration and published result; accuracies are fractions.

    It ends with a column per axis that varies, such as ``axis optimizer``.
    """
    return csv_of(with_axes(report.frame))


def with_axes(frame: pd.DataFrame) -> pd.DataFrame:
    """A leaderboard with a column per axis that varies, values as in labels; empty for published results."""
    configured = frame.index[frame["kind"] == "trained"]
    if not len(configured):
        return frame
    values = by_axis([json.loads(text) for text in frame.loc[configured, "config"]])
    columns = {f"axis {axis}": pd.Series(of_axis, index=configured, dtype=object) for axis, of_axis in values.items()}
    return frame.assign(**{name: column.reindex(frame.index) for name, column in columns.items()})


def tables_csv(report: Report) -> dict[str, str]:
    """By name, the frame of each table of each section as CSV; with several comparisons names begin with a number."""
    parts = [(f"{number}-", sections) for number, sections in enumerate(report.sections, 1)]
    if len(parts) == 1:
        parts = [("", report.sections[0])]
    return {
        f"{prefix}{table.name}": csv_of(table.frame)
        for prefix, sections in [*parts, ("", report.closing)]
        for section in sections
        for table in section.filled("csv")
    }


def csv_of(frame: pd.DataFrame) -> str:
    """A frame as CSV that a spreadsheet may open.

    Text that it would run as a formula has an apostrophe before it, which makes it text there (OWASP, CSV Injection);
    numbers stay as they are.
    """
    safe = frame.rename(columns=_no_formula).copy()
    for name, column in safe.items():
        if not pd.api.types.is_numeric_dtype(column):
            safe[name] = column.map(_no_formula)
    return str(safe.to_csv(index=False, lineterminator="\n"))


def csv_of_rows(rows: Sequence[Mapping[str, Any]]) -> str:
    """The same of a few rows with equal keys, in a hundredth of a frame's time."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(map(_no_formula, rows[0] if rows else ()))
    for row in rows:
        writer.writerow("" if cell != cell else _no_formula(cell) for cell in row.values())  # nan differs from itself
    return lines.getvalue()


def _no_formula(cell: Any) -> Any:
    if not isinstance(cell, str) or _is_number(cell):
        return cell
    text = f"'{cell}" if cell.startswith(FORMULA) else cell
    return text.replace("\r", " ")  # which would end the row: pandas does not quote it


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def to_json(report: Report) -> str:
    """The whole report as JSON; accuracies are fractions, what is unknown or never reached is null."""
    comparisons = []
    for comparison, summary, sections in report.parts():
        group = comparison.group
        content: dict[str, Any] = {
            "title": group.title,
            "dataset": group.dataset,
            "protocol": group.protocol,
            "metrics": list(comparison.metrics),
            "common": group.common,
            "legend": group.legend,
            "summary": summary.sentence,
            "trials": summary.trials,
            "notes": [note for section in sections for note in section.remarks],
        }
        for section in sections:
            _merge(content, _plain(section.values()))
        comparisons.append(content)
    content = {
        "title": report.title,
        "suite": report.suite,
        "notes": list(report.notes),
        "comparisons": comparisons,
        "keys": list(report.keys),
    }
    for section in report.closing:
        _merge(content, _plain(section.values()))
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _merge(content: dict[str, Any], data: dict[str, Any]) -> None:
    """Put `data` into `content`, dictionaries of the same name into one."""
    for name, value in data.items():
        if isinstance(value, dict) and isinstance(content.get(name), dict):
            _merge(content[name], value)
        else:
            content[name] = value


def _plain(value: Any) -> Any:
    """Frames as lists of rows, NumPy's scalars as Python's own, None for what is missing or not finite."""
    if isinstance(value, pd.DataFrame):
        return [_plain(row) for row in value.to_dict("records")]
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    value = value.item() if hasattr(value, "item") else value
    if value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value
