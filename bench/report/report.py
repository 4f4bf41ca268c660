"""The report as data: built once from records, then written in any form."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.ledger.record import Record
from bench.metrics import Predictions
from bench.published.reference_data import Reference
from bench.report.checks import RecordCheck, checks
from bench.report.classes.build_details import DetailedAnalysis, build_details, check_patterns
from bench.report.classes.details import Details
from bench.report.classes.gallery import Gallery, cached_finder
from bench.report.curves import curves
from bench.report.estimates import complete_metrics
from bench.report.findings.analysis import Analysis, analyse
from bench.report.grouping import Config, TrialGroup, group_trials
from bench.report.leaderboard_frame import empty_leaderboard, leaderboard_frame, not_ranked
from bench.report.provenance import checksums, provenance
from bench.report.verdict import Verdict, verdict
from bench.suite.trial import Trial


@dataclass(frozen=True)
class Comparison:
    """One table's worth: a dataset under one protocol, its leaderboard, verdict and what was left out of ranking.

    `metrics` is what the leaderboard shows; the first one ranks. `curves` has a row per trial and epoch.
    """

    group: TrialGroup
    frame: pd.DataFrame
    verdict: Verdict
    details: tuple[Details, ...]
    not_ranked: pd.DataFrame
    metrics: tuple[str, ...]
    analysis: Analysis
    curves: pd.DataFrame
    gallery: Gallery | None = None


@dataclass(frozen=True)
class Report:
    """Everything the writers need. `keys` are the trials' keys in the ledger, `notes` concern the whole report.

    `checks` are those that the report made of itself.
    """

    title: str
    suite: str
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]
    provenance: tuple[tuple[str, str], ...]
    keys: tuple[str, ...]
    checks: tuple[RecordCheck, ...] = ()

    @property
    def frame(self) -> pd.DataFrame:
        """All leaderboards below one another; columns in `bench.report.leaderboard_frame.COLUMNS`."""
        return (
            pd.concat([comparison.frame for comparison in self.comparisons], ignore_index=True)
            if self.comparisons
            else empty_leaderboard()
        )

    @property
    def not_ranked(self) -> pd.DataFrame:
        """Every pruned, diverged or failed trial."""
        return (
            pd.concat([comparison.not_ranked for comparison in self.comparisons], ignore_index=True)
            if self.comparisons
            else pd.DataFrame()
        )


def build(
    records: Sequence[Record],
    predictions: Callable[[str], Predictions],
    title: str,
    suite: str = "",
    references: Sequence[Reference] = (),
    command: str = "",
    repeat: str = "bench reproduce",
    planned: Iterable[Trial] = (),
    metrics: Sequence[str] = ("accuracy",),
    elsewhere: Collection[str] = (),
    repeats: Mapping[str, Sequence[Config]] | None = None,
    file: str = "",
    detail: Sequence[str] = (),
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
    repeat
        The command that runs trials again, to which each row adds its keys.
    references
        Published figures to stand in the tables of their datasets.
    planned
        The trials that were asked for, so that seeds still to be run are marked. Without it a configuration is
        complete when each of its records is.
    metrics
        What the leaderboards show, of `bench.metrics`; the first one ranks.
    elsewhere
        The ids of those `references` that the suite repeats on other data sets than theirs.
    repeats
        By a reference's id, the configurations that may stand for it: its figure is placed against theirs.
    file
        The suite's file.
    detail
        Patterns of further configurations to look at class by class; see `bench.report.classes.build_details`.

    Raises
    ------
    UserError
        A pattern of `detail` names nothing.
    """
    planned = list(planned)
    records = complete_metrics(records, predictions, metrics)
    found = group_trials(records, planned)
    check_patterns(detail, found)
    datasets = {group.dataset for group in found}
    here = cached_finder(planned)

    def closely(group: TrialGroup, frame: pd.DataFrame, leaders: Sequence[str]) -> DetailedAnalysis:
        return build_details(group, frame, leaders, predictions, here, repeats, detail, len(found))

    comparisons = tuple(
        _part(
            group,
            [r for r in references if r.dataset == group.dataset],
            predictions,
            tuple(metrics),
            repeats or {},
            closely,
            repeat,
        )
        for group in found
    )
    shown = {reference.id for reference in references if reference.dataset in datasets}  # some are of several data sets
    stray = list(dict.fromkeys(reference.id for reference in references if reference.id not in shown))
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
        comparisons=comparisons,
        notes=notes if found else ("The ledger holds no trial of this selection yet.",),
        provenance=provenance(
            records,
            found,
            suite,
            command,
            file,
            checksums(found, planned),
            (comparison.analysis.seen.checksum for comparison in comparisons),
        ),
        keys=tuple(record.key for group in found for one in group.configurations for record in one.records),
        checks=checks(comparisons),
    )


def _part(
    group: TrialGroup,
    references: Sequence[Reference],
    predictions: Callable[[str], Predictions],
    metrics: tuple[str, ...],
    repeats: Mapping[str, Sequence[Config]],
    closely: Callable[[TrialGroup, pd.DataFrame, Sequence[str]], DetailedAnalysis],
    repeat: str,
) -> Comparison:
    analysis = analyse(group, references, predictions, metrics[0], repeats)
    images = analysis.seen.images
    frame = leaderboard_frame(group, references, images, metrics, analysis.standings, repeat)
    close = closely(group, frame, analysis.leaders)
    return Comparison(
        group=group,
        frame=frame,
        verdict=verdict(group, frame, analysis, metrics),
        details=close.details,
        not_ranked=not_ranked(group),
        metrics=metrics,
        analysis=analysis,
        curves=curves(group),
        gallery=close.gallery,
    )
