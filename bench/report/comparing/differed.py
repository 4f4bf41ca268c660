"""In what do two configurations, and the runs they rest on, differ?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.components import AXES
from bench.ledger.record import Record
from bench.report.sections import Configuration
from bench.suite.labels import ORDER, axis_label
from bench.suite.schema import LATER

OF_RUNS: tuple[tuple[str, Callable[[Record], str]], ...] = (
    ("seeds", lambda one: str(one.seed)),
    ("device", lambda one: one.measured.device),
    ("threads", lambda one: str(one.measured.threads or "")),
    ("git commit", lambda one: (one.measured.git_commit or "")[:12]),
)


def differed(base: Configuration, new: Configuration) -> list[str]:
    """What the complete trials of the two do not share: axes and settings, data or code, seeds, machine, versions.

    A line for each, ``regularizer: none -> l2``.
    """
    if base.added or new.added:
        return ["how they were trained: of what was added from predictions alone nothing is known"]
    lines = axes_differed(base.config, new.config)
    if not lines and base.identity != new.identity:
        lines.append("data or code: another checksum of the data set or of the user's own model")
    return lines + runs_differed(base.having("complete"), new.having("complete"))


def axes_differed(base: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """The keys of two configs that differ, in the order of labels."""
    keys = sorted(base.keys() | new.keys(), key=lambda key: (ORDER.index(key) if key in ORDER else len(ORDER), key))
    return [_arrow(key, *_told_apart(base, new, key)) for key in keys if base.get(key) != new.get(key)]


def runs_differed(base: list[Record], new: list[Record]) -> list[str]:
    """What two sets of records do not share of seeds, machine, commit and packages."""
    packages = sorted({name for record in (*base, *new) for name in record.measured.versions})
    versions = tuple((name, _version(name)) for name in packages)
    texts = ((name, _all(base, text_of), _all(new, text_of)) for name, text_of in (*OF_RUNS, *versions))
    return [_arrow(name, first, second) for name, first, second in texts if first != second]


def _version(name: str) -> Callable[[Record], str]:
    return lambda record: record.measured.versions.get(name, "")


def _told_apart(base: dict[str, Any], new: dict[str, Any], key: str) -> tuple[str, str]:
    """Both values as labels have them, with every parameter where those would read the same."""
    axis = key if key in AXES else None
    short, whole = (
        [axis_label(one[key], axis, whole=whole) if key in one else "" for one in (LATER | base, LATER | new)]
        for whole in (False, True)
    )
    first, second = short if short[0] != short[1] else whole
    return first, second


def _all(records: list[Record], text_of: Callable[[Record], str]) -> str:
    return ", ".join(dict.fromkeys(text_of(record) for record in records))


def _arrow(name: str, first: str, second: str) -> str:
    return f"{name}: {first or 'unknown'} -> {second or 'unknown'}"
