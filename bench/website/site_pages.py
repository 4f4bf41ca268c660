"""What the pages show: data sets with published results, suites, configurations, each row with its verification."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from bench.errors import UserError
from bench.jsonutil import JsonObject
from bench.ledger.record import Record, is_external
from bench.published import find, load
from bench.published.reference_data import Reference
from bench.report import Report, build
from bench.report.grouping import Configuration
from bench.suite.find_suite import shipped_suites
from bench.suite.labels import axis_label
from bench.suite.suite import load_suite
from bench.verification.statuses import State, Verified, state_of, weakest
from bench.website.joined_ledgers import JoinedLedgers

NO_SUITE = "imported"
"""The name of the page for records of no suite."""


HARMLESS_FLAGS = {
    *("community_submission", "not_retested", "paperswithcode", "nas", "tuned"),
    *("optimizer_benchmark", "derived_here", "self_reported", "quoted"),
}
"""Flags of published results that are still test accuracies of single networks, selected without the test images."""


def is_alike(reference: Reference) -> bool:
    """Whether a published result may stand in one table with measured test accuracies."""
    return (
        reference.metric == "test_accuracy"
        and reference.value is not None
        and HARMLESS_FLAGS.issuperset(reference.flags)
    )


@dataclass(frozen=True)
class SiteRow:
    """A configuration in the table of a suite; fractions for accuracies. `folder` is that of its page."""

    label: str
    folder: str
    dataset: str
    protocol: str
    imported: bool
    complete: bool
    test: float
    low: float
    high: float
    validation: float
    seconds: float
    state: State
    finished: str
    command: str
    configuration: Configuration

    @property
    def seeds(self) -> int:
        return len(self.configuration.with_status("complete"))


@dataclass(frozen=True)
class SuitePage:
    """A suite: its report, and a row for each configuration, the best first within its protocol."""

    name: str
    title: str
    description: str
    report: Report
    rows: tuple[SiteRow, ...]

    @property
    def folder(self) -> str:
        return slug(self.name)

    @property
    def datasets(self) -> list[str]:
        return list(dict.fromkeys(row.dataset for row in self.rows))

    @property
    def best(self) -> SiteRow | None:
        """The complete row of the highest test accuracy among those that were trained by bench."""
        return max(
            (row for row in self.rows if row.complete and not row.imported), key=lambda row: row.test, default=None
        )


@dataclass(frozen=True)
class DatasetPage:
    """A data set: measured configurations, published results that compare like with like, and the others."""

    name: str
    rows: tuple[SiteRow, ...]
    alike: tuple[Reference, ...]
    others: tuple[Reference, ...]
    progress: tuple[tuple[str, SiteRow], ...] = field(default=())
    """The best test accuracy over time: the day and the row of each new best."""

    @property
    def folder(self) -> str:
        return slug(self.name)


def slug(text: str) -> str:
    """A name as a folder's: letters, digits, dots and hyphens."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.") or "unnamed"


def suite_pages(ledgers: JoinedLedgers, verified: Mapping[str, Verified]) -> list[SuitePage]:
    """A page for each suite that left a record, by name, and one for imported rows of data sets without one."""
    by_suite: dict[str, list[Record]] = {}
    imported = [record for record in ledgers.records() if is_external(record.config)]
    for record in ledgers.records():
        if not is_external(record.config):
            by_suite.setdefault(record.suite or NO_SUITE, []).append(record)
    used = {_dataset(record) for records in by_suite.values() for record in records}
    alone = [record for record in imported if _dataset(record) not in used]
    if alone:
        by_suite.setdefault(NO_SUITE, []).extend(alone)
    pages = []
    for name, records in sorted(by_suite.items()):
        datasets = {_dataset(record) for record in records}
        added = [record for record in imported if record not in records and _dataset(record) in datasets]
        pages.append(_suite_page(name, [*records, *added], ledgers, verified))
    return pages


def _dataset(record: Record) -> str:
    return axis_label(record.config["dataset"], "dataset")


def _suite_page(
    name: str, records: Sequence[Record], ledgers: JoinedLedgers, verified: Mapping[str, Verified]
) -> SuitePage:
    title, description, references, metrics = _shipped(name)
    report = build(
        records,
        ledgers.predictions,
        title=title,
        suite="" if name == NO_SUITE else name,
        references=references,
        command=f"bench run {name}" if name in shipped_suites() else "",
        metrics=metrics,
        classes=ledgers.predicted_classes,
    )
    rows = [row for comparison in report.comparisons for row in _rows(comparison, ledgers, verified)]
    return SuitePage(name, title, description, report, tuple(rows))


