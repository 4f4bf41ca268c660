"""Does the report agree with itself and with its ledger? Checks of its own numbers, displayed whether passed or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from bench.components import AXES
from bench.components.datasets import FROM_PATH
from bench.data.dataset import fingerprint
from bench.errors import UserError
from bench.ledger.record import Record
from bench.metrics import METRICS
from bench.report.comparison import Comparison, Origin
from bench.report.document import Cell, Column, Section, Table
from bench.report.grouping import STATUSES
from bench.report.sections.budget import budget_frame, trained
from bench.suite.trial import trial_key

ROUNDING = 1e-6
"""Tolerance of equal values: a stored one may have been summed in single precision."""

MAX_NAMED = 3
"""Problems that are named; more are counted."""


@dataclass(frozen=True)
class ReportCheck:
    """What was checked, whether it holds, and over how many or where not."""

    name: str
    passed: bool
    detail: str


def checks(comparisons: Sequence[Comparison], _: Origin) -> Section:
    """A row per check, and a warning for each that failed."""
    results = report_checks(comparisons)
    table = Table(
        name="checks",
        title="Checks",
        caption="Computed for this report from the ledger's records and predictions.",
        frame=pd.DataFrame([asdict(check) for check in results], columns=["name", "passed", "detail"]),
        columns=(
            Column("name", "Check", lambda row: row["name"], "text"),
            Column(
                "passed", "Result", lambda row: Cell("passed") if row["passed"] else Cell("FAILED", "strong"), "text"
            ),
            Column("detail", "Of", lambda row: row["detail"], "text"),
        ),
        formats=frozenset({"page", "markdown", "csv"}),
        in_full=True,
    )
    return Section(
        "checks",
        "Checks",
        (table,),
        warnings=tuple(f"CHECK FAILED: {check.name}: {check.detail}" for check in results if not check.passed),
        verdict=f"{sum(check.passed for check in results)} of {len(results)} checks passed" if results else "",
        data=lambda: {"checks": table.frame},
        folded=True,
    )


def report_checks(comparisons: Sequence[Comparison]) -> tuple[ReportCheck, ...]:
    """Every check that had something to check."""
    every: tuple[tuple[str, str, Callable[[Comparison], Results]], ...] = (
        ("Each test accuracy is that of its stored predictions", "trials", accuracies_recomputed),
        ("All configurations of a comparison have the same test labels", "trials", same_labels),
        ("Each key is that of its configuration, seed and the data's checksum", "trials", keys_recomputed),
        ("No trial counts twice", "trials", counted_once),
        ("Trials add up: ranked, never ranked, skipped and not run", "tables", trials_add_up),
        ("Each mean is that of its seeds", "rows", means_recomputed),
        ("Every interval contains its mean", "rows", intervals_contain),
        ("The selected configuration has the best mean on validation", "tables", selected_is_best),
        ("The best set contains the best mean", "tables", best_set_contains_best),
        ("Confusion counts sum to test images times seeds", "matrices", confusions_sum),
    )
    results = []
    for name, things, check in every:
        problems = [problem for comparison in comparisons for problem in check(comparison)]
        faults = [problem for problem in problems if problem]
        if problems:
            results.append(ReportCheck(name, not faults, _detail(faults, len(problems), things)))
    return tuple(results)


Results = Iterator[str]
"""One string per thing checked: what is wrong with it, or nothing."""


def accuracies_recomputed(comparison: Comparison) -> Results:
    """The stored predictions give the stored accuracy."""
    for record in _records(comparison):
        stored = (record.result.test or {}).get("accuracy")
        computed = comparison.analysis.correctness.accuracies.get(record.key)
        if record.status == "complete" and stored is not None and computed is not None:
            close = abs(stored - computed) <= ROUNDING
            yield "" if close else f"{record.key}: stored {stored:.6f}, predictions give {computed:.6f}"


def same_labels(comparison: Comparison) -> Results:
    """Every trial was tested on images of the same labels in the same order."""
    correctness = comparison.analysis.correctness
    most = correctness.checksum
    for key, checksum in correctness.checksums.items():
        yield "" if checksum == most else f"{key}: test labels {checksum[:12]}, most have {most[:12]}"


def keys_recomputed(comparison: Comparison) -> Results:
    """The key, computed from the record and the catalogue's checksums, is the record's.

    User data and user-defined networks are passed over: their contents are not known here.
    """
    for record in _records(comparison):
        config = record.config
        dataset, model = config.get("dataset", {}).get("name"), config.get("model", {}).get("name")
        if dataset in FROM_PATH or model not in AXES["model"]:
            continue
        try:
            key = trial_key(config, record.seed, fingerprint(config["dataset"]), None)
        except UserError:
            continue
        yield "" if key == record.key else f"{record.key}: would be {key} today"


def counted_once(comparison: Comparison) -> Results:
    """A key is in one row of the leaderboard or among those never ranked."""
    keys = [key for row in comparison.frame["keys"] for key in row.split()] + comparison.not_ranked["key"].tolist()
    known: set[str] = set()
    for key in keys:
        yield f"{key} counts twice" if key in known else ""
        known.add(key)


def trials_add_up(comparison: Comparison) -> Results:
    """The planned trials are those of the tables."""
    planned = sum(len(configuration.planned) for configuration in trained(comparison))
    rows = comparison.frame[comparison.frame["kind"] == "trained"]
    budget = budget_frame(trained(comparison))
    without_record = budget.loc[~budget["status"].isin(STATUSES), "trials"].sum()
    displayed = int(rows["seeds"].sum()) + len(comparison.not_ranked) + int(without_record)
    total = int(budget["trials"].sum())
    problem = f"{comparison.group.title}: {planned} planned, {displayed} in the tables, {total} in the budget"
    yield "" if planned == displayed == total else problem


def means_recomputed(comparison: Comparison) -> Results:
    """The mean accuracy is the fraction of correct predictions over all seeds."""
    column = "test_mean" if comparison.metrics[0] == "accuracy" else "test_accuracy"
    if column not in comparison.frame:
        return
    means = dict(zip(comparison.frame["label"], comparison.frame[column], strict=True))
    for label, correct in comparison.analysis.correctness.correct.items():
        computed = float(np.mean(correct))
        problem = f"{label}: {means[label]:.6f}, predictions give {computed:.6f}"
        yield "" if abs(means[label] - computed) <= ROUNDING else problem


def intervals_contain(comparison: Comparison) -> Results:
    """Low, mean, high, in this order, on this test set and on new images."""
    for row in comparison.frame[comparison.frame["kind"] != "published"].to_dict("records"):
        for low, high in (("test_low", "test_high"), ("new_low", "new_high")):
            if not pd.isna(row[low]):
                inside = row[low] - ROUNDING <= row["test_mean"] <= row[high] + ROUNDING
                problem = f"{row['label']}: {row['test_mean']:.6f} not in [{row[low]:.6f}, {row[high]:.6f}]"
                yield "" if inside else problem


def selected_is_best(comparison: Comparison) -> Results:
    """The selected row has the best mean on validation of all complete ones."""
    complete = comparison.frame[comparison.frame["status"] == "complete"]
    selected = complete[complete["selected"]]
    if selected.empty:
        return
    better = METRICS[comparison.metrics[0]].better
    best = max(better(value) for value in complete["validation_mean"].dropna())
    label, mean = selected.iloc[0]["label"], selected.iloc[0]["validation_mean"]
    problem = f"{comparison.group.title}: {label} was selected with {mean:.6f}, the best is {abs(best):.6f}"
    yield "" if len(selected) == 1 and better(mean) >= best else problem


def best_set_contains_best(comparison: Comparison) -> Results:
    """The configuration with the highest mean is in the best set."""
    analysis = comparison.analysis
    if analysis.estimates is not None and analysis.best_set is not None:
        best = int(np.argmax(analysis.estimates.means[list(analysis.ranked)]))
        problem = f"{comparison.group.title}: {analysis.compared[analysis.ranked[best]].label} is left out"
        yield "" if analysis.best_set.in_set[best] else problem


def confusions_sum(comparison: Comparison) -> Results:
    """A matrix of counts over seeds has every test image once per seed."""
    for details in comparison.details:
        counted, expected = int(details.confusion.sum()), details.n_images * len(details.seeds)
        yield "" if counted == expected else f"{details.label}: {counted:,} counted, {expected:,} predicted"


def _detail(problems: Sequence[str], n_checked: int, things: str) -> str:
    if not problems:
        singular = "matrix" if things == "matrices" else things.removesuffix("s")
        return f"{n_checked:,} {things if n_checked != 1 else singular}"
    more = f"; and {len(problems) - MAX_NAMED:,} more" if len(problems) > MAX_NAMED else ""
    return f"{len(problems):,} of {n_checked:,} {things}: {'; '.join(problems[:MAX_NAMED])}{more}"


def _records(comparison: Comparison) -> Iterable[Record]:
    return (record for configuration in comparison.group.configurations for record in configuration.records)
