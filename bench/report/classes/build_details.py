"""Details and gallery of a comparison: which configurations get them, and both computed for these."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.errors import UserError, nearest
from bench.jsonutil import canonical
from bench.metrics import Predictions
from bench.published.reference_data import PublishedClasses, class_metrics
from bench.report.classes.details import Details, details_of, seed_predictions
from bench.report.classes.misclassified import MAX_SPRITE_BYTES, FindData, Gallery, build_gallery
from bench.report.grouping import Config, Configuration, TrialGroup

MAX_DETAILED = 20
"""How many of the best configurations of a data set get details, over all its comparisons."""
MIN_PER_COMPARISON = 5
"""Each comparison gets details of at least so many, however many comparisons there are."""
MAX_LISTED = 10


@dataclass(frozen=True)
class DetailedAnalysis:
    """Details of the selected configurations and their gallery; empty and None where no trial is complete."""

    details: tuple[Details, ...]
    gallery: Gallery | None


def build_details(
    group: TrialGroup,
    frame: pd.DataFrame,
    top: Sequence[str],
    predictions: Callable[[str], Predictions],
    find_data: FindData,
    repeats: Mapping[str, Sequence[Config]] | None = None,
    patterns: Sequence[str] = (),
    n_comparisons: int = 1,
) -> DetailedAnalysis:
    """Compute details and gallery of the configurations that `select_details` selects.

    Parameters
    ----------
    group, frame
        The configurations and their leaderboard.
    top
        Labels of the top configurations.
    predictions
        From a trial's key to its predictions.
    find_data
        Finds the data set, if it is on this machine.
    repeats
        By a published result's id, the configurations that may repeat it.
    patterns
        Name further configurations.
    n_comparisons
        How many comparisons share the report's budgets.
    """
    selected = list(frame["label"][(frame["kind"] == "trained") & frame["selected"]])
    published = _published_classes(group, repeats or {}, selected)
    best = max(MIN_PER_COMPARISON, MAX_DETAILED // n_comparisons)
    configurations = select_details(group, frame, [*top, *published], patterns, best)
    if not configurations:
        return DetailedAnalysis((), None)
    by_label = {c.label: seed_predictions(c, predictions) for c in configurations}
    details = details_of(configurations, by_label, selected, top, published)
    dataset = configurations[0].config["dataset"]
    gallery = build_gallery(
        details[0].classes, by_label, top, lambda labels: find_data(dataset, labels), MAX_SPRITE_BYTES // n_comparisons
    )
    return DetailedAnalysis(details, gallery)


def select_details(
    group: TrialGroup, frame: pd.DataFrame, labels: Sequence[str], patterns: Sequence[str], best: int = MAX_DETAILED
) -> list[Configuration]:
    """The configuration selected on validation, `labels`, the `best` of the leaderboard, matches of `patterns`."""
    trained = frame[frame["kind"] == "trained"]
    by_label = {c.label: c for c in group.configurations if c.with_status("complete")}
    labels = [*trained["label"][trained["selected"]], *labels, *trained["label"][:best]]
    labels += [label for pattern in patterns for label in trained["label"] if _matches(by_label[label], pattern)]
    return [by_label[label] for label in dict.fromkeys(labels)]


def check_patterns(patterns: Sequence[str], groups: Sequence[TrialGroup]) -> None:
    """Raise `UserError` for a pattern that matches no configuration with a complete trial.

    The message names the nearest label and lists some.
    """
    configurations = [c for group in groups for c in group.configurations if c.with_status("complete")]
    for pattern in patterns:
        if any(_matches(configuration, pattern) for configuration in configurations):
            continue
        labels = list(dict.fromkeys(configuration.label for configuration in configurations))
        hint = nearest(pattern, labels)
        lines = [f"\n  {label}" for label in labels[:MAX_LISTED]]
        lines += [f"\n  ... and {len(labels) - MAX_LISTED} more"] if len(labels) > MAX_LISTED else []
        raise UserError(
            f"--details {pattern!r}: no configuration with a complete trial has this label or key"
            + (f"; {hint}" if hint else "")
            + "\n  give part of a label as `bench report` prints it, with wildcards if you like, or the start of a key."
            + (" Labels:" + "".join(lines) if labels else "")
        )


def _matches(configuration: Configuration, pattern: str) -> bool:
    label, text = configuration.label.lower(), pattern.strip().lower()
    if not text:
        return False
    keys = [configuration.identity, *(record.key for record in configuration.records)]
    return text in label or fnmatch.fnmatchcase(label, text) or any(key.startswith(text) for key in keys)


def _published_classes(
    group: TrialGroup, repeats: Mapping[str, Sequence[Config]], selected: Sequence[str]
) -> dict[str, list[PublishedClasses]]:
    """Published results per class, by the label of the configuration that repeats their system.

    Where several configurations may repeat it, as in a search, it is the one selected on validation.
    """
    labels = {canonical(c.config): c.label for c in group.configurations if c.with_status("complete")}
    by_label: dict[str, list[PublishedClasses]] = {}
    for reference, configs in repeats.items():
        matching = [labels[name] for name in map(canonical, configs) if name in labels]
        for label in matching if len(configs) == 1 else [label for label in matching if label in selected]:
            for published in class_metrics([reference]):
                if published.dataset == group.dataset and published not in by_label.setdefault(label, []):
                    by_label[label].append(published)
    return by_label
