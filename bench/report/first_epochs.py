"""How did a training begin? Validation curves of records whose first epochs are the same, whatever their budget."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bench.ledger.record import Record
from bench.suite.expand import canonical

ANY_BUDGET = ("constant", "step", "time_decay", "plateau")
"""Schedules whose first epochs do not depend on how many are to follow."""

NOT_IN_CURVES = ("epochs", "early_stopping", "weights", "refit")
"""What changes how long a training lasts, and nothing of its first epochs."""


def curves(records: Iterable[Record]) -> list[list[float]]:
    """Validation accuracy by epoch, the longest for each seed; an end that was not finite is left out."""
    longest: dict[int, list[float]] = {}
    for record in records:
        if record.status not in ("complete", "pruned"):
            continue
        points = []
        for point in record.result.curves.get("val_accuracy", []):
            if point is None:
                break
            points.append(point)
        if len(points) > len(longest.get(record.seed, [])):
            longest[record.seed] = points
    return [points for _, points in sorted(longest.items())]


def start_of(config: dict[str, Any]) -> str:
    """The same text for configurations whose first epochs are the same."""
    free = config.get("schedule", {}).get("name") in ANY_BUDGET
    left_out = NOT_IN_CURVES if free else tuple(key for key in NOT_IN_CURVES if key != "epochs")
    return canonical({key: value for key, value in config.items() if key not in left_out})
