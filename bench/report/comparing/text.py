"""A comparison for people and for other programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.report.comparing.comparison import Row

RUNS_ONLY = "single runs: this speaks of these two networks' weights only, not of how other seeds would do"


@dataclass(frozen=True)
class Told:
    """Everything that `bench compare` says. `base` and `new` are as they were given, `max_drop` is a fraction."""

    base: str
    new: str
    max_drop: float
    rows: tuple[Row, ...]
    lost: tuple[tuple[str, str], ...] = ()
    only_base: tuple[str, ...] = ()
    only_new: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def worse(self) -> list[str]:
        """Configurations for which NEW fails: worse with confidence, or without a trial that came to its end."""
        return [row.label for row in self.rows if row.word == "worse"] + [label for label, _ in self.lost]


def to_text(told: Told) -> str:
    """Effect first, then its intervals and p, then what was decided and what differed."""
    lines = [line for row in told.rows for line in (*_row(row, told.max_drop), "")]
    lines += [f"{label}\n  NEW is worse: every trial of it ended early ({ended})\n" for label, ended in told.lost]
    lines += [f"only in {name}: {', '.join(labels)}" for name, labels in _missing(told) if labels]
    lines += [f"note: {note}" for note in told.notes]
    return "\n".join([*lines, _verdict(told)])


def to_json(told: Told) -> str:
    """The same as JSON; differences, bounds and means are fractions."""
    data: dict[str, Any] = {
        "base": told.base,
        "new": told.new,
        "max_drop": told.max_drop,
        "worse": told.worse,
        "comparisons": [asdict(row) for row in told.rows],
        "lost": [{"label": label, "ended": ended} for label, ended in told.lost],
        "only_in_base": list(told.only_base),
        "only_in_new": list(told.only_new),
        "notes": list(told.notes),
    }
    return json.dumps(data, indent=2, allow_nan=False)


def _row(row: Row, max_drop: float) -> list[str]:
    names = [row.label] if row.base == row.new else [f"BASE  {row.base}", f"NEW   {row.new}"]
    means = f"  BASE {_mean(row.base_mean, row.base_seeds)}, NEW {_mean(row.new_mean, row.new_seeds)}"
    if row.word == "same":
        return [*names, "  NEW - BASE is 0: the same predictions, image by image and seed by seed", means]
    runs = row.method == "McNemar"
    of = "of these weights on new images" if runs else "on new images"
    found = (
        f"NEW - BASE {_points(row.difference)} points, {_points(row.low)} to {_points(row.high)} {of}, 95 %, "
        f"p = {_p(row.p)}{' (exact)' if runs else ''}"
    )
    lines = [*names, f"  {found}"]
    if row.this_low is not None and row.this_high is not None:
        lines.append(f"  on this test set, where only seeds vary: {_points(row.this_low)} to {_points(row.this_high)}")
    lines.append(means)
    lines.append(f"  {_decided(row, max_drop)}")
    if runs:
        lines.append(f"  {RUNS_ONLY}")
    lines += [f"  differs: {line}" for line in row.differed]
    return lines


def _decided(row: Row, max_drop: float) -> str:
    bound = f"{100 * max_drop:g} points"
    if row.word == "worse":
        return f"NEW is worse{f' by more than {bound}' if max_drop else ''}"
    if row.word == "better":
        return "NEW is better"
    if row.word == "not worse":
        return f"NEW is not worse by more than {bound}"
    with_these = "with one run each" if row.method == "McNemar" else f"with {_seeds(row)}"
    told = (
        f"whether NEW is worse by more than {bound} cannot be told {with_these}"
        if max_drop
        else f"they cannot be told apart {with_these}"
    )
    return f"unsure: {told}; the smallest difference these could show is about {100 * row.shows:.2f} points"


def _seeds(row: Row) -> str:
    if row.base_seeds == row.new_seeds:
        return f"{row.base_seeds} seeds each"
    return f"{row.base_seeds} and {row.new_seeds} seeds"


def _verdict(told: Told) -> str:
    count = len(told.rows) + len(told.lost)
    family = f", family-wise over {_tested(told)} configurations by Holm" if _tested(told) > 1 else ""
    bound = f" by more than {100 * told.max_drop:g} points" if told.max_drop else ""
    if not told.worse:
        return f"NEW is nowhere worse{bound} with confidence (2.5 %, one-sided{family})."
    return f"NEW is worse{bound} (2.5 %, one-sided{family}) in {len(told.worse)} of {count}: {'; '.join(told.worse)}."


def _tested(told: Told) -> int:
    return sum(row.word != "same" for row in told.rows)


def _missing(told: Told) -> Sequence[tuple[str, tuple[str, ...]]]:
    return (("BASE", told.only_base), ("NEW", told.only_new))


def _mean(mean: float, seeds: int) -> str:
    return f"{100 * mean:.2f} % ({seeds} seed{'s' * (seeds != 1)})"


def _points(difference: float) -> str:
    return f"{100 * difference:+.2f}"


def _p(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}"
