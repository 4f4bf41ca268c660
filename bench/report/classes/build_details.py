"""A part looked at closely: details and gallery of the configurations that deserve it."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.errors import UserError, nearest
from bench.jsonutil import canonical
from bench.ledger.record import Predictions
from bench.published.reference_data import PublishedClasses, class_metrics
from bench.report.classes.details import Details, details_of, seed_predictions
from bench.report.classes.gallery import MAX_SPRITE_BYTES, FindData, Gallery, build_gallery
from bench.report.grouping import Config, Configuration, TrialGroup

MAX_DETAILED = 20
"""How many of a data set's best are shown, over all its tables."""
MAX_LISTED = 10


def select_details(
    group: TrialGroup, frame: pd.DataFrame, leaders: Sequence[str], patterns: Sequence[str], best: int = MAX_DETAILED
) -> list[Configuration]:
    """The chosen configuration, the other leaders, the `best` by the leaderboard, and those that `patterns` name."""
    ours = frame[frame["kind"] == "ours"]
    by_label = {one.label: one for one in group.configurations if one.having("complete")}
    labels = [*ours["label"][ours["chosen"]], *leaders, *ours["label"][:best]]
    labels += [label for pattern in patterns for label in ours["label"] if _matches(by_label[label], pattern)]
    return [by_label[label] for label in dict.fromkeys(labels)]


def check_patterns(patterns: Sequence[str], groups: Sequence[TrialGroup]) -> None:
    """Refuse a pattern that no configuration with a complete trial answers to.

    Raises
    ------
    UserError
        Naming the nearest label, and some of those there are.
    """
    every = [one for group in groups for one in group.configurations if one.having("complete")]
    for pattern in patterns:
        if any(_matches(one, pattern) for one in every):
            continue
        labels = list(dict.fromkeys(one.label for one in every))
        hint = nearest(pattern, labels)
        lines = [f"\n  {label}" for label in labels[:MAX_LISTED]]
        lines += [f"\n  ... and {len(labels) - MAX_LISTED} more"] if len(labels) > MAX_LISTED else []
        raise UserError(
            f"--detail {pattern!r}: no configuration with a complete trial has this label or key"
            + (f"; {hint}" if hint else "")
            + "\n  give a part of a label as `bench report` shows it, with wildcards too, or the beginning of a key."
            + (" There are:" + "".join(lines) if labels else "")
        )


def _matches(one: Configuration, pattern: str) -> bool:
    label, text = one.label.lower(), pattern.strip().lower()
    if not text:
        return False
    keys = [one.identity, *(record.key for record in one.records)]
    return text in label or fnmatch.fnmatchcase(label, text) or any(key.startswith(text) for key in keys)


@dataclass(frozen=True)
class DetailedAnalysis:
    """What a close look finds; no details and no gallery where nothing is complete."""

    details: tuple[Details, ...]
    gallery: Gallery | None


MIN_PER_COMPARISON = 5
"""Of the best so many are shown of every part, however many share the page."""


def build_details(
    group: TrialGroup,
    frame: pd.DataFrame,
    leaders: Sequence[str],
    predictions: Callable[[str], Predictions],
    look: FindData,
    repeats: Mapping[str, Sequence[Config]] | None = None,
    patterns: Sequence[str] = (),
    share: int = 1,
) -> DetailedAnalysis:
    """Look at the leaders, the best, those that repeat a system with figures by class, those asked for.

    Parameters
    ----------
    section, frame
        The configurations and their leaderboard.
    leaders
        Labels, as `bench.report.findings.analysis.Analysis` has them.
    predictions
        From a trial's key to its predictions.
    look
        Finds the data, if they are on this machine.
    repeats
        By a published result's id, the configurations that may stand for it.
    patterns
        Name further configurations.
    share
        Among how many parts the report's room is shared.
    """
    chosen = list(frame["label"][(frame["kind"] == "ours") & frame["chosen"]])
    theirs = _published_classes(group, repeats or {}, chosen)
    shown = select_details(group, frame, [*leaders, *theirs], patterns, max(MIN_PER_COMPARISON, MAX_DETAILED // share))
    if not shown:
        return DetailedAnalysis((), None)
    said = {one.label: seed_predictions(one, predictions) for one in shown}
    found = details_of(shown, said, chosen, leaders, theirs)
    entry = shown[0].config["dataset"]
    return DetailedAnalysis(
        found,
        build_gallery(found[0].classes, said, leaders, lambda labels: look(entry, labels), MAX_SPRITE_BYTES // share),
    )


def _published_classes(
    group: TrialGroup, repeats: Mapping[str, Sequence[Config]], chosen: Sequence[str]
) -> dict[str, list[PublishedClasses]]:
    """Published figures by class, by the label of the one configuration that stands for their system.

    Where several may, as in a search, validation's choice stands for it.
    """
    labels = {canonical(one.config): one.label for one in group.configurations if one.having("complete")}
    found: dict[str, list[PublishedClasses]] = {}
    for reference, configs in repeats.items():
        fitting = [labels[name] for name in map(canonical, configs) if name in labels]
        standing = fitting if len(configs) == 1 else [label for label in fitting if label in chosen]
        for label in standing:
            for one in class_metrics([reference]):
                if one.dataset == group.dataset and one not in found.setdefault(label, []):
                    found[label].append(one)
    return found
