"""Which records are of which configuration? The user's own data are known by their contents, wherever they lie."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.jsonutil import canonical
from bench.ledger.record import Predictions, Record
from bench.report.estimates import complete_metrics
from bench.suite.trial import Trial

BUDGET_INDEPENDENT = ("constant", "step", "time_decay", "plateau")
"""Schedules whose first epochs do not depend on how many are to follow."""

NO_EFFECT_ON_PREFIX = ("epochs", "early_stopping", "weights", "refit")
"""What changes how long a training lasts, and nothing of its first epochs."""


@dataclass(frozen=True)
class PrefixCurve:
    """One seed's validation accuracy by epoch, as far as it was finite; nothing could follow where it `diverged`."""

    points: tuple[float, ...]
    diverged: bool

    def best_within(self, epochs: int) -> float | None:
        """The best of the first epochs; None where it was ended before, as what would have followed is not known."""
        enough = bool(self.points) if self.diverged else len(self.points) >= epochs
        return max(self.points[:epochs]) if enough else None


def prefix_curves(records: Iterable[Record]) -> list[PrefixCurve]:
    """The longest curve of each seed. Seeds that diverged count, or only those that went well would be left."""
    longest: dict[int, PrefixCurve] = {}
    for record in records:
        if record.status not in ("complete", "pruned", "diverged"):
            continue
        points = []
        values = record.result.curves.get("val_accuracy", [])
        for point in values:
            if point is None:
                break
            points.append(point)
        found = PrefixCurve(tuple(points), record.status == "diverged" or len(points) < len(values))
        if values or found.diverged:
            known = longest.get(record.seed)
            if known is None or len(points) > len(known.points):
                longest[record.seed] = found
    return [found for _, found in sorted(longest.items())]


def common_epochs(begun: Sequence[PrefixCurve], most: int) -> int:
    """The largest number of epochs, up to `most`, that at least half of the seeds reached.

    One that was ended early does not shorten the comparison of the others. Those that diverged have no say unless all
    did.
    """
    lasting = [one for one in begun if not one.diverged]
    if not lasting:
        return max((min(len(one.points), most) for one in begun), default=0)
    lengths = sorted((min(len(one.points), most) for one in lasting), reverse=True)
    return lengths[(len(lengths) - 1) // 2]


def prefix_key(config: dict[str, Any]) -> str:
    """The same text for configurations whose first epochs are the same."""
    free = config.get("schedule", {}).get("name") in BUDGET_INDEPENDENT
    left_out = NO_EFFECT_ON_PREFIX if free else tuple(key for key in NO_EFFECT_ON_PREFIX if key != "epochs")
    return canonical({key: value for key, value in config.items() if key not in left_out})


@dataclass(frozen=True)
class PlannedConfiguration:
    """A configuration of a suite with the keys of its seeds; `told` names the user's own data by their contents."""

    told: dict[str, Any]
    keys: frozenset[str]

    @property
    def start(self) -> str:
        return prefix_key(self.told)

    def akin(self, other: PlannedConfiguration) -> bool:
        """Whether both are of one network on the same data, whatever else differs."""
        return all(self.told[axis] == other.told[axis] for axis in ("model", "dataset"))


def planned_configurations(trials: Iterable[Trial]) -> dict[str, PlannedConfiguration]:
    """The configurations of one suite, by their text as the suite has it."""
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
    """Each configuration once, with the seeds that any suite asks for."""
    keys: dict[str, frozenset[str]] = {}
    first: dict[str, PlannedConfiguration] = {}
    for one in planned:
        text = canonical(one.told)
        keys[text] = keys.get(text, frozenset()) | one.keys
        first.setdefault(text, one)
    return [PlannedConfiguration(one.told, keys[text]) for text, one in first.items()]


class RunIndex:
    """The records of a page's trials, and of whatever else began as they did.

    `contents` maps the key of a record of no suite on the page to the checksum of its data.
    """

    def __init__(
        self,
        trials: Iterable[Trial],
        records: Sequence[Record],
        predictions: Callable[[str], Predictions],
        contents: Mapping[str, str],
        metrics: Sequence[str],
    ):
        planned = {trial.key: trial for trial in trials}
        of_page = complete_metrics([record for record in records if record.key in planned], predictions, metrics)
        self.by_key = {record.key: record for record in of_page}
        self.predictions = predictions
        self.by_start: dict[str, list[Record]] = {}
        for record in records:
            trial = planned.get(record.key)
            if trial:
                told = _with_checksum(trial.run_config.to_json(), trial.contents)
            else:
                told = _with_checksum(record.config, contents.get(record.key, ""))
            self.by_start.setdefault(prefix_key(told), []).append(self.by_key.get(record.key, record))

    def of(self, one: PlannedConfiguration) -> list[Record]:
        """The records of a configuration, by seed."""
        return sorted((self.by_key[key] for key in one.keys if key in self.by_key), key=lambda record: record.seed)

    def begun(self, start: str) -> list[PrefixCurve]:
        """Validation accuracy by epoch, a curve per seed, of all that began alike."""
        return prefix_curves(self.by_start.get(start, []))

    def shorter(self, one: PlannedConfiguration, metric: str) -> list[Record]:
        """The complete runs with the largest budget among those that are shorter than a configuration's, one per seed.

        They differ from it in nothing that changes what its epochs do, and were refitted if it is.
        """
        alike = [
            record
            for record in self.by_start.get(one.start, [])
            if record.status == "complete" and record.config["epochs"] < one.told["epochs"]
            if record.config.get("refit") == one.told.get("refit")
        ]
        longest = max((record.config["epochs"] for record in alike), default=0)
        by_seed = {record.seed: record for record in alike if record.config["epochs"] == longest}
        return complete_metrics([by_seed[seed] for seed in sorted(by_seed)], self.predictions, [metric])


def _with_checksum(config: dict[str, Any], contents: str) -> dict[str, Any]:
    dataset = config["dataset"]
    return {**config, "dataset": {**dataset, "path": contents}} if "path" in dataset else config
