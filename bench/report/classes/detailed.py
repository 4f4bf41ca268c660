"""Which configurations are looked at class by class? The leaders, the best, and those asked for."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

import pandas as pd

from bench.errors import UserError, nearest
from bench.report.sections import Configuration, Section

BEST = 20
"""How many of a data set's best are shown, over all its tables."""
SHOWN = 10


def detailed(
    section: Section, frame: pd.DataFrame, leaders: Sequence[str], patterns: Sequence[str], best: int = BEST
) -> list[Configuration]:
    """The chosen configuration, the other leaders, the `best` by the leaderboard, and those that `patterns` name."""
    ours = frame[frame["kind"] == "ours"]
    by_label = {one.label: one for one in section.configurations if one.having("complete")}
    labels = [*ours["label"][ours["chosen"]], *leaders, *ours["label"][:best]]
    labels += [label for pattern in patterns for label in ours["label"] if _meant(by_label[label], pattern)]
    return [by_label[label] for label in dict.fromkeys(labels)]


def check_patterns(patterns: Sequence[str], sections: Sequence[Section]) -> None:
    """Refuse a pattern that no configuration with a complete trial answers to.

    Raises
    ------
    UserError
        Naming the nearest label, and some of those there are.
    """
    every = [one for section in sections for one in section.configurations if one.having("complete")]
    for pattern in patterns:
        if any(_meant(one, pattern) for one in every):
            continue
        labels = list(dict.fromkeys(one.label for one in every))
        hint = nearest(pattern, labels)
        lines = [f"\n  {label}" for label in labels[:SHOWN]]
        lines += [f"\n  ... and {len(labels) - SHOWN} more"] if len(labels) > SHOWN else []
        raise UserError(
            f"--detail {pattern!r}: no configuration with a complete trial has this label or key"
            + (f"; {hint}" if hint else "")
            + "\n  give a part of a label as `bench report` shows it, with wildcards too, or the beginning of a key."
            + (" There are:" + "".join(lines) if labels else "")
        )


def _meant(one: Configuration, pattern: str) -> bool:
    label, text = one.label.lower(), pattern.strip().lower()
    if not text:
        return False
    keys = [one.identity, *(record.key for record in one.records)]
    return text in label or fnmatch.fnmatchcase(label, text) or any(key.startswith(text) for key in keys)
