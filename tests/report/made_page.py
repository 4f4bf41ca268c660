"""Suites made up for the comparison with published results, and their rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from made_ledger import Ledger

from bench.published import find
from bench.report.published.match_published import PublishedRow, Request, SuiteComparison, compare_published
from bench.suite.select import ReferenceMatch
from bench.suite.trial import Trial, TrialConfig

MNIST = {"dataset": {"name": "mnist"}, "validation": {"tail": 0.2}}
LONG = {"epochs": 100, "weights": "best", "early_stopping": {"patience": 10, "monitor": "val_accuracy"}}


def request(
    ledger: Ledger, *pairs: tuple[str, dict[str, Any] | None], seeds: int = 3, note: str = "", name: str = "labs"
) -> Request:
    """A suite that holds these references against these configurations, `seeds` of each planned."""
    trials = []
    for settings in [settings for _, settings in pairs if settings]:
        known = {record.seed: record.key for record in ledger.records if record.config == settings}
        trials += [
            Trial(known.get(s, f"none{s}"), "", TrialConfig.from_json(settings), s, 0)
            for s in range(max(seeds, len(known)))
        ]
    references = [(ReferenceMatch(i, (c,) if c else (), note), find([i])[0]) for i, c in pairs]
    return Request(name, "Labs", "What the labs did.", references, trials)


def group(ledger: Ledger, *pairs: tuple[str, dict[str, Any] | None], **options: Any) -> SuiteComparison:
    return compare_published([request(ledger, *pairs, **options)], ledger.records, ledger.predictions)[0]


def row(ledger: Ledger, reference: str, settings: dict[str, Any] | None, **options: Any) -> PublishedRow:
    return group(ledger, (reference, settings), **options).rows[0]


def with_curve(ledger: Ledger, points: Sequence[float | None], count: int = 1) -> None:
    """Give the last records these validation accuracies by epoch."""
    for place in range(-count, 0):
        record = ledger.records[place]
        result = replace(record.result, curves={"val_accuracy": list(points)}, epochs_run=len(points))
        ledger.records[place] = replace(record, result=result)
