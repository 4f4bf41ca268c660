"""The result of `bench compare` as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.report.compare.non_inferiority import PairComparison, PairVerdict
from bench.report.number_format import counted, p_value, percent, points

SINGLE_RUNS = "single runs: this holds for the weights of these two networks only, not for other seeds"

WORSE, INCONCLUSIVE = 1, 3
"""Exit codes of `bench compare` other than 0 (not worse): NEW is worse or lacks something; inconclusive."""


@dataclass(frozen=True)
class CompareResult:
    """Everything that `bench compare` prints. `base` and `new` are as on the command line, `max_drop` is a fraction.

    `ended_early` and `missing` map labels to the reason (`bench.report.compare.match_ledgers`); `allow_missing` and
    `allow_inconclusive` name what is not a failure.
    """

    base: str
    new: str
    max_drop: float
    comparisons: tuple[PairComparison, ...]
    ended_early: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    only_base: tuple[str, ...] = ()
    only_new: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    allow_missing: bool = False
    allow_inconclusive: bool = False

    @property
    def worse(self) -> list[str]:
        """Where NEW is significantly worse, or has no complete trial."""
        return [*self._with_verdict("worse"), *self.ended_early]

    @property
    def inconclusive(self) -> list[str]:
        """Where a drop was neither shown nor ruled out."""
        return self._with_verdict("inconclusive")

    @property
    def exit_code(self) -> int:
        """1 where NEW is worse or lacks something, else 3 where that is inconclusive, else 0."""
        if self.worse or (self.missing and not self.allow_missing):
            return WORSE
        return INCONCLUSIVE if self.inconclusive and not self.allow_inconclusive else 0

    def _with_verdict(self, verdict: PairVerdict) -> list[str]:
        return [comparison.label for comparison in self.comparisons if comparison.verdict == verdict]


def to_text(result: CompareResult) -> str:
    """A paragraph per comparison, then what is missing, notes, and what decides the exit code."""
    lines = []
    for comparison in result.comparisons:
        lines += [*_comparison(comparison, result.max_drop), ""]
    lines += [
        f"{label}\n  NEW is worse: every trial of it ended early ({reason})\n"
        for label, reason in result.ended_early.items()
    ]
    lines += [f"missing in NEW: {label}: {why}" for label, why in result.missing.items()]
    only = (("BASE", result.only_base), ("NEW", result.only_new))
    lines += [f"only in {name}: {', '.join(labels)}" for name, labels in only if labels]
    lines += [f"note: {note}" for note in result.notes]
    return "\n".join([*lines, *_conclusion(result)])


def to_json(result: CompareResult) -> str:
    """The same as JSON; differences, margins and means are fractions."""
    data: dict[str, Any] = {
        "base": result.base,
        "new": result.new,
        "max_drop": result.max_drop,
        "exit_code": result.exit_code,
        "worse": result.worse,
        "inconclusive": result.inconclusive,
        "comparisons": [asdict(comparison) for comparison in result.comparisons],
        "ended_early": [{"label": label, "reason": reason} for label, reason in result.ended_early.items()],
        "missing": [{"label": label, "reason": reason} for label, reason in result.missing.items()],
        "only_in_base": list(result.only_base),
        "only_in_new": list(result.only_new),
        "notes": list(result.notes),
    }
    return json.dumps(data, indent=2, allow_nan=False)


def _comparison(comparison: PairComparison, max_drop: float) -> list[str]:
    base, new = f"BASE  {comparison.base}", f"NEW   {comparison.new}"
    if comparison.candidates:
        sides = zip((base, new), comparison.candidates, strict=True)
        lines = [
            comparison.label,
            *(
                f"{side} (selected from {count} on validation, by these networks)" if count > 1 else side
                for side, count in sides
            ),
        ]
    else:
        lines = [comparison.label] if comparison.base == comparison.new else [base, new]
    base_mean = _mean("BASE", comparison.base_mean, comparison.base_seeds, comparison.base_excluded)
    new_mean = _mean("NEW", comparison.new_mean, comparison.new_seeds, comparison.new_excluded)
    means = f"  {base_mean}, {new_mean}"
    if comparison.verdict == "identical":
        return [*lines, "  NEW - BASE is 0: identical predictions for each image and seed", means]
    single, p = comparison.method == "McNemar", p_value(comparison.p_value)
    lines.append(
        f"  NEW - BASE {points(comparison.difference)} points, 95 % interval {points(comparison.low)} to "
        f"{points(comparison.high)} {'for these weights ' if single else ''}on new images, "
        f"p {'' if p.startswith('<') else '= '}{p}{' (exact)' if single else ''}"
    )
    if comparison.test_set_low is not None and comparison.test_set_high is not None:
        low, high = points(comparison.test_set_low), points(comparison.test_set_high)
        lines.append(f"  on this test set, where only seeds vary: {low} to {high}")
    lines += [means, f"  {_verdict_text(comparison, max_drop)}"]
    lines += [f"  {SINGLE_RUNS}"] if single else []
    return [*lines, *(f"  differs: {line}" for line in comparison.config_diff)]


def _verdict_text(comparison: PairComparison, max_drop: float) -> str:
    margin = _margin(max_drop)
    if comparison.verdict == "better":
        return "NEW is better"
    if comparison.verdict in ("worse", "not worse"):
        return f"NEW is {comparison.verdict}{margin}"
    if comparison.new_excluded:
        return f"inconclusive whether NEW is worse{margin}: seeds are missing, and the others are a biased sample"
    runs = "one run each" if comparison.method == "McNemar" else _seeds(comparison)
    return (
        f"inconclusive whether NEW is worse{margin} with {runs} on {comparison.images:,} test images, of which "
        f"{comparison.images_differing:,} are classified differently; if the two were equal, these would rule out "
        f"drops of more than about {percent(comparison.detectable_drop)} points"
    )


def _margin(max_drop: float) -> str:
    points = f"{100 * max_drop:g}"
    return f" by more than {points} point{'s' * (points != '1')}" if max_drop else ""


def _seeds(comparison: PairComparison) -> str:
    if comparison.base_seeds == comparison.new_seeds:
        return f"{comparison.base_seeds} seeds each"
    return f"{comparison.base_seeds} and {comparison.new_seeds} seeds"


def _conclusion(result: CompareResult) -> list[str]:
    """The last lines: what was decided, and what determines the exit code."""
    count = len(result.comparisons) + len(result.ended_early)
    tested = sum(comparison.verdict != "identical" for comparison in result.comparisons)
    family = f", family-wise over {tested} comparisons (Holm)" if tested > 1 else ""
    margin = _margin(result.max_drop)
    lines = []
    if result.worse:
        names = "; ".join(result.worse)
        lines.append(f"NEW is worse{margin} (2.5 %, one-sided{family}) in {len(result.worse)} of {count}: {names}.")
    if result.missing:
        allowed = "allowed by" if result.allow_missing else "allow it with"
        lines.append(f"Missing in NEW ({allowed} --allow-missing): {'; '.join(result.missing)}.")
    if result.inconclusive:
        allowed = "allowed by" if result.allow_inconclusive else "allow it with"
        lines.append(
            f"Inconclusive whether NEW is worse{margin} ({allowed} --allow-inconclusive) in "
            f"{len(result.inconclusive)} of {count}: {'; '.join(result.inconclusive)}."
        )
    return lines or [f"NEW is nowhere worse{margin} (2.5 %, one-sided{family})."]


def _mean(role: str, mean: float, seeds: int, excluded: Sequence[str]) -> str:
    missing = f"; {', '.join(excluded)}" if excluded else ""
    return f"{role} {percent(mean)} % ({counted(seeds, 'seed')}{missing})"
