"""What searches found: the configurations of each, the values drawn, and how much each parameter matters.

Nothing is estimated from an adaptive search's having chosen a configuration; importances are averages over the search
space, not over what was chosen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.jsonutil import JsonObject, canonical
from bench.ledger.record import Record
from bench.metrics import METRICS
from bench.report.comparison import Comparison
from bench.report.estimates import seed_values, validation_mean
from bench.report.grouping import Configuration
from bench.report.sections.budget import trained
from bench.statistics.parameter_importance import Importances, parameter_importances
from bench.suite.search_space import SearchedParameter, SearchRule

MAX_PARAMETERS = 8
"""Parameters of a search that charts show; all are in the frame."""

MIN_EXPLAINED = 0.1
"""Of the variance of left-out configurations, below which nothing is attributed to parameters."""

RANDOM, PROPOSED, STOPPED = "random", "proposed", "stopped early"
"""The kinds of configurations."""


@dataclass(frozen=True, eq=False)
class SearchResults:
    """One search: `frame` has a row per configuration that was validated, in the order of their numbers.

    Its columns are label, number, kind, complete (whether all its seeds are), value (the validation metric), test, and
    by its position each parameter.
    """

    rule: SearchRule
    configurations: tuple[Configuration, ...]
    frame: pd.DataFrame
    importances: Importances | None

    @property
    def n_trained(self) -> int:
        return sum(bool(configuration.records) for configuration in self.configurations)

    @property
    def n_stopped(self) -> int:
        """How many have a seed that pruning or a time limit ended."""
        return sum(bool(_stopped(configuration)) for configuration in self.configurations)

    @property
    def n_requested(self) -> int:
        """How many the suite asks for; 0 where only records tell of the search."""
        return max(configuration.search.trials for configuration in self.configurations if configuration.search)

    def best(self, metric: str) -> JsonObject | None:
        """The row of the best complete configuration on validation."""
        complete = self.frame[self.frame["complete"]]
        if complete.empty:
            return None
        scores = [METRICS[metric].better(value) for value in complete["value"]]
        return {str(name): value for name, value in complete.iloc[int(np.argmax(scores))].items()}

    @property
    def names(self) -> list[str]:
        """Short names of the parameters: without the axis, where that is enough."""
        keys = [p.axis if p.axis == p.label else p.key for p in self.rule.parameters]
        return [key if keys.count(key) == 1 else p.label for key, p in zip(keys, self.rule.parameters, strict=True)]

    @property
    def parameters(self) -> list[SearchedParameter]:
        return self.rule.parameters[:MAX_PARAMETERS]


def results_of_searches(comparison: Comparison) -> list[SearchResults]:
    """The searches of a comparison, by the order of their configurations."""
    members: dict[tuple[str, str], list[Configuration]] = {}
    for configuration in trained(comparison):
        if configuration.search:
            point = configuration.search
            members.setdefault((point.id, point.rule.model_dump_json()), []).append(configuration)
    metric = comparison.metrics[0]
    return [
        _results(sorted(searched, key=lambda member: member.search.number if member.search else 0), metric)
        for searched in members.values()
    ]


def _results(configurations: Sequence[Configuration], metric: str) -> SearchResults:
    point = configurations[0].search
    assert point is not None
    rule = point.rule
    rows = []
    for configuration in configurations:
        value, stopped = validation_mean(configuration, metric), False
        if math.isnan(value) and metric == "accuracy":
            value, stopped = _last_accuracy(configuration), True
        if math.isnan(value) or configuration.search is None:
            continue
        values = rule.values_in(configuration.config)
        rows.append(
            {
                "label": configuration.label,
                "number": configuration.search.number,
                "kind": STOPPED if stopped else PROPOSED if configuration.adaptive else RANDOM,
                "complete": configuration.complete,
                "value": value,
                "test": float(np.mean(tests)) if (tests := seed_values(configuration, metric)) else math.nan,
                **{
                    str(position): _scaled(p, v)
                    for position, (p, v) in enumerate(zip(rule.parameters, values, strict=True))
                },
            }
        )
    columns = ["label", "number", "kind", "complete", "value", "test", *map(str, range(len(rule.parameters)))]
    frame = pd.DataFrame(rows, columns=columns).astype({"complete": bool})
    complete = frame[frame["complete"]]
    positions = [str(position) for position in range(len(rule.parameters))]
    importances = parameter_importances(
        np.array(
            [
                [unit_position(p, v) for p, v in zip(rule.parameters, row, strict=True)]
                for row in complete[positions].to_numpy()
            ]
        ),
        [len(p.values) if p.kind == "choice" else 0 for p in rule.parameters],
        complete["value"].to_numpy(float),
    )
    return SearchResults(rule, tuple(configurations), frame, importances)


def _last_accuracy(configuration: Configuration) -> float:
    """The last validation accuracy of a first seed that was stopped early; nan of others."""
    stopped = _stopped(configuration)
    curve = stopped[0].result.curves.get("val_accuracy", []) if stopped else []
    values = [value for value in curve if value is not None]
    return values[-1] if values else math.nan


def _stopped(configuration: Configuration) -> list[Record]:
    """Its seeds that pruning or a time limit ended."""
    return [record for record in configuration.records if record.status in ("pruned", "timed_out")]


def _scaled(parameter: SearchedParameter, value: Any) -> float:
    """A number as it is; of a choice its index."""
    if parameter.kind != "choice":
        return float(value)
    return float(list(map(canonical, parameter.values)).index(canonical(value)))


def unit_position(parameter: SearchedParameter, value: float) -> float:
    """Where in its distribution a value lies, from 0 to 1; of a choice its index."""
    if parameter.kind == "choice":
        return value
    low, high = map(float, parameter.values)
    if parameter.kind == "log_uniform":
        low, high, value = math.log(low), math.log(high), math.log(value)
    return (value - low) / (high - low)
