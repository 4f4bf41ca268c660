"""Validation accuracy after every epoch, where a source prints it: what a shorter run can be held against."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

FILE = "curves.csv"


@dataclass(frozen=True)
class Curve:
    """Validation accuracy by epoch, as fractions; `from_scratch` is False where the run continued an earlier fit."""

    values: tuple[float, ...]
    from_scratch: bool

    def best_within(self, epochs: int) -> float:
        """The highest value of the first `epochs` epochs (all of them where there are fewer)."""
        return max(self.values[:epochs])


def curve(reference: str) -> Curve | None:
    """The curve of a published result, by its id; None where its source prints none."""
    return _all().get(reference)


@cache
def _all() -> dict[str, Curve]:
    text = files("bench.published").joinpath(FILE).read_text(encoding="utf-8")
    found: dict[str, list[dict[str, str]]] = {}
    for row in csv.DictReader(text.splitlines()):
        found.setdefault(row["reference"], []).append(row)
    return {
        name: Curve(tuple(float(row["val_accuracy"]) for row in rows), rows[0]["from_scratch"] == "yes")
        for name, rows in found.items()
    }
