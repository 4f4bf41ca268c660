"""The report for other programs: CSV of the leaderboard, JSON of everything."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

import pandas as pd

from bench.report.classes.class_json import details_json, gallery_json
from bench.report.findings.analysis import Analysis
from bench.report.report import Comparison, Report

FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What a formula begins with in some spreadsheet; the last four are the wide forms of the first."""


def to_csv(report: Report) -> str:
    """The frame as CSV, one row per configuration and published figure; accuracies are fractions."""
    return csv_of(report.frame)


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
    """The whole report as JSON; accuracies are fractions, what is not known is null."""
    data = {
        "title": report.title,
        "suite": report.suite,
        "provenance": dict(report.provenance),
        "notes": list(report.notes),
        "comparisons": [_part(comparison) for comparison in report.comparisons],
        "checks": [asdict(check) for check in report.checks],
        "keys": list(report.keys),
    }
    return json.dumps(data, indent=2, allow_nan=False) + "\n"


def _part(comparison: Comparison) -> dict[str, Any]:
    rows = _records(comparison.frame)
    for row in rows:
        row["config"] = json.loads(row["config"]) if row["config"] else None
        row["keys"] = row["keys"].split()
    return {
        "title": comparison.group.title,
        "dataset": comparison.group.dataset,
        "protocol": comparison.group.protocol,
        "metrics": list(comparison.metrics),
        "common": comparison.group.common,
        "legend": comparison.group.legend,
        "verdict": comparison.verdict.sentence,
        "trials": comparison.verdict.ran,
        "notes": list(comparison.verdict.notes),
        "leaderboard": rows,
        "findings": _claims(comparison.analysis),
        "per_class": [details_json(one) for one in comparison.details],
        "gallery": gallery_json(comparison.gallery),
        "not_ranked": _records(comparison.not_ranked),
    }


def _claims(analysis: Analysis) -> dict[str, Any]:
    """Everything of accuracy, as fractions; a time that was never reached is null."""
    return {
        "top": list(analysis.leaders),
        "seed_noise": None if math.isnan(analysis.seed_noise) else analysis.seed_noise,
        "differences": _records(analysis.pairs),
        "effects": _records(analysis.effects),
        "interactions": _records(analysis.interactions),
        "at_selected_settings": {axis: _records(table) for axis, table in analysis.tuned.items()},
        "expected_best": _records(analysis.tries),
        "time_to_target": _records(analysis.times),
        "published": _records(analysis.placements),
        "budget": _records(analysis.budget),
    }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    known = frame.notna() & ~frame.isin([math.inf, -math.inf])
    plain = frame.astype(object).where(known, None)
    return [{str(name): _plain(value) for name, value in row.items()} for row in plain.to_dict("records")]


def _plain(value: Any) -> Any:
    """NumPy's scalars as Python's own, which is what `json` takes."""
    return value.item() if hasattr(value, "item") else value
