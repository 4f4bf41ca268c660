"""What validation chose, in a sentence, and what a reader must know before comparing rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.report.cells import accuracy, percent
from bench.report.frame import IMAGES, pooled_deviation, seed_accuracies
from bench.report.sections import Section
from bench.statistics.proportions import binomial_floor


@dataclass(frozen=True)
class Verdict:
    """`lead`, the chosen configuration's `label` (empty when none was chosen) and its `figures`; then `notes`."""

    lead: str
    label: str
    figures: str
    notes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        return " ".join(filter(None, [self.lead, self.label and f"{self.label}:", self.figures]))


def verdict(section: Section, frame: pd.DataFrame, images: int) -> Verdict:
    """State what validation chose in this section, from its leaderboard."""
    ours = frame[frame["kind"] == "ours"]
    complete = ours[ours["status"] == "complete"]
    notes = _notes(section, ours, images)
    winner = complete[complete["chosen"]]
    if not any(one.records for one in section.configurations):
        planned = sum(len(one.planned) for one in section.configurations)
        return Verdict(f"Nothing has been run yet ({_counted(planned, 'trial')}).", "", "", ())
    if complete.empty:
        return Verdict("No configuration has all its seeds: nothing was chosen.", "", "", notes)
    if len(complete) == 1:
        lead = "Only one configuration is complete, so there was nothing to choose between."
        row = complete.to_dict("records")[0]
        return Verdict(lead, row["label"], _figures(row), notes)
    if winner.empty:
        return Verdict("Nothing was chosen: this protocol keeps no validation images.", "", "", notes)
    row = winner.to_dict("records")[0]
    best = complete.iloc[0]
    if best["label"] != row["label"]:
        top = f"The highest test mean among the complete is {percent(best['test_mean'])} ({best['label']}). "
        notes = (top + "Validation did not choose it, and the top of a sorted list is lucky.", *notes)
    return Verdict(f"Of {len(complete)} complete configurations, validation chose", row["label"], _figures(row), notes)


def _figures(row: dict[Any, Any]) -> str:
    validation = "" if pd.isna(row["validation_mean"]) else f"validation {percent(row['validation_mean'])} %, "
    return f"test {accuracy(row)} % (95 %, {row['interval']}), {validation}{_counted(row['seeds'], 'seed')}."


def _notes(section: Section, ours: pd.DataFrame, images: int) -> tuple[str, ...]:
    planned = sum(len(one.planned) for one in section.configurations)
    missing = sum(one.missing for one in section.configurations)
    left = (f"Not run yet: {missing:,} of {_counted(planned, 'trial')}.",) if missing else ()
    if ours.empty:
        return left
    notes = list(left)
    if len(ours) > 1:
        notes.append(
            "The table is sorted by mean test accuracy. That order is descriptive: validation chooses, test judges."
        )
    pooled = pooled_deviation(section)
    if pooled is not None:
        groups = [values for values in map(seed_accuracies, section.configurations) if len(values) > 1]
        error = 1 - float(np.mean([np.mean(values) for values in groups]))
        notes.append(
            f"Seed noise: a standard deviation of {100 * pooled.deviation:.2f} points between seeds, pooled over "
            f"{_counted(len(groups), 'configuration')} with {_counted(pooled.degrees, 'degree')} of freedom. "
            f"Theory expects about {100 * binomial_floor(error, images):.2f} points on {images:,} test images "
            f"(√(error / 2n) at the mean error)."
        )
    if (ours["interval"] == IMAGES).any():
        notes.append(
            "Where there is 1 seed, the brackets are Wilson's 95 % interval over images for that one network; they "
            "leave out how much another seed would differ."
        )
    if ours["seeds"].between(2, 3).any():
        notes.append("Two or three seeds explore: gaps of the order of the seed noise are no claim.")
    if (ours["status"] == "incomplete").any():
        notes.append("Configurations without all their seeds stand below the others and cannot be chosen.")
    return tuple(notes)


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
