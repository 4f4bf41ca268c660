"""Every published result that a suite repeats, beside what was measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.data.catalogue import DATASETS
from bench.jsonutil import canonical
from bench.ledger.record import Predictions, Record
from bench.metrics import METRICS
from bench.published.reference_data import Reference, curve
from bench.report.estimates import Estimate, estimate, metric_values
from bench.report.published.published_noise import (
    FOUR_DECIMALS,
    SOURCE_NOTES,
    PublishedVerdict,
    SameNetworkRuns,
    SeedNoise,
    ValueComparison,
    half_unit,
    judge,
)
from bench.report.published.published_runs import PlannedConfiguration, RunIndex, common_epochs, planned_configurations
from bench.statistics.intervals import PooledDeviation
from bench.suite.labels import axis_label
from bench.suite.references import ReferenceMatch
from bench.suite.trial import Trial


@dataclass(frozen=True)
class EqualEpochs:
    """The best validation accuracy within the first `epochs` of both runs."""

    epochs: int
    judged: ValueComparison


@dataclass(frozen=True)
class ShorterRun:
    """The figure of complete runs with fewer epochs than were asked for, where nothing of theirs can judge it."""

    epochs: int
    ours: Estimate
    seeds: int


@dataclass(frozen=True)
class PublishedRow:
    """A published result and what became of it here.

    `whole` is of complete trainings, and has an agreement only where ours had as many epochs as theirs took. `dataset`
    is what ours ran on, `planned` the seeds asked for, `epochs` the budget and `epochs_run` the mean over complete
    seeds; `reasons` say why a verdict is missing or must be read with care. `removed` is whether options left the suite
    without the configuration that stands for it.
    """

    reference: Reference
    config: dict[str, Any] | None
    dataset: str
    whole: ValueComparison | None
    early: EqualEpochs | None
    short: ShorterRun | None
    planned: int
    epochs: int | None
    epochs_run: float | None
    parameters: int | None
    reasons: tuple[str, ...]
    keys: tuple[str, ...]
    removed: bool = False

    @property
    def decisive(self) -> ValueComparison | None:
        """What the verdict rests on: the whole run, else the first epochs."""
        if self.whole and self.whole.agreement:
            return self.whole
        return self.early.judged if self.early and self.early.judged.agreement else None

    @property
    def verdict(self) -> PublishedVerdict:
        if not self.planned:
            return "not compared" if self.removed else "not repeated"
        if self.decisive is None or self.decisive.agreement is None:
            return "not compared" if self.keys or self.short or self.early else "not run"
        return self.decisive.word


@dataclass(frozen=True)
class SuiteComparison:
    """The rows of one suite; `noise` has the seed deviation behind each verdict, by what it is of."""

    name: str
    title: str
    description: str
    rows: tuple[PublishedRow, ...]
    noise: dict[str, PooledDeviation]
    options: str = ""


@dataclass(frozen=True)
class Request:
    """A suite to compare: its references that name a configuration, each with its published result, and its trials.

    `options` are those that narrowed or changed it, as a command line has them.
    """

    name: str
    title: str
    description: str
    references: Sequence[tuple[ReferenceMatch, Reference]]
    trials: Sequence[Trial]
    options: str = ""


OTHER_IMAGES = ("early_split",)
"""Flags of results on other test images than today's release has."""


def compare_published(
    suites: Sequence[Request],
    records: Sequence[Record],
    predictions: Callable[[str], Predictions],
    contents: Mapping[str, str] | None = None,
) -> tuple[SuiteComparison, ...]:
    """Hold the published results of suites against the ledger's `records`.

    Any record counts for the first epochs of a training, where all else is equal. `contents` has the checksum of the
    data of those records that are of no suite's trials, by key.
    """
    metrics = sorted({reference.figure for asked in suites for _, reference in asked.references})
    trials = [trial for asked in suites for trial in asked.trials]
    runs = RunIndex(trials, records, predictions, contents or {}, metrics)
    planned = [planned_configurations(asked.trials) for asked in suites]
    page = [one for suite in planned for one in suite.values()]
    published = [
        (suite[canonical(comparison.configs[0])], reference)
        for asked, suite in zip(suites, planned, strict=True)
        for comparison, reference in asked.references
        if len(comparison.configs) == 1 and canonical(comparison.configs[0]) in suite
    ]
    groups = []
    for asked, suite in zip(suites, planned, strict=True):
        case = _SuiteMatcher(asked, suite, page, published, runs)
        rows = tuple(case.row(*pair) for pair in asked.references)
        groups.append(SuiteComparison(asked.name, asked.title, asked.description, rows, case.noise, asked.options))
    return tuple(groups)


