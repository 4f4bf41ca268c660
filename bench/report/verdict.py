"""What validation chose, in plain words: its figures, what cannot be told from it, and what the next one costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.metrics import METRICS
from bench.report.cells import NOTHING, counted, number, ranked, unit
from bench.report.findings.analysis import Analysis
from bench.report.grouping import IMPORTED_PROTOCOL, TrialGroup
from bench.report.notes import notes_on
from bench.report.provenance import trial_counts
from bench.statistics.factor_effects import difference

NAMED = 3
"""Configurations named in a sentence; more are counted."""

CLAIM = 4
"""Seeds from which a gap may be claimed: two or three cannot tell a gap from noise by any test of signs."""

NOTICEABLE = 1.5
"""How many times as long a training must take to be worth telling."""


@dataclass(frozen=True)
class Verdict:
    """`lead`, the chosen configuration's `label` (empty when none was chosen) and its `figures`.

    `comparison` says which others cannot be told from it and how far the next is behind, `caution` what forbids a claim
    (both may be empty), `ran` how many trials became of what; then `notes`.
    """

    lead: str
    label: str
    figures: str
    notes: tuple[str, ...]
    comparison: str = ""
    caution: str = ""
    ran: str = ""

    @property
    def sentence(self) -> str:
        named = self.label and f"{self.label}:"
        return " ".join(filter(None, [self.lead, named, self.figures, self.comparison, self.caution]))


def verdict(
    group: TrialGroup, frame: pd.DataFrame, analysis: Analysis, metrics: Sequence[str] = ("accuracy",)
) -> Verdict:
    """State what validation chose in this section, from its leaderboard; the first of `metrics` ranks."""
    ours = frame[frame["kind"] == "trained"]
    complete = ours[ours["status"] == "complete"]
    # Added rows are never chosen, but they are compared.
    compared = frame[frame["kind"].isin(["trained", "imported"]) & (frame["status"] == "complete")]
    metric = METRICS[metrics[0]]
    ran = _ran(group)
    notes = notes_on(group, ours, metrics, analysis)
    winner = complete[complete["selected"]]
    if not any(one.records for one in group.configurations):
        planned = sum(len(one.planned) for one in group.configurations)
        return Verdict(f"Nothing has been run yet ({counted(planned, 'trial')}).", "", "", ())
    if group.protocol == IMPORTED_PROTOCOL:
        lead = "Only rows that were added from their predictions: nothing was trained here, and nothing chosen."
        return Verdict(lead, "", "", notes, _without_choice(compared, analysis))
    if complete.empty:
        return Verdict("No configuration has all its seeds: nothing was chosen.", "", "", notes, ran=ran)
    caution = _caution(complete)
    if len(complete) == 1:
        lead = "Only one configuration is complete, so there was nothing to choose between."
        row = complete.to_dict("records")[0]
        return Verdict(lead, row["label"], _figures(row), notes, caution=caution, ran=ran)
    if winner.empty:
        lead = f"Nothing was chosen: {_unrated(group, complete, metrics[0])}."
        tied = _without_choice(compared, analysis)
        return Verdict(lead, "", "", notes, tied, caution if tied else "", ran)
    row = winner.to_dict("records")[0]
    best = complete.iloc[0]
    if best["label"] != row["label"]:
        end = "lowest" if metric.ascending else "highest"
        top = f"The {end} test mean among the complete is {number(best['test_mean'], metrics[0])} ({best['label']}). "
        notes = (top + "Validation did not choose it, and the top of a sorted list is lucky.", *notes)
    lead = f"Of {len(complete)} complete configurations, validation chose"
    return Verdict(lead, row["label"], _figures(row), notes, _comparison(row, compared, analysis), caution, ran)


def _ran(group: TrialGroup) -> str:
    """``36 trials: 33 complete, 1 pruned, 2 skipped by pruning``; nothing where none was asked for."""
    number, _, rest = trial_counts([group]).partition(": ")
    return f"{number} {'trial' if number == '1' else 'trials'}: {rest}" if rest else ""


def _unrated(group: TrialGroup, complete: pd.DataFrame, metric: str) -> str:
    """Why validation could not choose among several complete configurations."""
    if all(one.config.get("validation") == "none" for one in group.configurations if not one.imported):
        return "this protocol keeps no validation images"
    rated = int(complete["validation_mean"].notna().sum())
    return f"{rated or 'none'} of {len(complete)} complete configurations has {METRICS[metric].heading} on validation"


def _figures(row: dict[Any, Any]) -> str:
    metric = row["metric"]
    of = "" if metric == "accuracy" else f"{METRICS[metric].heading} "
    rated = number(row["validation_mean"], metric)
    validation = "" if rated == NOTHING else f"validation {rated}{unit(metric)}, "
    covers = "" if pd.isna(row["test_low"]) else f" (95 %, {row['interval']})"
    new = ""
    if not pd.isna(row["new_low"]) and row["seeds"] > 1:
        new = f"{number(row['new_low'], metric)} to {number(row['new_high'], metric)}{unit(metric)} on new images, "
    return f"test {of}{ranked(row)}{unit(metric)}{covers}, {new}{validation}{counted(row['seeds'], 'seed')}."


def _comparison(row: dict[Any, Any], complete: pd.DataFrame, analysis: Analysis) -> str:
    """Which others cannot be told from the chosen one, or that it is behind; then the best of those told apart."""
    if pd.isna(row["in_best_set"]):
        return ""
    judged = complete[complete["in_best_set"].notna() & (complete["label"] != row["label"])]
    tied, apart = judged[judged["in_best_set"].astype(bool)], judged[~judged["in_best_set"].astype(bool)]
    if not row["in_best_set"]:
        told = _beside("The highest by test mean", tied.to_dict("records")[0], row, analysis)
        return f"It is behind the best on the test images. {told}{_alone(analysis)}"
    if tied.empty:
        told = "All others are told apart from it."
    else:
        told = f"{_names(tied['label'].tolist())} cannot be told from it."
    if apart.empty:
        return f"{told}{_alone(analysis)}"
    behind = _beside("The next", apart.to_dict("records")[0], row, analysis)
    rest = len(apart) - 1
    more = f" {rest:,} more {'stands' if rest == 1 else 'stand'} below." if rest else ""
    return f"{told} {behind}{more}{_alone(analysis)}"


def _beside(role: str, other: dict[Any, Any], row: dict[Any, Any], analysis: Analysis) -> str:
    """``The next, mlp, is 0.50 points lower (0.20 to 0.80 on new images) and takes 3.0 times as long.``"""
    places = {one.label: place for place, one in enumerate(analysis.numbers)}
    assert analysis.measured is not None
    gap = difference(analysis.measured, places[other["label"]], places[row["label"]])
    word = "higher" if gap.estimate > 0 else "lower"
    low, high = sorted((gap.low, gap.high)) if gap.estimate > 0 else sorted((-gap.low, -gap.high))
    bounds = f"{100 * low:.2f} to {100 * high:.2f}".replace("-", "−")
    return (
        f"{role}, {other['label']}, is {100 * abs(gap.estimate):.2f} points {word} ({bounds} on new images)"
        f"{_cost(other['train_seconds'], row['train_seconds'])}."
    )


def _cost(theirs: float, ours: float) -> str:
    """How much longer or shorter another takes to train, where that is worth telling."""
    if not (theirs > 0 and ours > 0):
        return ""
    if theirs >= NOTICEABLE * ours:
        return f" and takes {theirs / ours:.1f} times as long to train"
    if ours >= NOTICEABLE * theirs:
        return f" and trains {ours / theirs:.1f} times as fast"
    return ""


def _without_choice(complete: pd.DataFrame, analysis: Analysis) -> str:
    judged = complete[complete["in_best_set"].notna()]
    tied = judged[judged["in_best_set"].astype(bool)] if len(judged) else judged
    if tied.empty:
        return ""
    names = _names(tied["label"].tolist())
    may = "cannot be told from the best on test" if len(tied) > 1 else "alone may be the best on test"
    return f"{names} {may}.{_alone(analysis)}"


def _alone(analysis: Analysis) -> str:
    """Whom a comparison speaks of, where no configuration has two seeds."""
    return " That compares these networks: how seeds differ is not counted." if analysis.networks_alone else ""


def _names(labels: Sequence[str]) -> str:
    """``a, b and c``, ``a, b, c and 4 more``; labels hold spaces, so that each is quoted."""
    shown = [f"“{label}”" for label in labels[:NAMED]]
    if len(labels) > NAMED:
        shown.append(f"{len(labels) - NAMED} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _caution(complete: pd.DataFrame) -> str:
    """What forbids a claim: that some complete configuration has too few seeds."""
    few = complete["seeds"][complete["seeds"] < CLAIM]
    if few.empty:
        return ""
    fewest, most = int(few.min()), int(few.max())
    seeds = counted(most, "seed") if fewest == most else f"{fewest} to {counted(most, 'seed')}"
    return f"{seeds} {'explores' if most == 1 else 'explore'}: no claim."
