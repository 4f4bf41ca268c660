"""Whose weights stay in the ledger: ``bench run --keep best`` or ``all``.

The best configuration of a comparison is the one with the highest mean on validation over all its seeds; equal means
are all the best. It is known at the end, so every trial's weights are stored as those of a candidate, and dropped when
its configuration is complete and another complete one is better, or when it can no longer be complete (a seed diverged
or was pruned). Any number of drivers do so, each from the ledger's records, so they agree. Only candidates that runs of
a suite of the same name have stored are dropped. At the end of a run (`settle`) all of it is looked at again, which
also finishes what an interrupted run left.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.execution.messages import RunOptions
from bench.execution.pruning import rule
from bench.ledger.entries import DamagedEntryError
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record
from bench.ledger.store import list_entries, put_entry
from bench.ledger.weights_files import WeightsFile, list_weights, permanent_name, read_file, remove_weights
from bench.metrics import METRICS
from bench.suite.comparable import comparable
from bench.suite.trial import Trial


class BestConfigurations:
    """The best complete configurations of each comparison, from the records taken in so far; `metric` ranks."""

    def __init__(self, trials: Sequence[Trial], metric: str):
        self.metric = metric
        self.keys: dict[str, list[str]] = {}
        """By configuration, the keys of its trials."""
        configs = {}
        for trial in trials:
            self.keys.setdefault(trial.config_key, []).append(trial.key)
            configs[trial.config_key] = trial.config.to_json()
        names = list(configs)
        groups = comparable(list(configs.values()))
        self._comparison = {names[index]: number for number, group in enumerate(groups) for index in group}
        self._best: dict[int, tuple[float, list[str]]] = {}
        self._values: dict[str, dict[str, float]] = {}
        self._config_of = {key: name for name, keys in self.keys.items() for key in keys}

    @property
    def selected(self) -> list[str]:
        """The keys of the trials of the best configurations."""
        return [key for _, names in self._best.values() for name in names for key in self.keys[name]]

    def take(self, record: Record) -> list[str]:
        """Take in a trial's end; the keys of the trials whose weights nobody needs any more."""
        name = self._config_of.get(record.key)
        if name is None or record.status == "failed":  # the next run tries it again
            return []
        value = (record.result.validation or {}).get(self.metric)
        if record.status != "complete" or value is None:
            return self.keys[name]
        values = self._values.setdefault(name, {})
        values[record.key] = METRICS[self.metric].better(value)
        if len(values) < len(self.keys[name]):
            return []
        mean = float(np.mean([values[key] for key in self.keys[name]]))
        return self._compare(name, mean)

    def _compare(self, name: str, mean: float) -> list[str]:
        """Compare a complete configuration with the best so far; the keys of those that are beaten."""
        comparison = self._comparison[name]
        best_mean, names = self._best.get(comparison, (mean, []))
        if mean < best_mean:
            return self.keys[name]
        if mean == best_mean:
            self._best[comparison] = mean, list(dict.fromkeys([*names, name]))
            return []
        self._best[comparison] = mean, [name]
        return [key for beaten in names for key in self.keys[beaten]]


@dataclass
class WeightsSummary:
    """Of the trials whose weights are asked for: how many the ledger has, and the trials that it lacks them of."""

    saved: int = 0
    missing: list[Trial] = field(default_factory=list)


def drop_candidates(ledger: Ledger, files: Iterable[WeightsFile], suite: str) -> None:
    """Remove the weights of candidates that runs of this suite have stored."""
    for file in files:
        run = next((run for run in ledger.entries_of(file.key) if run.name == file.entry_name), None)
        if run is not None and file.candidate and run.record.suite == suite:
            remove_weights(ledger.store, file)


def settle(trials: Sequence[Trial], ledger: Ledger, options: RunOptions) -> WeightsSummary:
    """Drop what a finished run need not keep, and count what stays."""
    if options.keep == "none":
        return WeightsSummary()
    ledger.refresh()
    done = ledger.done(rule(options.pruning), options.max_minutes)
    files = _weights_with_entries(ledger, done)
    by_key = {trial.key: trial for trial in trials}
    if options.keep == "best":
        best = BestConfigurations(trials, options.rank_by)
        dropped = {key for trial in trials if trial.key in done for key in best.take(done[trial.key])}
        wanted = best.selected
        for key in dropped - set(wanted):
            drop_candidates(ledger, files.get(key, []), options.suite)
    else:
        wanted = [key for key in by_key if key in done and done[key].status == "complete"]
        for key in wanted:
            files[key] = _make_permanent(ledger, files.get(key, []))
    summary = WeightsSummary()
    for key in wanted:
        runs = {run.name for run in ledger.entries_of(key)}
        if any(file.entry_name in runs for file in files.get(key, [])):
            summary.saved += 1
        else:
            summary.missing.append(by_key[key])
    return summary


def _weights_with_entries(ledger: Ledger, done: Mapping[str, Record]) -> dict[str, list[WeightsFile]]:
    """All weights by key; those that a killed run left without an entry are removed, once their trial is done."""
    stored = list_weights(ledger.store)
    names = list_entries(ledger.store).entries  # after the weights: another driver may publish both meanwhile
    files: dict[str, list[WeightsFile]] = {}
    for file in stored:
        if file.entry_name in names:
            files.setdefault(file.key, []).append(file)
        elif file.key in done:
            remove_weights(ledger.store, file)
    return files


def _make_permanent(ledger: Ledger, files: list[WeightsFile]) -> list[WeightsFile]:
    """Keep the weights of a former candidate whatever is selected later; the files that are not damaged."""
    if not all(file.candidate for file in files):
        return files
    intact = []
    for file in files:
        with contextlib.suppress(FileNotFoundError):  # another driver was faster
            try:
                put_entry(ledger.store, permanent_name(file), read_file(ledger.store, file))
            except DamagedEntryError:
                continue
            remove_weights(ledger.store, file)
        intact.append(file)
    return intact