class _SuiteMatcher:
    """One suite among those of the page, with what is worked out once: the noise, and how many images there are."""

    def __init__(
        self,
        asked: Request,
        suite: dict[str, PlannedConfiguration],
        page: Sequence[PlannedConfiguration],
        published: Sequence[tuple[PlannedConfiguration, Reference]],
        runs: RunIndex,
    ):
        self.options = asked.options.strip()
        self.suite = suite
        self.page = page
        self.published = published
        self.runs = runs
        self.test_images: dict[str, int] = {}
        self.noise: dict[str, PooledDeviation] = {}

    def row(self, comparison: ReferenceMatch, reference: Reference) -> PublishedRow:
        notes = [comparison.note] if comparison.note else []
        configs = [config for config in comparison.configs if canonical(config) in self.suite]
        config, searched = self._standing_for(configs, reference)
        if config is None:
            removed = comparison.removed or (bool(comparison.configs) and not configs)
            notes += [f"changed by {self.options}"] if removed else []
            planned = sum(len(self.suite[canonical(one)].keys) for one in configs)
            empty = PublishedRow(
                reference, None, reference.dataset, None, None, None, planned, None, None, None, (), ()
            )
            return replace(empty, reasons=tuple(notes), removed=removed)
        notes += [searched] if searched else []
        one = self.suite[canonical(config)]
        kin = SameNetworkRuns(one, self.suite.values(), self.page, self.published, self.runs)
        records = self.runs.of(one)
        done = [record for record in records if record.status == "complete"]
        dataset = axis_label(config["dataset"], "dataset")
        if config["dataset"]["name"] != reference.dataset:
            notes.append(f"ours on {dataset}")
        full = reference.epochs is None or config["epochs"] >= reference.epochs
        whole = self._whole(done, config, reference, kin, full)
        early, why = (None, []) if whole and full else self._early(one, config, reference, kin, shorter=not full)
        short = None if whole or early else self._short(one, config, reference)
        if short and not why:
            why.append(f"{_epochs_text(short.epochs, reference)}, and there is no curve of ours")
        if reference.value is None:
            why.append(f"they give no single figure: {reference.reported}")
        theirs = kin.their_runs(reference.metric)
        if len(theirs) > 1:
            why.append(f"their {len(theirs)} runs of it lie {100 * (max(theirs) - min(theirs)):.2f} points apart")
        measured = [record.run_info for record in [*done, *records]]
        return PublishedRow(
            reference,
            config,
            dataset,
            whole,
            early,
            short,
            len(one.keys),
            config["epochs"],
            sum(record.result.epochs_run for record in done) / len(done) if done else None,
            next((one.parameters for one in measured if one.parameters is not None), None),
            tuple(notes + _ended_early(records, len(one.keys), bool(whole)) + why),
            tuple(sorted(record.key for record in records)),
        )

    def _standing_for(
        self, configs: Sequence[dict[str, Any]], reference: Reference
    ) -> tuple[dict[str, Any] | None, str]:
        """The configuration to hold against a result: the only one, or what validation chose, with a word on that."""
        if len(configs) == 1:
            return configs[0], ""
        better = METRICS[reference.figure].better
        rated = []
        for config in configs:
            one = self.suite[canonical(config)]
            done = [record for record in self.runs.of(one) if record.status == "complete"]
            found = metric_values(done, "validation", reference.figure)
            if found and len(done) == len(one.keys):
                rated.append((better(sum(found) / len(found)), config))
        if not rated:
            return None, ""
        return max(rated, key=lambda pair: pair[0])[1], f"chosen by validation among {len(rated)} complete"

    def _whole(
        self, done: list[Record], config: dict[str, Any], reference: Reference, kin: SameNetworkRuns, full: bool
    ) -> ValueComparison | None:
        found = metric_values(done, reference.part, reference.figure)
        if not found:
            return None
        noise = kin.of_figure(reference)
        self._keep(noise, f"{reference.part} {METRICS[reference.figure].heading}", config)
        images = self._images(reference.part, config, reference, done[0])
        other = _other_images(config, reference)
        whole = judge(found, reference.value, reference.figure, noise, images, other, half_unit(reference))
        return whole if full else replace(whole, agreement=None)

    def _early(
        self,
        one: PlannedConfiguration,
        config: dict[str, Any],
        reference: Reference,
        kin: SameNetworkRuns,
        shorter: bool,
    ) -> tuple[EqualEpochs | None, list[str]]:
        """The first epochs of both, with the reason where they cannot be compared, and what was left out."""
        printed = curve(reference.id)
        own = self.runs.begun(one.start)
        if not own:
            return None, [f"a budget of {config['epochs']} epochs, theirs took {reference.epochs}"] if shorter else []
        both = _epochs_text(common_epochs(own, max(len(begun.points) for begun in own)), reference)
        if printed is None:
            return None, [f"{both}, and no curve of theirs is kept here"]
        if not printed.from_scratch:
            return None, [f"{both}, which continued an earlier fit: its first epochs are no yardstick"]
        epochs = common_epochs(own, len(printed.values))
        best = [highest for begun in own if (highest := begun.best_within(epochs)) is not None]
        if not best:
            return None, ["every seed diverged in its first epoch"]
        noise = kin.of_first(epochs)
        self._keep(noise, f"best validation accuracy within {epochs} epochs", config)
        images = self._images("validation", config, reference, None)
        theirs = printed.best_within(epochs)
        other = _other_images(config, reference)
        found = judge(best, theirs, "accuracy", noise, images, other, FOUR_DECIMALS)
        left = len(own) - len(best)
        notes = [f"{left} of {_n_seeds(len(own))} ended before epoch {epochs} and left out there"] if left else []
        diverged = sum(begun.diverged and bool(begun.points) for begun in own)
        notes += [f"the best before it diverged stands for {diverged} of {_n_seeds(len(own))}"] if diverged else []
        return EqualEpochs(epochs, found), notes

    def _short(self, one: PlannedConfiguration, config: dict[str, Any], reference: Reference) -> ShorterRun | None:
        """What the ledger has of a shorter training of the configuration, where nothing of theirs is like it."""
        shorter = self.runs.shorter(one, reference.figure)
        found = metric_values(shorter, reference.part, reference.figure)
        if not found:
            return None
        images = self._images(reference.part, config, reference, shorter[0])
        return ShorterRun(shorter[0].config["epochs"], estimate(found, reference.figure, None, images), len(found))

    def _keep(self, noise: SeedNoise, what: str, config: dict[str, Any]) -> None:
        """Note the noise behind a verdict, to be told below the table."""
        if noise.pooled:
            network = axis_label(config["model"], "model")
            data = axis_label(config["dataset"], "dataset")
            self.noise[f"{what}, {network}, {data}{SOURCE_NOTES[noise.source]}"] = noise.pooled

    def _images(self, part: str, config: dict[str, Any], reference: Reference, tested: Record | None) -> int | None:
        """How many images a part has; as many as theirs where only those are known."""
        name = canonical(config["dataset"])
        if part == "test" and tested is not None:
            if name not in self.test_images:
                self.test_images[name] = len(self.runs.predictions(tested.key).labels)
            return self.test_images[name]
        known = DATASETS.get(config["dataset"]["name"], DATASETS.get(reference.dataset))
        validation = config["validation"]
        if known is None or not isinstance(validation, dict):
            return None
        return round(known.train_size * float(next(iter(validation.values()))))


def _ended_early(records: Sequence[Record], planned: int, whole: bool) -> list[str]:
    """How many seeds did not end well, which the mean of a training's end leaves out."""
    ended = Counter(record.status for record in records if record.status != "complete")
    mean = ", not in the mean" if whole else ""
    return [f"{count} of {_n_seeds(planned)} {status}{mean}" for status, count in sorted(ended.items())]


def _n_seeds(number: int) -> str:
    return f"{number} seed" if number == 1 else f"{number} seeds"


def _epochs_text(epochs: int, reference: Reference) -> str:
    theirs = "an unknown number" if reference.epochs is None else reference.epochs
    return f"{epochs} epochs of ours, {theirs} of theirs"


def _other_images(config: dict[str, Any], reference: Reference) -> bool:
    """Whether the two were measured on different images.

    A validation part counts as the same where ours is the tail of the same training set.
    """
    if config["dataset"]["name"] != reference.dataset or any(flag in OTHER_IMAGES for flag in reference.flags):
        return True
    tail = isinstance(config["validation"], dict) and "tail" in config["validation"]
    return reference.part == "validation" and not tail
