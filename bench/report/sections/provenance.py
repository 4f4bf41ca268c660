"""Where do the results come from? Command, versions, machine, commit, counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd

from bench.data.dataset import fingerprint
from bench.errors import UserError, plural
from bench.ledger.record import RunInfo, is_external
from bench.metrics import METRICS
from bench.report.comparison import Comparison, Origin
from bench.report.document import Cell, Column, Section, Table
from bench.report.grouping import NOT_RUN, SKIPPED, STATUSES, TrialGroup, status_text
from bench.suite.labels import axis_label
from bench.suite.trial import Trial

CODE = "Command"
"""The name of what is to be copied as it is."""


def provenance(comparisons: Sequence[Comparison], origin: Origin) -> Section:
    """What a reader needs to run all of it again."""
    groups = [comparison.group for comparison in comparisons]
    labels = [comparison.analysis.correctness.checksum for comparison in comparisons]
    facts = provenance_facts(
        groups, origin, labels, [name for comparison in comparisons for name in comparison.metrics]
    )
    return Section(
        "provenance",
        "Provenance",
        (provenance_table(facts),),
        data=lambda: {"provenance": dict(facts)},
        verdict="Provenance",
        folded=True,
    )


def provenance_table(facts: Sequence[tuple[str, str]]) -> Table:
    """A row per fact."""
    return Table(
        name="provenance",
        title="Provenance",
        caption="Of all trials of this report.",
        frame=pd.DataFrame(facts, columns=["name", "value"]),
        columns=(
            Column("name", "Of", lambda row: row["name"], "text"),
            Column("value", "Value", lambda row: Cell(row["value"], "code" if row["name"] == CODE else ""), "text"),
        ),
        formats=frozenset({"page", "markdown", "csv"}),
        in_full=True,
    )


def provenance_facts(
    groups: Sequence[TrialGroup], origin: Origin, labels: Iterable[str] = (), metrics: Iterable[str] = ()
) -> tuple[tuple[str, str], ...]:
    """Name and value of everything a reader needs to run this again; what no record knows is left out.

    `labels` are the checksums of the test labels that predictions were stored with. Of `metrics` the user's own are
    named with the checksum of their source.
    """
    records = [record for group in groups for configuration in group.configurations for record in configuration.records]
    run_infos = [record.run_info for record in records if not is_external(record.config)]
    started = [info.started for info in run_infos if info.started]
    finished = [info.finished for info in run_infos if info.finished]
    training = f"{sum(info.train_seconds for info in run_infos):,.0f} s over all trials" if run_infos else ""
    pairs = (
        ("Suite", origin.suite),
        ("Suite file", origin.suite_file),
        (CODE, origin.command),
        ("Data sets", _distinct(group.dataset for group in groups)),
        ("Data checksums (SHA-256)", _distinct(f"{name} {checksum}" for name, checksum in origin.checksums.items())),
        ("Test labels (SHA-256)", _distinct(labels)),
        (
            "Your own metrics (SHA-256)",
            _distinct(f"{name} {source}" for name in metrics if (source := METRICS[name].source)),
        ),
        ("Trials", trial_counts(groups)),
        ("Device", _distinct(info.device for info in run_infos)),
        ("Threads per trial", _distinct(str(info.threads) for info in run_infos if info.threads is not None)),
        ("Versions", _distinct(version_texts(run_infos))),
        ("Git commit", _distinct(info.git_commit or "" for info in run_infos)),
        ("Run", f"{min(started)} to {max(finished)}" if started and finished else ""),
        ("Training time", training),
    )
    return tuple((name, value) for name, value in pairs if value)


def version_texts(run_infos: Sequence[RunInfo]) -> list[str]:
    """``torch 2.9.0``; with the number of trials where they had several of a package, as on nodes that differ."""
    trials = Counter(pair for info in run_infos for pair in sorted(info.versions.items()))
    per_package = Counter(name for name, _ in trials)
    return [
        f"{name} {version}" + (f" ({plural(count, 'trial')})" if per_package[name] > 1 else "")
        for (name, version), count in trials.items()
    ]


def checksums(groups: Sequence[TrialGroup], planned: Iterable[Trial]) -> dict[str, str]:
    """Each data set's checksum: as the planned trials have it, else the catalogue's; what neither knows is left out."""
    by_name = {
        axis_label(trial.config.dataset.to_json(), "dataset"): trial.contents for trial in planned if trial.contents
    }
    for group in groups:
        dataset = group.configurations[0].config["dataset"]
        if group.dataset not in by_name and "path" not in dataset:
            try:
                by_name[group.dataset] = fingerprint(dataset)
            except UserError:  # a data set that an earlier version knew
                continue
    return by_name


def trial_counts(groups: Sequence[TrialGroup]) -> str:
    """``36: 33 complete, 1 pruned, 2 skipped by pruning``."""
    configurations = [
        configuration for group in groups for configuration in group.configurations if not configuration.imported
    ]
    counts = Counter(record.status for configuration in configurations for record in configuration.records)
    planned = sum(len(configuration.planned) for configuration in configurations)
    numbers = {
        **{status_text(status): counts[status] for status in STATUSES},
        NOT_RUN: sum(configuration.missing for configuration in configurations),
        SKIPPED: sum(configuration.skipped for configuration in configurations),
    }
    parts = [f"{number} {status}" for status, number in numbers.items() if number]
    return f"{planned}: {', '.join(parts)}" if planned else "none"


def _distinct(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(value for value in values if value))
