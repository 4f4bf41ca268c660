"""Reports that must stay: the CSV and JSON of three made-up ledgers, but for the last digits of numbers.

`BENCH_GOLDEN=write python -m pytest tests/golden/test_reports.py` stores them anew, which a change on purpose needs.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_ledger import BASE, FLIP, L2, Ledger, config

from bench.published import find
from bench.report import build, to_csv, to_json

FOLDER = Path(__file__).parent


def every_state() -> Ledger:
    """Complete, incomplete, pruned, diverged and failed configurations of one comparison."""
    made = Ledger()
    made.add(config(), [0.881, 0.883, 0.884], validation=[0.89, 0.891, 0.892])
    made.add(config(regularizer=L2), [0.878, 0.879, 0.88], validation=[0.893, 0.894, 0.895])
    made.add(config(augmentation=FLIP), [0.87], validation=[0.88])
    made.add(config(regularizer=L2, augmentation=FLIP), [0.9, 0.9], validation=[0.91, 0.91])
    failure = {"kind": "MemoryError", "message": "no room"}
    made.add_ended(config(regularizer=L2, augmentation=FLIP), 2, "failed", 3, failure=failure)
    rung = {"epoch": 2, "val_accuracy": 0.412, "decision": "stop"}
    slow = config(optimizer={**BASE["optimizer"], "lr": 1e-05})
    made.add_ended(slow, 0, "pruned", 2, pruning={"rule": {"grace_period": 2}, "decisions": [rung]})
    made.add_ended(config(optimizer={**BASE["optimizer"], "lr": 10.0}), 0, "diverged", 1)
    return made


def two_comparisons() -> Ledger:
    """Two data sets, and two protocols of one of them."""
    made = Ledger()
    for dataset, best in (("fashion_mnist", 0.9), ("mnist", 0.98)):
        for step, regularizer in enumerate(([], L2)):
            settings = config(dataset={"name": dataset}, regularizer=regularizer)
            made.add(settings, [best - step * 0.004 + seed * 0.001 for seed in range(5)])
    made.add(config(validation="none", augmentation=FLIP), [0.91, 0.912, 0.911])
    return made


def single_runs() -> Ledger:
    """One seed each, over a grid of two axes."""
    made = Ledger()
    for number, lr in enumerate((1e-4, 1e-3, 1e-2)):
        for step, regularizer in enumerate(([], L2)):
            optimizer = {**BASE["optimizer"], "lr": lr}
            made.add(config(optimizer=optimizer, regularizer=regularizer), [0.85 + 0.012 * number - 0.003 * step])
    return made


def parsed(text: str, suffix: str) -> Any:
    """JSON as it is; of CSV the rows, with numbers as numbers."""
    if suffix == "json":
        return json.loads(text)
    return [[_number(cell) for cell in row] for row in csv.reader(io.StringIO(text))]


def _number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


def assert_same(found: Any, expected: Any, where: str = "") -> None:
    """Equal, but for the last digits of numbers: processors add up in different orders."""
    if isinstance(expected, dict):
        assert list(found) == list(expected), where
        for key, value in expected.items():
            assert_same(found[key], value, f"{where}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_same(one, other, f"{where}[{number}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-9, nan_ok=True), where
    else:
        assert found == expected, where


@pytest.mark.parametrize("make", [every_state, two_comparisons, single_runs])
def test_a_report_is_the_stored_one(make: Callable[[], Ledger]) -> None:
    made = make()
    references = find(["lab-e-baseline"])
    report = build(made.records, made.predictions, "Quick suite", "quick", references, "bench report quick")
    for suffix, write in {"csv": to_csv, "json": to_json}.items():
        text = write(report)
        stored = FOLDER / f"{make.__name__}.{suffix}"
        if os.environ.get("BENCH_GOLDEN") == "write":
            stored.write_text(text, newline="")
        assert_same(parsed(text, suffix), parsed(stored.read_text(), suffix), suffix)
