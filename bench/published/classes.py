"""Figures by class and confusion counts, where a source prints them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

FILE = "lab_b_classes.yaml"


@dataclass(frozen=True)
class PublishedClasses:
    """What a source prints of one network's test predictions.

    `reference` is the id of its result, `same_network` the ids of results of the same network trained otherwise.
    Figures are fractions with the digits that the source prints; `confusion` has the counts by true class (row) and
    predicted class, None where the row is not printed.
    """

    reference: str
    same_network: tuple[str, ...]
    system: str
    source: str
    note: str
    dataset: str
    classes: tuple[str, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    support: tuple[int, ...]
    confusion: tuple[tuple[int, ...] | None, ...]

    @property
    def repeated_by(self) -> tuple[str, ...]:
        """The results whose repetitions these figures can stand beside."""
        return (self.reference, *self.same_network)


def by_class(references: Iterable[str]) -> tuple[PublishedClasses, ...]:
    """The figures by class that stand beside repetitions of these references, by their ids."""
    wanted = set(references)
    return tuple(one for one in _all() if wanted & set(one.repeated_by))


@cache
def _all() -> tuple[PublishedClasses, ...]:
    data = yaml.safe_load(files("bench.published").joinpath(FILE).read_bytes())
    return tuple(_entry(entry) for entry in data["entries"])


def _entry(entry: dict[str, Any]) -> PublishedClasses:
    rows = entry["figures"]
    counts = entry["confusion"]
    return PublishedClasses(
        reference=entry["reference"],
        same_network=tuple(entry["same_network"]),
        system=entry["system"],
        source=entry["source"],
        note=entry["note"],
        dataset=entry["dataset"],
        classes=tuple(rows),
        precision=tuple(row[0] for row in rows.values()),
        recall=tuple(row[1] for row in rows.values()),
        f1=tuple(row[2] for row in rows.values()),
        support=tuple(row[3] for row in rows.values()),
        confusion=tuple(None if counts[name] is None else tuple(counts[name]) for name in rows),
    )
