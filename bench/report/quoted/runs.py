"""Which records are of which configuration? The user's own data are known by their contents, wherever they lie."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.jsonutil import canonical
from bench.ledger.record import Predictions, Record
from bench.report.figures import completed
from bench.report.quoted.first_epochs import Begun, curves, start_of
from bench.suite.trial import Trial


@dataclass(frozen=True)
class Planned:
    """A configuration of a suite with the keys of its seeds; `told` names the user's own data by their contents."""

    told: dict[str, Any]
    keys: frozenset[str]

    @property
    def start(self) -> str:
        return start_of(self.told)

    def akin(self, other: Planned) -> bool:
        """Whether both are of one network on the same data, whatever else differs."""
        return all(self.told[axis] == other.told[axis] for axis in ("model", "dataset"))


def configurations(trials: Iterable[Trial]) -> dict[str, Planned]:
    """The configurations of one suite, by their text as the suite has it."""
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(canonical(trial.config), []).append(trial)
    return {
        text: Planned(_told(group[0].run_config, group[0].contents), frozenset(trial.key for trial in group))
        for text, group in groups.items()
    }


def merged(planned: Iterable[Planned]) -> list[Planned]:
    """Each configuration once, with the seeds that any suite asks for."""
    keys: dict[str, frozenset[str]] = {}
    first: dict[str, Planned] = {}
    for one in planned:
        text = canonical(one.told)
        keys[text] = keys.get(text, frozenset()) | one.keys
        first.setdefault(text, one)
    return [Planned(one.told, keys[text]) for text, one in first.items()]


class Runs:
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
        of_page = completed([record for record in records if record.key in planned], predictions, metrics)
        self.by_key = {record.key: record for record in of_page}
        self.predictions = predictions
        self.by_start: dict[str, list[Record]] = {}
        for record in records:
            trial = planned.get(record.key)
            if trial:
                told = _told(trial.run_config, trial.contents)
            else:
                told = _told(record.config, contents.get(record.key, ""))
            self.by_start.setdefault(start_of(told), []).append(self.by_key.get(record.key, record))

    def of(self, one: Planned) -> list[Record]:
        """The records of a configuration, by seed."""
        return sorted((self.by_key[key] for key in one.keys if key in self.by_key), key=lambda record: record.seed)

    def begun(self, start: str) -> list[Begun]:
        """Validation accuracy by epoch, a curve per seed, of all that began alike."""
        return curves(self.by_start.get(start, []))

    def shorter(self, one: Planned, metric: str) -> list[Record]:
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
        return completed([by_seed[seed] for seed in sorted(by_seed)], self.predictions, [metric])


def _told(config: dict[str, Any], contents: str) -> dict[str, Any]:
    dataset = config["dataset"]
    return {**config, "dataset": {**dataset, "path": contents}} if "path" in dataset else config
