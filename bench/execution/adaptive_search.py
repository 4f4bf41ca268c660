"""Adaptive searches: which configurations come next, by the results of those before.

The first `startup` configurations of a search are random draws. All others are proposed in batches: those of a batch by
the results of all earlier batches, whatever order they ended in and whoever trained them. So any number of drivers,
and a run that goes on, propose the same; a search of more trials begins with those of a shorter one.

A proposal that was trained is in its record, and is read from there: it stays when results or libraries change. Others
come from Optuna's tree-structured Parzen estimator (Bergstra et al. 2011; Watanabe 2023, arXiv 2304.11127), with a seed
of the search and the batch.

What counts of a configuration is its first seed: the validation value of the metric that ranks. One that was pruned or
timed out counts as Optuna counts pruned trials: less than any complete one, and among these the one that came further,
then the one with the higher last validation accuracy. One that diverged or failed counts least.
"""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bench.errors import UserError
from bench.jsonutil import JsonObject, canonical
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record
from bench.metrics import METRICS
from bench.suite.search_space import SearchPoint, SearchRule, with_values
from bench.suite.trial import Trial, with_configuration

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

ROUNDING = 1e-5
"""Of values with six significant digits."""

MAX_LISTED = 10_000
"""A search looks at most at so many configurations for one that it has not proposed before."""

Proposals = Mapping[tuple[str, int], JsonObject]
"""Id of a search and number to the configuration that was proposed."""


def has_optuna() -> bool:
    return importlib.util.find_spec("optuna") is not None


def check_optuna(trials: Iterable[Trial]) -> None:
    """UserError where a search needs Optuna, and it is not installed."""
    if any(trial.search and trial.search.rule.is_adaptive for trial in trials) and not has_optuna():
        raise UserError(
            "search: algorithm tpe needs Optuna, which is not installed\n"
            "  pip install 'benchgrid[search]', or take `algorithm: random`"
        )


def recorded_proposals(records: Iterable[Record]) -> dict[tuple[str, int], JsonObject]:
    """What was proposed before, from a ledger's records; of two with one number the one that was started first."""
    proposals: dict[tuple[str, int], JsonObject] = {}
    searched = (record for record in records if record.search)
    for record in sorted(searched, key=lambda record: (record.run_info.started, record.key)):
        assert record.search is not None
        if record.search["rule"]["algorithm"] != "random":
            proposals.setdefault((record.search["id"], record.search["number"]), record.config)
    return proposals


def with_proposals(trials: Sequence[Trial], ledger: Ledger, ended: Mapping[str, Record], metric: str) -> list[Trial]:
    """A suite's trials with those that its searches have proposed, given the records of those that have ended."""
    if not any(trial.search and trial.search.rule.is_adaptive for trial in trials):
        return list(trials)
    recorded = recorded_proposals(ledger.records())
    searcher = Searcher(trials, lambda: recorded, metric)
    all_trials = list(trials)
    while new := searcher.propose(ended):
        all_trials += new
    return searcher.with_counts(all_trials)


def to_propose(trials: Sequence[Trial]) -> dict[str, tuple[list[Trial], range]]:
    """Of each adaptive search, by its id, the seeds of one configuration and the numbers that are not yet proposed."""
    members: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.search and trial.search.rule.is_adaptive:
            members.setdefault(trial.search.id, []).append(trial)
    return {identity: _to_propose(searched) for identity, searched in members.items()}


def _to_propose(searched: Sequence[Trial]) -> tuple[list[Trial], range]:
    points = {trial.group: trial.search for trial in searched if trial.search}
    point = next(iter(points.values()))
    first = max(point.rule.startup or 0, *(1 + point.number for point in points.values()))
    to_come = point.to_come
    if to_come is None:
        to_come = point.rule.n_new(len(points), point.trials - first)
    seeds = [trial for trial in searched if trial.group == searched[0].group]
    return seeds, range(point.trials - to_come, point.trials)


def standins(trials: Sequence[Trial]) -> list[Trial]:
    """Random draws in place of what is not yet proposed: what remains of a search costs about as much as these."""
    group = 1 + max((trial.group for trial in trials), default=-1)
    drawn: list[Trial] = []
    for seeds, numbers in to_propose(trials).values():
        point = seeds[0].search
        assert point is not None
        for number in numbers:
            config = with_values(seeds[0].config.to_json(), point.rule.parameters, point.rule.random_values(number))
            point = point.model_copy(update={"number": number})
            drawn += [with_configuration(trial, config, group, point) for trial in seeds]
            group += 1
    return drawn


