"""Records as other tools' runs: parameters, figures and curves by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.components import AXES
from bench.ledger.record import PARTS, Record
from bench.suite.labels import axis_label


@dataclass(frozen=True)
class Run:
    """One trial: `parameters` are text, `figures` the final ones (``test/accuracy``), `curves` by name and epoch."""

    name: str
    parameters: dict[str, str]
    figures: dict[str, float]
    curves: dict[str, list[float | None]]


def runs(records: list[Record]) -> Iterator[Run]:
    """Every trial of any status, in the order given."""
    for record in records:
        figures = {
            f"{part}/{metric}": value
            for part in PARTS
            for metric, value in (getattr(record.result, part) or {}).items()
        }
        yield Run(
            name=f"{record.config['model']['name']}-seed{record.seed}-{record.key}",
            parameters={
                **{key: _text(value, key) for key, value in record.config.items()},
                "seed": str(record.seed),
                "status": record.status,
                "key": record.key,
                "suite": record.suite,
            },
            figures=figures,
            curves=record.result.curves,
        )


def _text(value: Any, key: str) -> str:
    return axis_label(value, key if key in AXES else None)
