"""Where do the results come from? Command, versions, machine, commit, counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from bench.data.dataset import fingerprint
from bench.errors import UserError
from bench.ledger.external import is_external
from bench.ledger.record import Record
from bench.report.grouping import NOT_RUN, SKIPPED, STATUSES, TrialGroup
from bench.suite.labels import axis_label
from bench.suite.trial import Trial


def provenance(
    records: Sequence[Record],
    groups: Sequence[TrialGroup],
    suite: str,
    command: str,
    file: str = "",
    data: Mapping[str, str] | None = None,
    labels: Iterable[str] = (),
) -> tuple[tuple[str, str], ...]:
    """Name and value of everything a reader needs to run this again; what no record knows is left out.

    `file` is the suite's, `data` the checksum of each data set by name (`checksums`), `labels` those of the test labels
    that predictions were stored with.
    """
    measured = [record.run_info for record in records if not is_external(record.config)]
    commits = [m.git_commit or "" for m in measured]
    versions = [f"{name} {version}" for m in measured for name, version in sorted(m.versions.items())]
    started, finished = [m.started for m in measured if m.started], [m.finished for m in measured if m.finished]
    span = f"{min(started)} to {max(finished)}" if started and finished else ""
    pairs = (
        ("Suite", suite),
        ("Suite file", file),
        ("Command", command),
        ("Data sets", _distinct(group.dataset for group in groups)),
        ("Data checksums (SHA-256)", _distinct(f"{name} {checksum}" for name, checksum in (data or {}).items())),
        ("Test labels (SHA-256)", _distinct(labels)),
        ("Trials", trial_counts(groups)),
        ("Device", _distinct(m.device for m in measured)),
        ("Threads per trial", _distinct(str(m.threads) for m in measured if m.threads is not None)),
        ("Versions", _distinct(versions)),
        ("Git commit", _distinct(commits)),
        ("Run", span),
        ("Training time", f"{sum(m.train_seconds for m in measured):,.0f} s over all trials" if measured else ""),
    )
    return tuple((name, value) for name, value in pairs if value)


def checksums(groups: Sequence[TrialGroup], planned: Iterable[Trial]) -> dict[str, str]:
    """Each data set's checksum: as the planned trials have it, else the catalogue's; what neither knows is left out."""
    found = {
        axis_label(trial.config.dataset.to_json(), "dataset"): trial.contents for trial in planned if trial.contents
    }
    for group in groups:
        entry = group.configurations[0].config["dataset"]
        if group.dataset not in found and "path" not in entry:
            try:
                found[group.dataset] = fingerprint(entry)
            except UserError:  # a data set that an earlier version knew
                continue
    return found


def trial_counts(groups: Sequence[TrialGroup]) -> str:
    """``36: 33 complete, 1 pruned, 2 skipped by pruning``."""
    configurations = [
        configuration for group in groups for configuration in group.configurations if not configuration.imported
    ]
    counts = Counter(record.status for configuration in configurations for record in configuration.records)
    planned = sum(len(configuration.planned) for configuration in configurations)
    numbers = {
        **{str(status): counts[status] for status in STATUSES},
        NOT_RUN: sum(configuration.missing for configuration in configurations),
        SKIPPED: sum(configuration.skipped for configuration in configurations),
    }
    parts = [f"{number} {status}" for status, number in numbers.items() if number]
    return f"{planned}: {', '.join(parts)}" if planned else "none"


def _distinct(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(value for value in values if value))
