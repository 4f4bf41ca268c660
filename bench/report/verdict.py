"""What validation chose, in a sentence, and what a reader must know before comparing rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.report.cells import FIXED, NOTHING, headings, number, ranked, unit
from bench.report.cells import rows as cells_of
from bench.report.estimates import IMAGES, ONE_SEED, pooled_deviation, seed_values
from bench.report.sections import Section
from bench.statistics.proportions import binomial_floor
from bench.suite.metrics import METRICS


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


def verdict(section: Section, frame: pd.DataFrame, images: int, metrics: Sequence[str] = ("accuracy",)) -> Verdict:
    """State what validation chose in this section, from its leaderboard; the first of `metrics` ranks."""
    ours = frame[frame["kind"] == "ours"]
    complete = ours[ours["status"] == "complete"]
    metric = METRICS[metrics[0]]
    notes = _notes(section, ours, images, metrics)
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
        return Verdict(f"Nothing was chosen: {_unrated(section, complete, metrics[0])}.", "", "", notes)
    row = winner.to_dict("records")[0]
    best = complete.iloc[0]
    if best["label"] != row["label"]:
        end = "lowest" if metric.ascending else "highest"
        top = f"The {end} test mean among the complete is {number(best['test_mean'], metrics[0])} ({best['label']}). "
        notes = (top + "Validation did not choose it, and the top of a sorted list is lucky.", *notes)
    return Verdict(f"Of {len(complete)} complete configurations, validation chose", row["label"], _figures(row), notes)


def _unrated(section: Section, complete: pd.DataFrame, metric: str) -> str:
    """Why validation could not choose among several complete configurations."""
    if all(one.config.get("validation") == "none" for one in section.configurations):
        return "this protocol keeps no validation images"
    rated = int(complete["validation_mean"].notna().sum())
    return f"{rated or 'none'} of {len(complete)} complete configurations has {METRICS[metric].heading} on validation"


def _figures(row: dict[Any, Any]) -> str:
    metric = row["metric"]
    of = "" if metric == "accuracy" else f"{METRICS[metric].heading} "
    rated = number(row["validation_mean"], metric)
    validation = "" if rated == NOTHING else f"validation {rated}{unit(metric)}, "
    covers = "" if pd.isna(row["test_low"]) else f" (95 %, {row['interval']})"
    return f"test {of}{ranked(row)}{unit(metric)}{covers}, {validation}{_counted(row['seeds'], 'seed')}."


def _notes(section: Section, ours: pd.DataFrame, images: int, metrics: Sequence[str]) -> tuple[str, ...]:
    metric = METRICS[metrics[0]]
    planned = sum(len(one.planned) for one in section.configurations)
    missing = sum(one.missing for one in section.configurations)
    left = (f"Not run yet: {missing:,} of {_counted(planned, 'trial')}.",) if missing else ()
    if ours.empty:
        return left
    notes = list(left)
    if len(ours) > 1:
        notes.append(
            f"The table is sorted by mean test {metric.heading}. That order is descriptive: validation chooses, test "
            "judges."
        )
    pooled = pooled_deviation(section, metrics[0])
    if pooled is not None:
        groups = [found for one in section.configurations if len(found := seed_values(one, metrics[0])) > 1]
        points = " points" if metric.percent else ""
        noise = (
            f"Seed noise: a standard deviation of {number(pooled.deviation, metrics[0])}{points} between seeds, pooled "
            f"over {_counted(len(groups), 'configuration')} with {_counted(pooled.degrees, 'degree')} of freedom."
        )
        if metrics[0] == "accuracy":
            error = 1 - float(np.mean([np.mean(found) for found in groups]))
            noise += (
                f" Theory expects about {100 * binomial_floor(error, images):.2f} points on {images:,} test images "
                f"(√(error / 2n) at the mean error)."
            )
        notes.append(noise)
    if (ours["interval"] == IMAGES).any():
        notes.append(
            "Where there is 1 seed, the brackets are Wilson's 95 % interval over images for that one network; they "
            "leave out how much another seed would differ."
        )
    if (ours["interval"] == ONE_SEED).any():
        notes.append(f"Where there is 1 seed, {metric.heading} has no interval.")
    notes += _missing(section, ours, metrics)
    if ours["seeds"].between(2, 3).any():
        notes.append("Two or three seeds explore: gaps of the order of the seed noise are no claim.")
    if (ours["status"] == "incomplete").any():
        notes.append("Configurations without all their seeds stand below the others and cannot be chosen.")
    return tuple(notes)


def _missing(section: Section, ours: pd.DataFrame, metrics: Sequence[str]) -> list[str]:
    """Which figures some rows lack although the protocol has them."""
    shown = cells_of(ours)
    titles = {name: text for name, text in headings(shown, metrics).items() if name not in FIXED}
    if all(one.config.get("validation") == "none" for one in section.configurations):
        del titles["validation"]
    lacking = [text.removesuffix(" %") for name, text in titles.items() if any(r.cells[name] == NOTHING for r in shown)]
    if not lacking:
        return []
    why = "They were made before it was measured, or there are too few classes."
    return [f"{NOTHING} in a column: the records do not tell it ({', '.join(lacking)}). {why}"]


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