class Searcher:
    """The adaptive searches among a run's trials; `recorded` reads what is proposed in records now, `metric` ranks."""

    def __init__(self, trials: Sequence[Trial], recorded: Callable[[], Proposals], metric: str):
        self._searches: dict[str, _OpenSearch] = {}
        self._n_groups = 1 + max((trial.group for trial in trials), default=-1)
        self._keys = {trial.key for trial in trials}
        by_group: dict[int, list[Trial]] = {}
        for trial in trials:
            if trial.search and trial.search.rule.is_adaptive:
                by_group.setdefault(trial.group, []).append(trial)
        known: dict[tuple[str, int], JsonObject] = {}
        for seeds in by_group.values():
            point = seeds[0].search
            assert point is not None
            known[point.id, point.number] = seeds[0].config.to_json()
            search = self._searches.setdefault(point.id, _OpenSearch(point, seeds, metric, known, recorded))
            search.trials[canonical(seeds[0].config.to_json())] = seeds[0].key

    @property
    def n_to_propose(self) -> int:
        """How many trials are not yet known."""
        return sum(search.to_come * len(search.seeds) for search in self._searches.values())

    def with_counts(self, trials: Sequence[Trial]) -> list[Trial]:
        """The trials, each with how many its search has still to propose."""
        return [
            replace(trial, search=trial.search.model_copy(update={"to_come": self._searches[trial.search.id].to_come}))
            if trial.search and trial.search.rule.is_adaptive
            else trial
            for trial in trials
        ]

    def propose(self, ended: Mapping[str, Record]) -> list[Trial]:
        """The trials that follow from the records of those that have ended, by key; those that are new.

        A configuration that the suite has elsewhere, too, is trained once.
        """
        new: list[Trial] = []
        for search in self._searches.values():
            n_before = len(new)
            while len(new) == n_before and (proposed := search.advance(ended)):
                for config, number in proposed:
                    point = search.point.model_copy(update={"number": number})
                    trials = [with_configuration(seed, config, self._n_groups, point) for seed in search.seeds]
                    search.trials[canonical(config)] = trials[0].key
                    trials = [trial for trial in trials if trial.key not in self._keys]
                    self._n_groups += bool(trials)
                    self._keys |= {trial.key for trial in trials}
                    new += trials
        return new


@dataclass
class _OpenSearch:
    """One search as far as it is known: `points` are its configurations by number, `trials` the keys of their first
    seeds by configuration."""

    point: SearchPoint
    seeds: list[Trial]
    metric: str
    known: dict[tuple[str, int], JsonObject]
    recorded: Callable[[], Proposals]
    points: list[JsonObject] = field(default_factory=list)
    trials: dict[str, str] = field(default_factory=dict)

    @property
    def to_come(self) -> int:
        """How many configurations are not yet proposed; what is trained anew may have been, beyond its points."""
        known = set(map(canonical, self.points)) | self.trials.keys()
        return self.point.rule.n_new(len(known), self.point.trials - max(len(self.points), len(self.trials)))

    def advance(self, ended: Mapping[str, Record]) -> list[tuple[JsonObject, int]]:
        """Go on for as long as all of a batch have ended; the configurations that have no trial yet, with numbers."""
        new: list[tuple[JsonObject, int]] = []
        while len(self.points) < self.point.trials and not new:
            keys = [self.trials[canonical(config)] for config in self.points]
            if any(key not in ended for key in keys):
                break
            batch = self._batch([ended[key] for key in keys])
            if not batch:
                break
            for config in batch:
                text = canonical(config)
                if text not in self.trials and all(canonical(other) != text for other, _ in new):
                    new.append((config, len(self.points)))
                self.points.append(config)
        return new

    def _batch(self, records: Sequence[Record]) -> list[JsonObject]:
        """The configurations after these, whose records are given."""
        rule, first = self.point.rule, len(self.points)
        assert rule.startup is not None and rule.batch is not None
        template = self.seeds[0].config.to_json()
        if first < rule.startup:
            return [
                with_values(template, rule.parameters, rule.random_values(number)) for number in range(rule.startup)
            ]
        numbers = range(first, min(first + rule.batch, self.point.trials))
        known = self._known_as(numbers)
        if not all(known):
            self.known |= {**self.recorded(), **self.known}
            known = self._known_as(numbers)
        if all(known) or not has_optuna():
            return list(itertools.takewhile(lambda config: config is not None, known))  # type: ignore[arg-type]
        results = [
            _told(rule, config, record, self.metric) for config, record in zip(self.points, records, strict=True)
        ]
        return self._new(known, (with_values(template, rule.parameters, values) for values in self._drawn(results)))

    def _new(self, known: Sequence[JsonObject | None], drawn: Iterator[JsonObject]) -> list[JsonObject]:
        """A batch of configurations that the search does not have: the known ones, in place of theirs what is drawn.

        It is shorter where nothing is left.
        """
        taken = set(map(canonical, self.points))
        recorded = {canonical(config) for config in known if config}
        batch: list[JsonObject] = []
        for config in known:
            kept_for_others = recorded - {canonical(config)} if config else recorded
            new = (other for other in drawn if canonical(other) not in taken | kept_for_others)
            # Where it is known, too: those after it are the same as for a driver that does not know it.
            proposed = next(new, None)
            if proposed is None and config is None:
                break
            taken |= {canonical(other) for other in (config, proposed) if other}
            batch.append(config or proposed or {})
        return batch

    def _drawn(self, results: Sequence[SearchResult]) -> Iterator[list[Any]]:
        """What the sampler asks for, then, where that has all been before, whatever else there is."""
        rule = self.point.rule
        seed = int.from_bytes(hashlib.sha256(f"{self.point.id}/{len(self.points)}".encode()).digest()[:4], "big")
        yield from itertools.islice(ask(rule, results, seed), 2 * (rule.batch or 1))
        if (rule.n_configurations or math.inf) <= MAX_LISTED:
            others = list(itertools.product(*(parameter.distinct_values for parameter in rule.parameters)))
            random.Random(seed).shuffle(others)
            yield from map(list, others)
        else:
            yield from map(rule.random_values, range(rule.startup or 0, MAX_LISTED))

    def _known_as(self, numbers: Iterable[int]) -> list[JsonObject | None]:
        """What was proposed before as these numbers, without repetitions."""
        taken = set(map(canonical, self.points))
        known: list[JsonObject | None] = []
        for number in numbers:
            config = self._known(number)
            known.append(None if config and canonical(config) in taken else config)
            taken |= {canonical(config)} if config else set()
        return known

    def _known(self, number: int) -> JsonObject | None:
        """What was proposed before as this number, if it is a configuration of this search."""
        config, rule = self.known.get((self.point.id, number)), self.point.rule
        if config is None:
            return None
        try:
            values = rule.values_in(config)
            proposed = with_values(self.seeds[0].config.to_json(), rule.parameters, values)
        except (KeyError, IndexError, TypeError):
            return None
        within = all(_is_within(p.kind, p.values, value) for p, value in zip(rule.parameters, values, strict=True))
        return config if within and canonical(proposed) == canonical(config) else None


