"""Does the report agree with itself and with its ledger? Checks of its own figures, shown whether passed or not.

Each function returns what is wrong, a line per place; no line means that the check passed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bench.components import AXES
from bench.data.dataset import fingerprint
from bench.errors import UserError
from bench.ledger.record import Record
from bench.metrics import METRICS
from bench.suite.trial import trial_key

if TYPE_CHECKING:
    from bench.report.report import Comparison

ROUNDING = 1e-6
"""How far two figures may lie apart that are the same: a stored one may have been summed in single precision."""

NAMED = 3
"""Faults that are named; more are counted."""

OWN_DATA = ("image_folder", "npz")


@dataclass(frozen=True)
class RecordCheck:
    """What was looked at, whether it holds, and over how many or where not."""

    name: str
    passed: bool
    detail: str


def checks(comparisons: Sequence[Comparison]) -> tuple[RecordCheck, ...]:
    """Every check of which there was something to look at."""
    tried = (
        ("Each test accuracy is that of its stored predictions", "trials", recomputed),
        ("All configurations of a table saw the same test labels", "trials", same_labels),
        ("Each key is that of its configuration, seed and the data's checksum", "trials", keys_agree),
        ("No trial counts twice", "trials", counted_once),
        ("Trials add up: ranked, never ranked, spared and not run", "tables", trials_add_up),
        ("Each mean is that of its seeds", "rows", means_agree),
        ("Every interval holds its mean", "rows", intervals_hold),
        ("Validation chose the best of its means", "tables", chose_the_best),
        ("The configurations tied with the best hold the best mean", "tables", tied_hold_the_best),
        ("Confusion counts sum to test images times seeds", "matrices", confusions_sum),
    )
    found = []
    for name, things, look in tried:
        results = [fault for comparison in comparisons for fault in look(comparison)]
        faults = [fault for fault in results if fault]
        if results:
            found.append(RecordCheck(name, not faults, _told(faults, len(results), things)))
    return tuple(found)


Found = Iterator[str]
"""One string per thing looked at: what is wrong with it, or nothing."""


def recomputed(comparison: Comparison) -> Found:
    """The stored predictions give the stored accuracy."""
    for record in _complete(comparison):
        told = (record.result.test or {}).get("accuracy")
        again = comparison.analysis.seen.accuracies.get(record.key)
        if told is not None and again is not None:
            close = abs(told - again) <= ROUNDING
            yield "" if close else f"{record.key}: stored {told:.6f}, predictions give {again:.6f}"


def same_labels(comparison: Comparison) -> Found:
    """Every trial was tested on images of the same labels in the same order."""
    seen = comparison.analysis.seen
    for key, checksum in seen.checksums.items():
        yield "" if checksum == seen.checksum else f"{key}: test labels {checksum[:12]}, most have {seen.checksum[:12]}"


def keys_agree(comparison: Comparison) -> Found:
    """The key, made again from the record and the catalogue's checksums, is the record's.

    Own data and networks from elsewhere are passed over: their contents are not known here.
    """
    for record in _every(comparison):
        config = record.config
        dataset, model = config.get("dataset", {}).get("name"), config.get("model", {}).get("name")
        if dataset in OWN_DATA or model not in AXES["model"]:
            continue
        try:
            key = trial_key(config, record.seed, fingerprint(config["dataset"]), None)
        except UserError:
            continue
        yield "" if key == record.key else f"{record.key}: would be {key} today"


def counted_once(comparison: Comparison) -> Found:
    """A key stands in one place of the leaderboard or among those never ranked."""
    keys = [key for row in comparison.frame["keys"] for key in row.split()] + comparison.not_ranked["key"].tolist()
    known: set[str] = set()
    for key in keys:
        yield f"{key} stands twice" if key in known else ""
        known.add(key)


def trials_add_up(comparison: Comparison) -> Found:
    """What was asked for is what the tables hold."""
    planned = sum(len(one.planned) for one in comparison.group.configurations if not one.imported)
    ours = comparison.frame[comparison.frame["kind"] == "trained"]
    budget = comparison.analysis.budget
    waiting = budget.loc[~budget["status"].isin(["complete", "diverged", "pruned", "failed"]), "trials"].sum()
    shown = int(ours["seeds"].sum()) + len(comparison.not_ranked) + int(waiting)
    total = int(budget["trials"].sum())
    wrong = f"{comparison.group.title}: {planned} asked for, {shown} in the tables, {total} in the budget"
    yield "" if planned == shown == total else wrong


def means_agree(comparison: Comparison) -> Found:
    """Where accuracy is shown, its mean is the share of right predictions over all seeds."""
    column = "test_mean" if comparison.metrics[0] == "accuracy" else "test_accuracy"
    if column not in comparison.frame:
        return
    means = dict(zip(comparison.frame["label"], comparison.frame[column], strict=True))
    for label, right in comparison.analysis.seen.right.items():
        again = float(np.mean(right))
        yield (
            ""
            if abs(means[label] - again) <= ROUNDING
            else f"{label}: {means[label]:.6f}, predictions give {again:.6f}"
        )


def intervals_hold(comparison: Comparison) -> Found:
    """Low, mean, high, in this order, on this test set and on new images."""
    for row in comparison.frame[comparison.frame["kind"] != "published"].to_dict("records"):
        for low, high in (("test_low", "test_high"), ("new_low", "new_high")):
            if not pd.isna(row[low]):
                inside = row[low] - ROUNDING <= row["test_mean"] <= row[high] + ROUNDING
                yield (
                    "" if inside else f"{row['label']}: {row['test_mean']:.6f} not in [{row[low]:.6f}, {row[high]:.6f}]"
                )


def chose_the_best(comparison: Comparison) -> Found:
    """The chosen row has the best mean on validation of all complete ones."""
    complete = comparison.frame[comparison.frame["status"] == "complete"]
    winner = complete[complete["selected"]]
    if winner.empty:
        return
    better = _better(comparison)
    best = max(better(value) for value in complete["validation_mean"].dropna())
    label, mean = winner.iloc[0]["label"], winner.iloc[0]["validation_mean"]
    right = len(winner) == 1 and better(mean) >= best
    yield "" if right else f"{comparison.group.title}: {label} was chosen with {mean:.6f}, the best is {abs(best):.6f}"


def tied_hold_the_best(comparison: Comparison) -> Found:
    """The highest mean is in the set that is tied with it."""
    measured, tied = comparison.analysis.measured, comparison.analysis.tied
    if measured is not None and tied is not None:
        best = int(np.argmax(measured.means))
        yield (
            ""
            if tied.in_set[best]
            else f"{comparison.group.title}: {comparison.analysis.numbers[best].label} is left out"
        )


def confusions_sum(comparison: Comparison) -> Found:
    """A matrix of counts over seeds holds every test image once per seed."""
    for one in comparison.details:
        counted, wanted = int(one.confusion.sum()), one.n_images * len(one.seeds)
        yield "" if counted == wanted else f"{one.label}: {counted:,} counted, {wanted:,} predicted"


def _told(faults: Sequence[str], looked_at: int, things: str) -> str:
    if not faults:
        return f"{looked_at:,} {things if looked_at != 1 else _one(things)}"
    more = f"; and {len(faults) - NAMED:,} more" if len(faults) > NAMED else ""
    return f"{len(faults):,} of {looked_at:,} {things}: {'; '.join(faults[:NAMED])}{more}"


def _one(things: str) -> str:
    return "matrix" if things == "matrices" else things.removesuffix("s")


def _every(comparison: Comparison) -> Iterable[Record]:
    return (record for one in comparison.group.configurations for record in one.records)


def _complete(comparison: Comparison) -> Iterable[Record]:
    return (record for record in _every(comparison) if record.status == "complete")


def _better(comparison: Comparison) -> Callable[[float], float]:
    return METRICS[comparison.metrics[0]].better
