"""The report as data: built once from records, then written in any form."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.ledger.record import Record
from bench.metrics import Predictions
from bench.published.reference_data import Reference
from bench.report.analysis import analyse
from bench.report.checks import ReportCheck, checks
from bench.report.classes.build_details import build_details, check_patterns
from bench.report.classes.gallery import cached_finder
from bench.report.comparison import Comparison
from bench.report.document import Section
from bench.report.estimates import complete_metrics
from bench.report.grouping import Config, group_trials
from bench.report.leaderboard_frame import empty_leaderboard, leaderboard_frame, not_ranked
from bench.report.provenance import checksums, provenance
from bench.report.sections import SECTIONS
from bench.report.sections.summary import Summary, summarize
from bench.suite.trial import Trial


@dataclass(frozen=True)
class Report:
    """Everything that renderers need.

    `summaries` and `sections` are those of the `comparisons`, in their order. `keys` are the trials' keys in the
    ledger, `notes` concern the whole report, `checks` are those that the report made of itself.
    """

    title: str
    suite: str
    comparisons: tuple[Comparison, ...]
    summaries: tuple[Summary, ...]
    sections: tuple[tuple[Section, ...], ...]
    notes: tuple[str, ...]
    provenance: tuple[tuple[str, str], ...]
    keys: tuple[str, ...]
    checks: tuple[ReportCheck, ...] = ()

    def parts(self) -> Iterator[tuple[Comparison, Summary, tuple[Section, ...]]]:
        """Each comparison with its summary and sections."""
        return zip(self.comparisons, self.summaries, self.sections, strict=True)

    @property
    def frame(self) -> pd.DataFrame:
        """All leaderboards below one another; columns in `bench.report.leaderboard_frame.COLUMNS`."""
        frames = [comparison.frame for comparison in self.comparisons]
        return pd.concat(frames, ignore_index=True) if frames else empty_leaderboard()


def build(
    records: Sequence[Record],
    predictions: Callable[[str], Predictions],
    title: str,
    suite: str = "",
    references: Sequence[Reference] = (),
    command: str = "",
    reproduce_command: str = "bench reproduce",
    planned: Iterable[Trial] = (),
    metrics: Sequence[str] = ("accuracy",),
    on_other_data: Collection[str] = (),
    reproductions: Mapping[str, Sequence[Config]] | None = None,
    suite_file: str = "",
    details: Sequence[str] = (),
) -> Report:
    """Turn ledger records into a report.

    Parameters
    ----------
    records
        The trials to report; the caller selects them.
    predictions
        From a trial's key to its predictions; read once for every complete trial, and again for the configurations
        displayed class by class.
    title, suite, command, suite_file
        As they are written in the report.
    reproduce_command
        The command that runs trials again, to which each row adds its keys.
    references
        Published results for the tables of their data sets.
    planned
        The suite's trials, so that seeds still to be run are counted. Without it a configuration is complete when each
        of its records is.
    metrics
        The metrics of the leaderboards, of `bench.metrics`; the first one ranks.
    on_other_data
        The ids of those `references` that the suite reproduces on other data sets.
    reproductions
        By a reference's id, the configurations that may reproduce it.
    details
        Patterns of further configurations to display class by class; see `bench.report.classes.build_details`.

    Raises
    ------
    UserError
        A pattern of `details` names no configuration.
    """
    planned = list(planned)
    records = complete_metrics(records, predictions, metrics)
    groups = group_trials(records, planned)
    check_patterns(details, groups)
    find_data = cached_finder(planned)
    comparisons = []
    for group in groups:
        analysis = analyse(group, predictions, metrics[0])
        of_dataset = [reference for reference in references if reference.dataset == group.dataset]
        images = analysis.correctness.images
        frame = leaderboard_frame(group, of_dataset, images, metrics, analysis.rank_statistics, reproduce_command)
        detailed = build_details(
            group, frame, analysis.top, predictions, find_data, reproductions, details, len(groups)
        )
        comparisons.append(
            Comparison(
                group=group,
                frame=frame,
                not_ranked=not_ranked(group),
                metrics=tuple(metrics),
                analysis=analysis,
                references=of_dataset,
                reproductions=reproductions or {},
                details=detailed.details,
                gallery=detailed.gallery,
            )
        )
    checksums_of_labels = (comparison.analysis.correctness.checksum for comparison in comparisons)
    data = checksums(groups, planned)
    return Report(
        title=title,
        suite=suite,
        comparisons=tuple(comparisons),
        summaries=tuple(map(summarize, comparisons)),
        sections=tuple(tuple(section(comparison) for section in SECTIONS) for comparison in comparisons),
        notes=_notes(references, {group.dataset for group in groups}, on_other_data),
        provenance=provenance(records, groups, suite, command, suite_file, data, checksums_of_labels),
        keys=tuple(
            record.key for group in groups for configuration in group.configurations for record in configuration.records
        ),
        checks=checks(comparisons),
    )


def _notes(references: Sequence[Reference], datasets: set[str], on_other_data: Collection[str]) -> tuple[str, ...]:
    """Which published results are in no table."""
    if not datasets:
        return ("The ledger has no trial of this selection yet.",)
    displayed = {reference.id for reference in references if reference.dataset in datasets}
    others = list(dict.fromkeys(reference.id for reference in references if reference.id not in displayed))
    reasons = (
        ("on data sets that were not run", [name for name in others if name not in on_other_data]),
        ("that this suite reproduces on another data set", [name for name in others if name in on_other_data]),
    )
    return tuple(f"Published results {why}: {', '.join(ids)}." for why, ids in reasons if ids)