def _is_within(kind: str, values: Sequence[Any], value: Any) -> bool:
    if kind == "choice":
        return canonical(value) in map(canonical, values)
    return isinstance(value, float) and math.isclose(_value(kind, values, value), value, rel_tol=ROUNDING)


@dataclass(frozen=True)
class SearchResult:
    """What a sampler is told of a configuration: the drawn values, and what they reached.

    `value` is that of a complete trial, the higher the better; without it `curve` has the validation accuracies until
    it ended.
    """

    values: list[Any]
    value: float | None
    curve: list[float]


def _told(rule: SearchRule, config: JsonObject, record: Record, metric: str) -> SearchResult:
    value = (record.result.validation or {}).get(metric)
    if record.status == "complete" and value is not None:
        return SearchResult(rule.values_in(config), METRICS[metric].better(value), [])
    curve = record.result.curves.get("val_accuracy", []) if record.status in ("complete", "pruned", "timed_out") else []
    return SearchResult(rule.values_in(config), None, [value for value in curve if value is not None])


def ask(rule: SearchRule, results: Sequence[SearchResult], seed: int) -> Iterator[list[Any]]:
    """The values of the next configurations, without end, in the order of the rule's parameters; a pure function.

    The configurations of a batch are taken one after the other, those before as without a result ("constant liar").
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    distributions = {parameter.name: _distribution(parameter.kind, parameter.values) for parameter in rule.parameters}
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=1)
    study = optuna.create_study(sampler=sampler, direction="maximize")
    for result in results:
        study.add_trial(_frozen_trial(rule, result, distributions))
    while True:
        parameters = study.ask(distributions).params
        yield [_value(p.kind, p.values, parameters[p.name]) for p in rule.parameters]


def _distribution(kind: str, values: Sequence[Any]) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if kind == "choice":  # by its index: a value may be a list
        return CategoricalDistribution(range(len(values)))
    return FloatDistribution(float(values[0]), float(values[1]), log=kind == "log_uniform")


def _value(kind: str, values: Sequence[Any], suggested: Any) -> Any:
    """A value as a configuration has it; six significant digits, as random draws have."""
    if kind == "choice":
        return values[suggested]
    return min(max(float(f"{suggested:.6g}"), float(values[0])), float(values[1]))


def _frozen_trial(rule: SearchRule, result: SearchResult, distributions: dict[str, BaseDistribution]) -> FrozenTrial:
    from optuna.trial import TrialState, create_trial

    parameters = {
        parameter.name: list(map(canonical, parameter.values)).index(canonical(value))
        if parameter.kind == "choice"
        else _value(parameter.kind, parameter.values, value)
        for parameter, value in zip(rule.parameters, result.values, strict=True)
    }
    if result.value is not None:
        return create_trial(params=parameters, distributions=distributions, value=result.value)
    return create_trial(
        params=parameters,
        distributions=distributions,
        state=TrialState.PRUNED,
        intermediate_values=dict(enumerate(result.curve, start=1)),
    )
