"""A row for each published result that a suite repeats, next to what was measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.data.catalogue import DATASETS
from bench.jsonutil import canonical
from bench.ledger.record import Record
from bench.metrics import METRICS, Predictions
from bench.published.reference_data import Reference, curve
from bench.report.estimates import Estimate, estimate, metric_values
from bench.report.grouping import Config, status_text
from bench.report.published.published_noise import (
    FOUR_DECIMALS,
    SOURCE_NOTES,
    NoiseEstimate,
    PublishedVerdict,
    SameNetworkRuns,
    ValueComparison,
    compare_values,
    half_unit,
    other_images,
)
from bench.report.published.published_runs import PlannedConfiguration, RunIndex, common_epochs, planned_configurations
from bench.statistics.intervals import PooledDeviation
from bench.suite.labels import axis_label
from bench.suite.select import ReferenceMatch
from bench.suite.trial import Trial


@dataclass(frozen=True)
class EqualEpochs:
    """The best validation accuracy within the first `epochs` epochs of both runs."""

    epochs: int
    comparison: ValueComparison


@dataclass(frozen=True)
class ShorterRun:
    """The value of complete runs with fewer epochs than planned, which no published value can be compared with."""

    epochs: int
    measured: Estimate
    n_seeds: int


@dataclass(frozen=True)
class PublishedRow:
    """A published result and what was measured.

    `full_run` is of complete trainings, and has an agreement only with as many epochs as the published run. `dataset`
    is what was measured on, `n_planned` the number of planned seeds, `epochs` the budget and `epochs_run` the mean over
    complete seeds; `notes` say why there is no verdict or what to be careful of. `removed` is whether options removed
    the configuration from the suite.
    """

    reference: Reference
    config: Config | None
    dataset: str
    full_run: ValueComparison | None
    equal_epochs: EqualEpochs | None
    shorter_run: ShorterRun | None
    n_planned: int
    epochs: int | None
    epochs_run: float | None
    parameters: int | None
    notes: tuple[str, ...]
    keys: tuple[str, ...]
    removed: bool = False

    @property
    def decisive(self) -> ValueComparison | None:
        """What the verdict is based on: the full run, else the first epochs."""
        if self.full_run and self.full_run.agreement:
            return self.full_run
        return self.equal_epochs.comparison if self.equal_epochs and self.equal_epochs.comparison.agreement else None

    @property
    def verdict(self) -> PublishedVerdict:
        if not self.n_planned:
            return "not compared" if self.removed else "not repeated"
        if self.decisive is None:
            return "not compared" if self.keys or self.shorter_run or self.equal_epochs else "not run"
        return self.decisive.verdict


@dataclass(frozen=True)
class SuiteComparison:
    """The rows of one suite; `noise` has the seed deviation behind each verdict, by a description."""

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


def compare_published(
    requests: Sequence[Request],
    records: Sequence[Record],
    predictions: Callable[[str], Predictions],
    checksums: Mapping[str, str] | None = None,
) -> tuple[SuiteComparison, ...]:
    """Compare the published results that suites repeat with the ledger's `records`.

    Any record counts for the first epochs of a training, where all else is equal. `checksums` has the checksum of the
    data of those records that belong to no suite, by key.
    """
    metrics = sorted({reference.metric_name for request in requests for _, reference in request.references})
    trials = [trial for request in requests for trial in request.trials]
    runs = RunIndex(trials, records, predictions, checksums or {}, metrics)
    planned = [planned_configurations(request.trials) for request in requests]
    page = [configuration for suite in planned for configuration in suite.values()]
    published = [
        (suite[name], reference)
        for request, suite in zip(requests, planned, strict=True)
        for match, reference in request.references
        if len(match.configs) == 1 and (name := canonical(match.configs[0])) in suite
    ]
    comparisons = []
    for request, suite in zip(requests, planned, strict=True):
        matcher = _SuiteMatcher(request.options.strip(), suite, page, published, runs)
        rows = tuple(matcher.row(*pair) for pair in request.references)
        comparisons.append(
            SuiteComparison(request.name, request.title, request.description, rows, matcher.noise, request.options)
        )
    return tuple(comparisons)


class _SuiteMatcher:
    """Makes the rows of one suite of the page; keeps the noise behind its verdicts and the numbers of test images."""

    def __init__(
        self,
        options: str,
        suite: dict[str, PlannedConfiguration],
        page: Sequence[PlannedConfiguration],
        published: Sequence[tuple[PlannedConfiguration, Reference]],
        runs: RunIndex,
    ):
        self.options = options
        self.suite = suite
        self.page = page
        self.published = published
        self.runs = runs
        self.test_images: dict[str, int] = {}
        self.noise: dict[str, PooledDeviation] = {}

    def row(self, match: ReferenceMatch, reference: Reference) -> PublishedRow:
        notes = [match.note] if match.note else []
        configs = [config for config in match.configs if canonical(config) in self.suite]
        config, selection = self._select(configs, reference)
        if config is None:
            removed = match.removed or (bool(match.configs) and not configs)
            notes += [f"changed by {self.options}"] if removed else []
            n_planned = sum(len(self.suite[canonical(config)].keys) for config in configs)
            return PublishedRow(
                reference,
                None,
                reference.dataset,
                None,
                None,
                None,
                n_planned,
                None,
                None,
                None,
                tuple(notes),
                (),
                removed,
            )
        notes += [selection] if selection else []
        configuration = self.suite[canonical(config)]
        same_network = SameNetworkRuns(configuration, self.suite.values(), self.page, self.published, self.runs)
        records = self.runs.records(configuration)
        complete = [record for record in records if record.status == "complete"]
        dataset = axis_label(config["dataset"], "dataset")
        if config["dataset"]["name"] != reference.dataset:
            notes.append(f"measured on {dataset}")
        enough_epochs = reference.epochs is None or config["epochs"] >= reference.epochs
        full_run = self._full_run(complete, config, reference, same_network)
        if full_run and not enough_epochs:
            full_run = replace(full_run, agreement=None)
        equal_epochs: EqualEpochs | None = None
        reasons: list[str] = []
        if not full_run or not enough_epochs:
            equal_epochs, reasons = self._equal_epochs(
                configuration, config, reference, same_network, not enough_epochs
            )
        shorter_run = None if full_run or equal_epochs else self._shorter_run(configuration, config, reference)
        if shorter_run and not reasons:
            reasons.append(f"{_epochs_text(shorter_run.epochs, reference)}, and no curve was measured")
        if reference.value is None:
            reasons.append(f"no single published value: {reference.reported}")
        values = same_network.published_values(reference.metric)
        if len(values) > 1:
            spread = 100 * (max(values) - min(values))
            reasons.append(f"the {len(values)} published runs of it differ by up to {spread:.2f} points")
        run_infos = [record.run_info for record in [*complete, *records]]
        return PublishedRow(
            reference,
            config,
            dataset,
            full_run,
            equal_epochs,
            shorter_run,
            len(configuration.keys),
            config["epochs"],
            sum(record.result.epochs_run for record in complete) / len(complete) if complete else None,
            next((info.parameters for info in run_infos if info.parameters is not None), None),
            tuple(notes + _ended_early(records, len(configuration.keys), bool(full_run)) + reasons),
            tuple(sorted(record.key for record in records)),
        )

    def _select(self, configs: Sequence[Config], reference: Reference) -> tuple[Config | None, str]:
        """The configuration to compare with a result: the only one, or the best on validation, with a note on that."""
        if len(configs) == 1:
            return configs[0], ""
        better = METRICS[reference.metric_name].better
        candidates = []
        for config in configs:
            configuration = self.suite[canonical(config)]
            complete = [record for record in self.runs.records(configuration) if record.status == "complete"]
            values = metric_values(complete, "validation", reference.metric_name)
            if values and len(complete) == len(configuration.keys):
                candidates.append((better(sum(values) / len(values)), config))
        if not candidates:
            return None, ""
        best = max(candidates, key=lambda candidate: candidate[0])[1]
        return best, f"selected on validation from {len(candidates)} complete configurations, by these networks"

    def _full_run(
        self, complete: list[Record], config: Config, reference: Reference, same_network: SameNetworkRuns
    ) -> ValueComparison | None:
        metric = reference.metric_name
        measured = metric_values(complete, reference.part, metric)
        if not measured:
            return None
        noise = same_network.of_metric(reference)
        self._keep_noise(noise, f"{reference.part} {METRICS[metric].heading}", config)
        n_images = self._n_images(reference.part, config, reference, complete[0])
        return compare_values(
            measured,
            reference.value,
            metric,
            noise,
            n_images,
            other_images(config, reference),
            half_unit(reference),
            same_network.max_half_width(reference),
        )

    def _equal_epochs(
        self,
        configuration: PlannedConfiguration,
        config: Config,
        reference: Reference,
        same_network: SameNetworkRuns,
        fewer_epochs: bool,
    ) -> tuple[EqualEpochs | None, list[str]]:
        """The first epochs of both runs, with the reason where they cannot be compared, and what was left out."""
        published = curve(reference.id)
        curves = self.runs.prefix_curves(configuration.prefix_key)
        if not curves:
            reason = f"{config['epochs']} epochs planned, {reference.epochs} published"
            return None, [reason] if fewer_epochs else []
        epochs_text = _epochs_text(common_epochs(curves, max(len(c.points) for c in curves)), reference)
        if published is None:
            return None, [f"{epochs_text}, and no published curve"]
        if not published.from_scratch:
            return None, [f"{epochs_text}; the published run continued an earlier one, so first epochs do not compare"]
        epochs = common_epochs(curves, len(published.values))
        best = [value for c in curves if (value := c.best_within(epochs)) is not None]
        if not best:
            return None, ["every seed diverged in its first epoch"]
        noise = same_network.of_first_epochs(epochs)
        self._keep_noise(noise, f"best validation accuracy within {epochs} epochs", config)
        n_images = self._n_images("validation", config, reference, None)
        comparison = compare_values(
            best,
            published.best_within(epochs),
            "accuracy",
            noise,
            n_images,
            other_images(config, reference),
            FOUR_DECIMALS,
            same_network.max_half_width(reference),
        )
        stopped = len(curves) - len(best)
        notes = [f"{stopped} of {_n_seeds(len(curves))} ended before epoch {epochs} and left out"] if stopped else []
        diverged = sum(c.diverged and bool(c.points) for c in curves)
        notes += [f"{diverged} of {_n_seeds(len(curves))} diverged: best epoch before that"] if diverged else []
        return EqualEpochs(epochs, comparison), notes

    def _shorter_run(
        self, configuration: PlannedConfiguration, config: Config, reference: Reference
    ) -> ShorterRun | None:
        """What the ledger has of a shorter training of the configuration, for which there is no published value."""
        records = self.runs.shorter(configuration, reference.metric_name)
        measured = metric_values(records, reference.part, reference.metric_name)
        if not measured:
            return None
        n_images = self._n_images(reference.part, config, reference, records[0])
        estimated = estimate(measured, reference.metric_name, None, n_images)
        return ShorterRun(records[0].config["epochs"], estimated, len(measured))

    def _keep_noise(self, noise: NoiseEstimate, name: str, config: Config) -> None:
        """Note the noise behind a verdict, which is listed below the table."""
        if noise.pooled:
            network = axis_label(config["model"], "model")
            dataset = axis_label(config["dataset"], "dataset")
            self.noise[f"{name}, {network}, {dataset}{SOURCE_NOTES[noise.source]}"] = noise.pooled

    def _n_images(self, part: str, config: Config, reference: Reference, tested: Record | None) -> int | None:
        """The number of images of a part, or of the published data set's part where only that is known."""
        name = canonical(config["dataset"])
        if part == "test" and tested is not None:
            if name not in self.test_images:
                self.test_images[name] = len(self.runs.predictions(tested.key).labels)
            return self.test_images[name]
        dataset = DATASETS.get(config["dataset"]["name"], DATASETS.get(reference.dataset))
        validation = config["validation"]
        if dataset is None or not isinstance(validation, dict):
            return None
        return round(dataset.train_size * float(next(iter(validation.values()))))


def _ended_early(records: Sequence[Record], n_planned: int, in_mean: bool) -> list[str]:
    """How many seeds are not complete, which the mean leaves out."""
    counts = Counter(record.status for record in records if record.status != "complete")
    mean = ", not in the mean" if in_mean else ""
    return [f"{count} of {_n_seeds(n_planned)} {status_text(status)}{mean}" for status, count in sorted(counts.items())]


def _n_seeds(number: int) -> str:
    return f"{number} seed" if number == 1 else f"{number} seeds"


def _epochs_text(epochs: int, reference: Reference) -> str:
    published = "an unknown number" if reference.epochs is None else reference.epochs
    return f"{epochs} epochs measured, {published} published"
