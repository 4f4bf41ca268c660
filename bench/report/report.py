"""The report as data: built once from records, then written in any form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.ledger.record import Predictions, Record
from bench.published.catalogue import Reference
from bench.report.analysis import Analysis, analyse
from bench.report.curves import curves
from bench.report.details import Details, details
from bench.report.figures import completed
from bench.report.frame import apart, empty, leaderboard
from bench.report.provenance import provenance
from bench.report.sections import Section, sections
from bench.report.verdict import Verdict, verdict
from bench.suite.trial import Trial

MOST_DETAILS = 8
"""Configurations per dataset that get their per-class tables."""


@dataclass(frozen=True)
class Part:
    """One table's worth: a dataset under one protocol, its leaderboard, verdict and what was left out of ranking.

    `metrics` is what the leaderboard shows; the first one ranks. `curves` has a row per trial and epoch.
    """

    section: Section
    frame: pd.DataFrame
    verdict: Verdict
    details: tuple[Details, ...]
    apart: pd.DataFrame
    metrics: tuple[str, ...]
    analysis: Analysis
    curves: pd.DataFrame
    gallery: None = None


@dataclass(frozen=True)
class Report:
    """Everything the writers need. `keys` are the trials' keys in the ledger, `notes` concern the whole report."""

    title: str
    suite: str
    parts: tuple[Part, ...]
    notes: tuple[str, ...]
    provenance: tuple[tuple[str, str], ...]
    keys: tuple[str, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """All leaderboards below one another; columns in `bench.report.frame.COLUMNS`."""
        return pd.concat([part.frame for part in self.parts], ignore_index=True) if self.parts else empty()

    @property
    def apart(self) -> pd.DataFrame:
        """Every pruned, diverged or failed trial."""
        return pd.concat([part.apart for part in self.parts], ignore_index=True) if self.parts else pd.DataFrame()


def build(
    records: Sequence[Record],
    predictions: Callable[[str], Predictions],
    title: str,
    suite: str = "",
    references: Sequence[Reference] = (),
    command: str = "",
    planned: Iterable[Trial] = (),
    metrics: Sequence[str] = ("accuracy",),
    elsewhere: Collection[str] = (),
) -> Report:
    """Turn ledger records into a report.

    Parameters
    ----------
    records
        The trials to show; the caller selects them.
    predictions
        From a trial's key to its predictions; asked only for configurations whose details are shown, once per table
        for the number of test images, and for records that lack one of `metrics`.
    title, suite, command
        As they shall stand in the report.
    references
        Published figures to stand in the tables of their datasets.
    planned
        The trials that were asked for, so that seeds still to be run are marked. Without it a configuration is
        complete when each of its records is.
    metrics
        What the leaderboards show, of `bench.suite.metrics`; the first one ranks.
    elsewhere
        The ids of those `references` that the suite repeats on other data sets than theirs.
    """
    records = completed(records, predictions, metrics)
    found = sections(records, planned)
    share = Counter(section.dataset for section in found)
    parts = tuple(
        _part(
            section,
            [r for r in references if r.dataset == section.dataset],
            predictions,
            share[section.dataset],
            tuple(metrics),
        )
        for section in found
    )
    stray = [reference.id for reference in references if reference.dataset not in share]
    notes = tuple(
        f"Published figures {why}: {', '.join(ids)}."
        for why, ids in (
            ("on data sets that were not run", [one for one in stray if one not in elsewhere]),
            ("that this suite repeats on another data set than theirs", [one for one in stray if one in elsewhere]),
        )
        if ids and found
    )
    return Report(
        title=title,
        suite=suite,
        parts=parts,
        notes=notes if found else ("The ledger holds no trial of this selection yet.",),
        provenance=provenance(records, found, suite, command),
        keys=tuple(record.key for section in found for one in section.configurations for record in one.records),
    )


def _part(
    section: Section,
    references: Sequence[Reference],
    predictions: Callable[[str], Predictions],
    share: int,
    metrics: tuple[str, ...],
) -> Part:
    analysis = analyse(section, references, predictions, metrics[0])
    images = analysis.seen.images
    frame = leaderboard(section, references, images, metrics, analysis.standings)
    return Part(
        section=section,
        frame=frame,
        verdict=verdict(section, frame, analysis, metrics),
        details=details(section, frame, predictions, max(1, MOST_DETAILS // share)),
        apart=apart(section),
        metrics=metrics,
        analysis=analysis,
        curves=curves(section),
    )
