"""The records of each planned configuration, and the first epochs of every training that began in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.jsonutil import canonical
from bench.ledger.record import Record
from bench.metrics import Predictions
from bench.report.estimates import complete_metrics
from bench.report.grouping import Config
from bench.suite.trial import Trial

BUDGET_INDEPENDENT = ("constant", "step", "time_decay", "plateau")
"""Schedules whose first epochs do not depend on the number of epochs."""

NO_EFFECT_ON_PREFIX = ("epochs", "early_stopping", "weights", "refit")
"""Settings that change how long a training lasts, not its first epochs."""


@dataclass(frozen=True)
class PrefixCurve:
    """One seed's validation accuracy by epoch, as far as it was finite; whether it `diverged` after that."""

    points: tuple[float, ...]
    diverged: bool

    def best_within(self, epochs: int) -> float | None:
        """The best of the first epochs; None where the run was stopped earlier, so that the later ones are unknown."""
        enough = bool(self.points) if self.diverged else len(self.points) >= epochs
        return max(self.points[:epochs]) if enough else None


def prefix_curves(records: Iterable[Record]) -> list[PrefixCurve]:
    """The longest curve of each seed, diverged ones included: without these the mean would be biased upwards."""
    longest: dict[int, PrefixCurve] = {}
    for record in records:
        if record.status not in ("complete", "pruned", "timed_out", "diverged"):
            continue
        values = record.result.curves.get("val_accuracy", [])
        points: list[float] = []
        for value in values:
            if value is None:
                break
            points.append(value)
        curve = PrefixCurve(tuple(points), record.status == "diverged" or len(points) < len(values))
        if values or curve.diverged:
            known = longest.get(record.seed)
            if known is None or len(points) > len(known.points):
                longest[record.seed] = curve
    return [curve for _, curve in sorted(longest.items())]


def common_epochs(curves: Sequence[PrefixCurve], most: int) -> int:
    """The largest number of epochs, up to `most`, that at least half of the seeds reached.

    A run that stopped early does not shorten the comparison of the others. Diverged runs count only if all diverged.
    """
    finite = [curve for curve in curves if not curve.diverged]
    if not finite:
        return max((min(len(curve.points), most) for curve in curves), default=0)
    lengths = sorted((min(len(curve.points), most) for curve in finite), reverse=True)
    return lengths[(len(lengths) - 1) // 2]


def prefix_key(config: Config) -> str:
    """Equal for configurations whose first epochs are the same."""
    independent = config.get("schedule", {}).get("name") in BUDGET_INDEPENDENT
    ignored = [key for key in NO_EFFECT_ON_PREFIX if independent or key != "epochs"]
    return canonical({key: value for key, value in config.items() if key not in ignored})


@dataclass(frozen=True)
class PlannedConfiguration:
    """A configuration of a suite with the keys of its seeds; `config` has the checksum of user data for their path."""

    config: Config
    keys: frozenset[str]

    @property
    def prefix_key(self) -> str:
        return prefix_key(self.config)

    def same_network(self, other: PlannedConfiguration) -> bool:
        """Whether both train the same network on the same data, whatever else differs."""
        return all(self.config[axis] == other.config[axis] for axis in ("model", "dataset"))


def planned_configurations(trials: Iterable[Trial]) -> dict[str, PlannedConfiguration]:
    """The configurations of a suite, by their canonical JSON in the suite."""
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(canonical(trial.config.to_json()), []).append(trial)
    return {
        text: PlannedConfiguration(
            _with_checksum(group[0].run_config.to_json(), group[0].contents), frozenset(trial.key for trial in group)
        )
        for text, group in groups.items()
    }


def merge_planned(planned: Iterable[PlannedConfiguration]) -> list[PlannedConfiguration]:
    """Each configuration once, with the seeds of all suites."""
    merged: dict[str, PlannedConfiguration] = {}
    for configuration in planned:
        text = canonical(configuration.config)
        known = merged.get(text, configuration)
        merged[text] = PlannedConfiguration(known.config, known.keys | configuration.keys)
    return list(merged.values())


class RunIndex:
    """The records of a page's trials, and of all other trials that began in the same way.

    `checksums` maps the key of a record of no suite on the page to the checksum of its data.
    """

    def __init__(
        self,
        trials: Iterable[Trial],
        records: Sequence[Record],
        predictions: Callable[[str], Predictions],
        checksums: Mapping[str, str],
        metrics: Sequence[str],
    ):
        planned = {trial.key: trial for trial in trials}
        of_page = [record for record in records if record.key in planned]
        self.by_key = {record.key: record for record in complete_metrics(of_page, predictions, metrics)}
        self.predictions = predictions
        self.by_prefix: dict[str, list[Record]] = {}
        for record in records:
            if trial := planned.get(record.key):
                config = _with_checksum(trial.run_config.to_json(), trial.contents)
            else:
                config = _with_checksum(record.config, checksums.get(record.key, ""))
            self.by_prefix.setdefault(prefix_key(config), []).append(self.by_key.get(record.key, record))

    def records(self, configuration: PlannedConfiguration) -> list[Record]:
        """The records of a configuration, by seed."""
        available = (self.by_key[key] for key in configuration.keys if key in self.by_key)
        return sorted(available, key=lambda record: record.seed)

    def prefix_curves(self, key: str) -> list[PrefixCurve]:
        """Validation accuracy by epoch, a curve per seed, of all trainings with this `prefix_key`."""
        return prefix_curves(self.by_prefix.get(key, []))

    def shorter(self, configuration: PlannedConfiguration, metric: str) -> list[Record]:
        """The complete runs with fewer epochs than a configuration, one per seed: those with the most epochs.

        They do not differ from it in anything that changes the epochs themselves, nor in whether they were refitted.
        """
        config = configuration.config
        candidates = [
            record
            for record in self.by_prefix.get(configuration.prefix_key, [])
            if record.status == "complete" and record.config["epochs"] < config["epochs"]
            if record.config.get("refit") == config.get("refit")
        ]
        longest = max((record.config["epochs"] for record in candidates), default=0)
        by_seed = {record.seed: record for record in candidates if record.config["epochs"] == longest}
        return complete_metrics([by_seed[seed] for seed in sorted(by_seed)], self.predictions, [metric])


def _with_checksum(config: Config, checksum: str) -> Config:
    dataset = config["dataset"]
    return {**config, "dataset": {**dataset, "path": checksum}} if "path" in dataset else config
