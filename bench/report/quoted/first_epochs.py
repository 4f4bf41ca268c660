"""How did a training begin? Validation curves of records whose first epochs are the same, whatever their budget."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.jsonutil import canonical
from bench.ledger.record import Record

ANY_BUDGET = ("constant", "step", "time_decay", "plateau")
"""Schedules whose first epochs do not depend on how many are to follow."""

NOT_IN_CURVES = ("epochs", "early_stopping", "weights", "refit")
"""What changes how long a training lasts, and nothing of its first epochs."""


@dataclass(frozen=True)
class Begun:
    """One seed's validation accuracy by epoch, as far as it was finite; nothing could follow where it `diverged`."""

    points: tuple[float, ...]
    diverged: bool

    def best_within(self, epochs: int) -> float | None:
        """The best of the first epochs; None where it was ended before, as what would have followed is not known."""
        enough = bool(self.points) if self.diverged else len(self.points) >= epochs
        return max(self.points[:epochs]) if enough else None


def curves(records: Iterable[Record]) -> list[Begun]:
    """The longest curve of each seed. Seeds that diverged count, or only those that went well would be left."""
    longest: dict[int, Begun] = {}
    for record in records:
        if record.status not in ("complete", "pruned", "diverged"):
            continue
        points = []
        values = record.result.curves.get("val_accuracy", [])
        for point in values:
            if point is None:
                break
            points.append(point)
        found = Begun(tuple(points), record.status == "diverged" or len(points) < len(values))
        if values or found.diverged:
            known = longest.get(record.seed)
            if known is None or len(points) > len(known.points):
                longest[record.seed] = found
    return [found for _, found in sorted(longest.items())]


def shared_epochs(begun: Sequence[Begun], most: int) -> int:
    """The largest number of epochs, up to `most`, that at least half of the seeds reached.

    One that was ended early does not shorten the comparison of the others. Those that diverged have no say unless all
    did.
    """
    lasting = [one for one in begun if not one.diverged]
    if not lasting:
        return max((min(len(one.points), most) for one in begun), default=0)
    lengths = sorted((min(len(one.points), most) for one in lasting), reverse=True)
    return lengths[(len(lengths) - 1) // 2]


def start_of(config: dict[str, Any]) -> str:
    """The same text for configurations whose first epochs are the same."""
    free = config.get("schedule", {}).get("name") in ANY_BUDGET
    left_out = NOT_IN_CURVES if free else tuple(key for key in NOT_IN_CURVES if key != "epochs")
    return canonical({key: value for key, value in config.items() if key not in left_out})
