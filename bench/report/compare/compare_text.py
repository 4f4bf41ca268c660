"""A comparison for people and for other programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.report.compare.non_inferiority import PairComparison, PairVerdict

RUNS_ONLY = "single runs: this speaks of these two networks' weights only, not of how other seeds would do"


WORSE, CANNOT_TELL = 1, 3
"""Exit codes of `bench compare` beside 0, not worse: NEW is worse or lacks something; it cannot be told."""


@dataclass(frozen=True)
class CompareResult:
    """Everything that `bench compare` says. `base` and `new` are as they were given, `max_drop` is a fraction.

    `lost` and `missing` are by label, with what became of it (`bench.report.compare.match_ledgers`); `allow_missing`
    and `allow_cannot_tell` say what is no failure.
    """

    base: str
    new: str
    max_drop: float
    rows: tuple[PairComparison, ...]
    lost: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    only_base: tuple[str, ...] = ()
    only_new: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    allow_missing: bool = False
    allow_cannot_tell: bool = False

    @property
    def worse(self) -> list[str]:
        """Where NEW is worse with confidence, or without a trial that came to its end."""
        return [*self._labels("worse"), *self.lost]

    @property
    def cannot_tell(self) -> list[str]:
        """Where neither a drop was shown nor one ruled out."""
        return self._labels("cannot tell")

    @property
    def exit_code(self) -> int:
        """1 where NEW is worse or lacks something, else 3 where that cannot be told, else 0."""
        if self.worse or (self.missing and not self.allow_missing):
            return WORSE
        return CANNOT_TELL if self.cannot_tell and not self.allow_cannot_tell else 0

    def _labels(self, word: PairVerdict) -> list[str]:
        return [row.label for row in self.rows if row.word == word]


def to_text(told: CompareResult) -> str:
    """Effect first, then its intervals and p, then what was decided and what differed."""
    lines = [line for row in told.rows for line in (*_row(row, told.max_drop), "")]
    lines += [
        f"{label}\n  NEW is worse: every trial of it ended early ({ended})\n" for label, ended in told.lost.items()
    ]
    lines += [f"missing in NEW: {label}: {why}" for label, why in told.missing.items()]
    lines += [f"only in {name}: {', '.join(labels)}" for name, labels in _only_in_one(told) if labels]
    lines += [f"note: {note}" for note in told.notes]
    return "\n".join([*lines, *_exit_reason(told)])


def to_json(told: CompareResult) -> str:
    """The same as JSON; differences, bounds and means are fractions."""
    data: dict[str, Any] = {
        "base": told.base,
        "new": told.new,
        "max_drop": told.max_drop,
        "exit_code": told.exit_code,
        "worse": told.worse,
        "cannot_tell": told.cannot_tell,
        "comparisons": [asdict(row) for row in told.rows],
        "lost": [{"label": label, "ended": ended} for label, ended in told.lost.items()],
        "missing": [{"label": label, "why": why} for label, why in told.missing.items()],
        "only_in_base": list(told.only_base),
        "only_in_new": list(told.only_new),
        "notes": list(told.notes),
    }
    return json.dumps(data, indent=2, allow_nan=False)


def _row(row: PairComparison, max_drop: float) -> list[str]:
    sides = [f"{role:4}  {label}" for role, label in (("BASE", row.base), ("NEW", row.new))]
    if row.chosen_of:
        counts = zip(sides, row.chosen_of, strict=True)
        names = [
            row.label,
            *(f"{side}{f' (chosen of {count} on validation)' if count > 1 else ''}" for side, count in counts),
        ]
    else:
        names = [row.label] if row.base == row.new else sides
    base = _mean("BASE", row.base_mean, row.base_seeds, row.base_absent)
    means = f"  {base}, {_mean('NEW', row.new_mean, row.new_seeds, row.new_absent)}"
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
    lines.append(f"  {_conclusion(row, max_drop)}")
    if runs:
        lines.append(f"  {RUNS_ONLY}")
    lines += [f"  differs: {line}" for line in row.config_diff]
    return lines


def _conclusion(row: PairComparison, max_drop: float) -> str:
    bound = _margin(max_drop)
    if row.word == "worse":
        return f"NEW is worse{bound}"
    if row.word == "better":
        return "NEW is better"
    if row.word == "not worse":
        return f"NEW is not worse{bound}"
    if row.new_absent:
        return f"cannot tell whether NEW is worse{bound}: seeds are missing, and the others are no fair sample of it"
    with_these = "one run each" if row.method == "McNemar" else _seeds(row)
    return (
        f"cannot tell whether NEW is worse{bound} with {with_these} on {row.images:,} test images, which differ on "
        f"{row.images_differing:,}; were the two equal, these would rule out drops of more than about "
        f"{100 * row.shows:.2f} points"
    )


def _margin(max_drop: float) -> str:
    points = f"{100 * max_drop:g}"
    return f" by more than {points} point{'s' * (points != '1')}" if max_drop else ""


def _seeds(row: PairComparison) -> str:
    if row.base_seeds == row.new_seeds:
        return f"{row.base_seeds} seeds each"
    return f"{row.base_seeds} and {row.new_seeds} seeds"


def _exit_reason(told: CompareResult) -> list[str]:
    """The last lines: what is decided, and what exit code this is."""
    count = len(told.rows) + len(told.lost)
    tested = sum(row.word != "same" for row in told.rows)
    family = f", family-wise over {tested} comparisons by Holm" if tested > 1 else ""
    bound = _margin(told.max_drop)
    lines = []
    if told.worse:
        lines.append(
            f"NEW is worse{bound} (2.5 %, one-sided{family}) in {len(told.worse)} of {count}: {'; '.join(told.worse)}."
        )
    if told.missing:
        allowed = "allowed by --allow-missing" if told.allow_missing else "--allow-missing lets that pass"
        lines.append(f"NEW lacks what was asked for ({allowed}): {'; '.join(told.missing)}.")
    if told.cannot_tell:
        allowed = "allowed by --allow-cannot-tell" if told.allow_cannot_tell else "--allow-cannot-tell lets that pass"
        lines.append(
            f"Cannot tell whether NEW is worse{bound} ({allowed}) in {len(told.cannot_tell)} of {count}: "
            f"{'; '.join(told.cannot_tell)}."
        )
    if not lines:
        lines.append(f"NEW is nowhere worse{bound} (2.5 %, one-sided{family}).")
    return lines


def _only_in_one(told: CompareResult) -> Sequence[tuple[str, tuple[str, ...]]]:
    return (("BASE", told.only_base), ("NEW", told.only_new))


def _mean(role: str, mean: float, seeds: int, absent: Sequence[str]) -> str:
    lacks = f"; {', '.join(absent)}" if absent else ""
    return f"{role} {100 * mean:.2f} % ({seeds} seed{'s' * (seeds != 1)}{lacks})"


def _points(difference: float) -> str:
    return f"{100 * difference:+.2f}"


def _p(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}"