def _shipped(name: str) -> tuple[str, str, Sequence[Reference], tuple[str, ...]]:
    """Title, description, references and metrics of a suite that comes with bench; of others the name alone."""
    path = shipped_suites().get(name)
    if path is None:
        return name, "", (), ("accuracy",)
    try:
        suite = load_suite(path)
        return suite.title, suite.description or "", find(suite.references), tuple(suite.metrics)
    except UserError:
        return name, "", (), ("accuracy",)


def _rows(comparison: Any, ledgers: JoinedLedgers, verified: Mapping[str, Verified]) -> list[SiteRow]:
    """The comparison's configurations with a complete seed, in the order of its leaderboard."""
    by_label = {configuration.label: configuration for configuration in comparison.group.configurations}
    rows = []
    for item in comparison.frame.to_dict("records"):
        if item["kind"] == "published":
            continue
        configuration = by_label[item["label"]]
        complete = configuration.with_status("complete")
        rows.append(
            SiteRow(
                label=item["label"],
                folder=slug(configuration.records[0].config_key or configuration.records[0].key),
                dataset=comparison.group.dataset,
                protocol=comparison.group.protocol,
                imported=configuration.imported,
                complete=configuration.complete,
                test=item["test_mean"],
                low=item["test_low"],
                high=item["test_high"],
                validation=item["validation_mean"],
                seconds=item["train_seconds"],
                state=weakest(state_of(ledgers, record, verified) for record in complete),
                finished=max((utc(record.run_info.finished) for record in complete), default=""),
                command=item["command"],
                configuration=configuration,
            )
        )
    return rows


def utc(moment: str) -> str:
    """An ISO 8601 time in UTC, to the second, as Atom has it; nothing where it is no time."""
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        return ""
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def dataset_pages(suites: Sequence[SuitePage]) -> list[DatasetPage]:
    """A page for each data set of the suites' rows, a configuration once."""
    pages = []
    for name in sorted({row.dataset for suite in suites for row in suite.rows}):
        rows = {row.folder: row for suite in suites for row in suite.rows if row.dataset == name}
        ordered = sorted(rows.values(), key=lambda row: (-row.test, row.label))
        references = sorted(load(name), key=lambda reference: (-(reference.value or 0), reference.model, reference.id))
        alike = tuple(reference for reference in references if is_alike(reference))
        others = tuple(reference for reference in references if not is_alike(reference))
        pages.append(DatasetPage(name, tuple(ordered), alike, others, tuple(_progress(ordered))))
    return pages


def _progress(rows: Sequence[SiteRow]) -> list[tuple[str, SiteRow]]:
    best = 0.0
    steps = []
    candidates = [row for row in rows if row.complete and not row.imported and row.finished]
    for row in sorted(candidates, key=lambda row: (row.finished, row.label)):
        if row.test > best:
            best = row.test
            steps.append((row.finished[:10], row))
    return steps


def class_rows(row: SiteRow, ledgers: JoinedLedgers) -> list[JsonObject]:
    """Precision, recall and F1 of each class, means over the complete seeds, fractions; 0 where never predicted."""
    records = [record for record in row.configuration.with_status("complete") if record.key in ledgers.counts]
    if not records:
        return []
    size = max(len(ledgers.counts[record.key].labels) for record in records)
    names = records[0].result.classes or [str(number) for number in range(size)]
    correct, labels, predicted = (
        np.array([np.pad(array, (0, size - len(array))) for array in arrays])
        for arrays in zip(
            *((c.correct, c.labels, c.predicted) for c in (ledgers.counts[r.key] for r in records)), strict=True
        )
    )
    precision = (correct / np.maximum(predicted, 1)).mean(0)
    recall = (correct / np.maximum(labels, 1)).mean(0)
    f1 = (2 * correct / np.maximum(labels + predicted, 1)).mean(0)
    return [
        {"class": name, "images": int(labels[0][i]), "precision": precision[i], "recall": recall[i], "f1": f1[i]}
        for i, name in enumerate(names[:size])
    ]
