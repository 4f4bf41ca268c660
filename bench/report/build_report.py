"""The report as data: built once from records, then written in any form."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from bench.ledger.record import Record
from bench.metrics import PredictedClasses, Predictions
from bench.published.reference_data import Reference
from bench.report.analysis import analyse
from bench.report.classes.build_details import build_details, check_patterns
from bench.report.classes.misclassified import cached_finder
from bench.report.comparison import Comparison, Origin
from bench.report.confirmation import confirmed_comparison
from bench.report.document import Report
from bench.report.ensemble_rows import ValidationOf, ensemble_rows
from bench.report.estimates import complete_metrics
from bench.report.grouping import Config, group_trials
from bench.report.leaderboard_frame import leaderboard_frame, not_ranked
from bench.report.sections import CLOSING_SECTIONS, SECTIONS
from bench.report.sections.provenance import checksums
from bench.report.sections.summary import summarize
from bench.suite.trial import Trial


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
    validation: ValidationOf | None = None,
    fresh: Sequence[Trial] = (),
    classes: Callable[[str], PredictedClasses] | None = None,
) -> Report:
    """Turn ledger records into a report.

    Parameters
    ----------
    records
        The trials to report; the caller selects them.
    predictions, classes
        From a trial's key to its predictions, and to its predicted classes alone, which save reading all of the former.
    title, suite, command, suite_file, reproduce_command
        As they are written in the report; the last one runs trials again, and each row adds its keys to it.
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
    validation
        From a trial's key to the probabilities of its validation part; without it there are no ensembles.
    fresh
        The trials with fresh seeds (`bench.report.confirmation`), whose records select nothing.

    Raises
    ------
    UserError
        A pattern of `details` names no configuration.
    """
    planned = list(planned)
    fresh_records, others = _fresh_and_others(complete_metrics(records, predictions, metrics), fresh)
    groups = group_trials(others, planned)
    check_patterns(details, groups)
    find_data = cached_finder(planned)
    comparisons = []
    for group in groups:
        analysis = analyse(group, classes or predictions, metrics[0])
        of_dataset = [reference for reference in references if reference.dataset == group.dataset]
        images, ranks, top = analysis.correctness.images, analysis.rank_statistics, analysis.top
        frame = leaderboard_frame(group, of_dataset, images, metrics, ranks, reproduce_command)
        with_details = build_details(group, frame, top, predictions, find_data, reproductions, details, len(groups))
        comparisons.append(
            Comparison(
                group=group,
                frame=frame,
                not_ranked=not_ranked(group),
                metrics=tuple(metrics),
                analysis=analysis,
                references=of_dataset,
                reproductions=reproductions or {},
                details=with_details.details,
                gallery=with_details.gallery,
                ensembles=ensemble_rows(group, predictions, validation, metrics[0]) if validation else (),
                confirmed=confirmed_comparison(group, fresh, fresh_records, predictions, metrics, reproduce_command),
            )
        )
    origin = Origin(suite, suite_file, command, checksums(groups, planned), title)
    return _report(title, comparisons, origin, _notes(references, {group.dataset for group in groups}, on_other_data))


def _fresh_and_others(records: Sequence[Record], fresh: Sequence[Trial]) -> tuple[list[Record], list[Record]]:
    """The records of trials with fresh seeds, and all others."""
    keys = {trial.key for trial in fresh}
    return [record for record in records if record.key in keys], [
        record for record in records if record.key not in keys
    ]


def _report(title: str, comparisons: Sequence[Comparison], origin: Origin, notes: tuple[str, ...]) -> Report:
    """Every section of the comparisons, and those on all of them."""
    return Report(
        title=title,
        suite=origin.suite,
        comparisons=tuple(comparisons),
        summaries=tuple(map(summarize, comparisons)),
        sections=tuple(tuple(section(comparison) for section in SECTIONS) for comparison in comparisons),
        closing=tuple(section(comparisons, origin) for section in CLOSING_SECTIONS),
        notes=notes,
        keys=tuple(
            record.key
            for comparison in comparisons
            for configuration in comparison.group.configurations
            for record in configuration.records
        ),
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
