"""A part looked at closely: details and gallery of the configurations that deserve it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.jsonutil import canonical
from bench.ledger.record import Predictions
from bench.published.reference_data import PublishedClasses, class_metrics
from bench.report.classes.answers import answers
from bench.report.classes.detailed import BEST, detailed
from bench.report.classes.details import Details, details
from bench.report.classes.gallery import BUDGET, Gallery, Look, gallery
from bench.report.sections import Config, Section


@dataclass(frozen=True)
class Closer:
    """What a close look finds; no details and no gallery where nothing is complete."""

    details: tuple[Details, ...]
    gallery: Gallery | None


LEAST = 5
"""Of the best so many are shown of every part, however many share the page."""


def closer(
    section: Section,
    frame: pd.DataFrame,
    leaders: Sequence[str],
    predictions: Callable[[str], Predictions],
    look: Look,
    repeats: Mapping[str, Sequence[Config]] | None = None,
    patterns: Sequence[str] = (),
    share: int = 1,
) -> Closer:
    """Look at the leaders, the best, those that repeat a system with figures by class, those asked for.

    Parameters
    ----------
    section, frame
        The configurations and their leaderboard.
    leaders
        Labels, as `bench.report.claims.analysis.Analysis` has them.
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
    theirs = _theirs(section, repeats or {}, chosen)
    shown = detailed(section, frame, [*leaders, *theirs], patterns, max(LEAST, BEST // share))
    if not shown:
        return Closer((), None)
    said = {one.label: answers(one, predictions) for one in shown}
    found = details(shown, said, chosen, leaders, theirs)
    entry = shown[0].config["dataset"]
    return Closer(found, gallery(found[0].classes, said, leaders, lambda labels: look(entry, labels), BUDGET // share))


def _theirs(
    section: Section, repeats: Mapping[str, Sequence[Config]], chosen: Sequence[str]
) -> dict[str, list[PublishedClasses]]:
    """Published figures by class, by the label of the one configuration that stands for their system.

    Where several may, as in a search, validation's choice stands for it.
    """
    labels = {canonical(one.config): one.label for one in section.configurations if one.having("complete")}
    found: dict[str, list[PublishedClasses]] = {}
    for reference, configs in repeats.items():
        fitting = [labels[name] for name in map(canonical, configs) if name in labels]
        standing = fitting if len(configs) == 1 else [label for label in fitting if label in chosen]
        for label in standing:
            for one in class_metrics([reference]):
                if one.dataset == section.dataset and one not in found.setdefault(label, []):
                    found[label].append(one)
    return found
