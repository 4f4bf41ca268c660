"""Which trials may be compared? Records to configurations, configurations to groups of one data set and protocol."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bench.jsonutil import canonical
from bench.ledger.record import Record, Status, is_external
from bench.suite.comparable import Config as Config
from bench.suite.comparable import comparable
from bench.suite.labels import PROTOCOL, axis_label, common_label, labels, legend
from bench.suite.search_space import SearchedParameter, SearchPoint, SearchRule
from bench.suite.trial import Trial

IMPORTED_PROTOCOL = "imported rows, protocol unknown"

STATUSES: tuple[Status, ...] = ("complete", "diverged", "pruned", "timed_out", "failed")
"""In order of preference, where one configuration and seed has several records."""

NOT_RUN, SKIPPED = "not run", "skipped by pruning"
"""What became of planned seeds that have no record."""


@dataclass(frozen=True)
class Configuration:
    """A point of the grid: its records, one per seed, and the seeds that were planned.

    `identity` is equal for all of them: the key without the seed or, where no record has that, the config as text.
    """

    identity: str
    config: Config
    label: str
    records: tuple[Record, ...]
    planned: tuple[int, ...]
    search: SearchPoint | None = None
    """Where it stands in a search; None where it was listed."""

    @property
    def adaptive(self) -> bool:
        """Whether it was chosen by the results of others, so that nothing is estimated from its being there.

        The first configurations of an adaptive search are random draws.
        """
        point = self.search
        return point is not None and point.rule.is_adaptive and point.number >= (point.rule.startup or 0)

    @property
    def drawn_axes(self) -> frozenset[str]:
        """The axes of which a search drew its values."""
        return frozenset(parameter.axis for parameter in self.search.rule.parameters) if self.search else frozenset()

    @property
    def imported(self) -> bool:
        """Whether it was imported from its predictions alone: its protocol is unknown."""
        return is_external(self.config)

    def with_status(self, status: Status) -> list[Record]:
        """The records of this status, by seed."""
        return [record for record in self.records if record.status == status]

    @property
    def complete(self) -> bool:
        """Whether every planned seed is complete."""
        return bool(self.planned) and len(self.with_status("complete")) == len(self.planned)

    @property
    def missing(self) -> int:
        """How many seeds are still to be run: none once pruning or divergence has ended the first seed."""
        ended = any(r.pruning is not None and r.status in ("pruned", "timed_out", "diverged") for r in self.records)
        return 0 if ended else len(self.planned) - len(self.records)

    @property
    def skipped(self) -> int:
        """How many planned seeds were never started because pruning had ended the configuration."""
        return len(self.planned) - len(self.records) - self.missing

    @property
    def excluded(self) -> tuple[str, ...]:
        """The planned seeds that are in no mean, with why: ``seed 2 diverged``, ``seeds 3, 4 not run``."""
        without_record = [seed for seed in self.planned if seed not in {record.seed for record in self.records}]
        by_reason: dict[str, list[int]] = {
            **{status_text(status): [record.seed for record in self.with_status(status)] for status in STATUSES[1:]},
            NOT_RUN: without_record[: self.missing],
            SKIPPED: without_record[self.missing :],
        }
        return tuple(f"{seeds_text(seeds)} {reason}" for reason, seeds in by_reason.items() if seeds)


@dataclass(frozen=True)
class TrialGroup:
    """Configurations of one data set under one protocol.

    `common` names what all of them share besides, `legend` the settings that their labels leave out of a component
    wherever its name stands.
    """

    title: str
    dataset: str
    protocol: str
    common: str
    legend: str
    configurations: tuple[Configuration, ...]


def status_text(status: str) -> str:
    """A status as people read it: ``timed out``."""
    return status.replace("_", " ")


def seeds_text(seeds: Sequence[int]) -> str:
    """``seed 2``, ``seeds 3, 4``, ``seeds 0-2, 5``."""
    runs: list[list[int]] = []
    for seed in sorted(seeds):
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    parts = (f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)
    return f"seed{'s' * (len(seeds) != 1)} {', '.join(parts)}"


def group_trials(records: Sequence[Record], planned: Iterable[Trial] = ()) -> list[TrialGroup]:
    """Group records into configurations, and these by data set and protocol.

    Records of one config are two configurations where the data or the user's own code had changed between them.
    `planned` lists the suite's trials; without it a configuration counts as planned with the seeds that left a record.
    Of several records of one configuration and seed the first in the order of `STATUSES` counts.

    A suite's configurations are one group per data set and protocol whatever their budgets; without `planned` those
    with other epochs stand apart, unless some configuration was run at several.

    Imported configurations, whose protocol is unknown, are in every group of their data set, after the others.
    """
    planned = list(planned)
    configurations = _configurations(records, planned)
    imported = [
        replace(member, label=f"{member.config['model']['name']} (imported)")
        for member in configurations
        if member.imported
    ]
    trained = [configuration for configuration in configurations if not configuration.imported]
    configs = [member.config for member in trained]
    groups = [_group([trained[index] for index in indices]) for indices in comparable(configs, of_suite=bool(planned))]
    datasets = Counter(group.dataset for group in groups)
    groups = [replace(g, title=f"{g.dataset} · {g.protocol}") if datasets[g.dataset] > 1 else g for g in groups]
    # Budgets that are an axis are not in the protocol, and two groups may differ in nothing else.
    titles = Counter(group.title for group in groups)
    groups = [replace(g, title=f"{g.title}, {_budgets(g)}") if titles[g.title] > 1 else g for g in groups]
    return sorted(_with_imported(imported, groups), key=lambda group: (group.dataset, group.protocol))


def _with_imported(imported: Sequence[Configuration], groups: Sequence[TrialGroup]) -> list[TrialGroup]:
    """The groups with the imported configurations of their data sets; another group for each other data set."""
    by_dataset: dict[str, list[Configuration]] = {}
    for configuration in sorted(imported, key=lambda member: member.label):
        by_dataset.setdefault(axis_label(configuration.config["dataset"], "dataset"), []).append(configuration)
    extended = [replace(g, configurations=(*g.configurations, *by_dataset.get(g.dataset, ()))) for g in groups]
    known = {group.dataset for group in groups}
    return extended + [
        TrialGroup(dataset, dataset, IMPORTED_PROTOCOL, "", "", tuple(rows))
        for dataset, rows in by_dataset.items()
        if dataset not in known
    ]


def _configurations(records: Sequence[Record], planned: Iterable[Trial]) -> list[Configuration]:
    identities: dict[str, str] = {}
    configs: dict[str, Config] = {}
    seeds: dict[str, set[int]] = {}
    best: dict[str, dict[int, Record]] = {}
    points: dict[str, SearchPoint] = {}
    for trial in planned:
        identity = identities[trial.key] = trial.config_key or canonical(trial.config.to_json())
        configs.setdefault(identity, trial.config.to_json())
        seeds.setdefault(identity, set()).add(trial.seed)
        if trial.search:
            points[identity] = trial.search
    for record in sorted(records, key=lambda record: STATUSES.index(record.status)):
        # An imported record names no configuration; a planned trial of the same key does.
        identity = record.config_key or identities.get(record.key) or canonical(record.config)
        configs.setdefault(identity, record.config)
        best.setdefault(identity, {}).setdefault(record.seed, record)
        if record.search and identity not in points and identity not in seeds:
            points[identity] = SearchPoint.model_validate({**record.search, "trials": 0})
    configurations = []
    for identity, config in configs.items():
        by_seed = tuple(record for _, record in sorted(best.get(identity, {}).items()))
        all_seeds = seeds.get(identity, set()) | {record.seed for record in by_seed}
        point = points.get(identity)
        if point and not _describes(point.rule, config):
            point = None
        configurations.append(Configuration(identity, config, "", by_seed, tuple(sorted(all_seeds)), point))
    return configurations


def _describes(rule: SearchRule, config: Config) -> bool:
    """Whether a search of this rule can have such a configuration; a record's note may be of another one."""
    try:
        values = rule.values_in(config)
    except (LookupError, TypeError, AttributeError):
        return False
    return all(_is_possible(parameter, value) for parameter, value in zip(rule.parameters, values, strict=True))


def _is_possible(parameter: SearchedParameter, value: object) -> bool:
    """Whether a value is one of a choice, or a number on the scale of a distribution."""
    if parameter.kind == "choice":
        return canonical(value) in map(canonical, parameter.values)
    numbers = [number for number in (*parameter.values, value) if isinstance(number, int | float)]
    if len(numbers) != 3 or not all(map(math.isfinite, numbers)):
        return False
    return numbers[0] < numbers[1] and (parameter.kind != "log_uniform" or min(numbers) > 0)


def families(configurations: Sequence[Configuration], axis: str) -> dict[str, list[Configuration]]:
    """Configurations that differ in this axis alone, by a label without it; those that differ from all others too."""
    by_others: dict[str, list[Configuration]] = {}
    for configuration in configurations:
        others = {key: value for key, value in configuration.config.items() if key != axis}
        by_others.setdefault(canonical(others), []).append(configuration)
    configs = [{k: v for k, v in members[0].config.items() if k != axis} for members in by_others.values()]
    return dict(zip(labels(configs), by_others.values(), strict=True))


def _group(members: list[Configuration]) -> TrialGroup:
    configs = [member.config for member in members]
    labelled = _unique_labels(
        [replace(member, label=label) for member, label in zip(members, labels(configs), strict=True)]
    )
    dataset = axis_label(configs[0]["dataset"], "dataset")
    budgets = {config.get("epochs") for config in configs}
    in_protocol = PROTOCOL if len(budgets) > 1 else (*PROTOCOL, "epochs")
    others = [{key: value for key, value in config.items() if key not in in_protocol} for config in configs]
    return TrialGroup(
        title=dataset,
        dataset=dataset,
        protocol=_protocol_text(configs),
        common=common_label(others),
        legend=legend(configs),
        configurations=tuple(sorted(labelled, key=lambda member: member.label)),
    )


def _unique_labels(configurations: list[Configuration]) -> list[Configuration]:
    """Append the beginning of its key to a label that several share: they have one config, but other data or code."""
    counts = Counter(member.label for member in configurations)
    return [
        replace(member, label=f"{member.label} [{_key_prefix(member, configurations)}]")
        if counts[member.label] > 1
        else member
        for member in configurations
    ]


def _key_prefix(configuration: Configuration, configurations: list[Configuration]) -> str:
    """The shortest beginning of the key, four digits at least, that is unique for its label; ``no key`` without one."""
    key = configuration.identity
    if key == canonical(configuration.config):
        return "no key"
    others = [o.identity for o in configurations if o.label == configuration.label and o is not configuration]
    size = next((n for n in range(4, len(key)) if not any(other[:n] == key[:n] for other in others)), None)
    return key[:size]


def _budgets(group: TrialGroup) -> str:
    return f"{', '.join(sorted({str(member.config.get('epochs')) for member in group.configurations}, key=int))} epochs"


def _protocol_text(configs: list[Config]) -> str:
    first = configs[0]
    parts = [f"validation {axis_label(first.get('validation'))}"]
    epochs = sorted({config["epochs"] for config in configs if config.get("epochs") is not None})
    if len(epochs) == 1:
        parts.append("1 epoch" if epochs[0] == 1 else f"{epochs[0]} epochs")
    elif epochs:
        parts.append(f"{', '.join(map(str, epochs[:-1]))} or {epochs[-1]} epochs")
    if first.get("early_stopping"):
        parts.append(f"early stopping {axis_label(first['early_stopping'])}")
    parts.append(f"weights of the {first.get('weights', 'last')} epoch")
    if first.get("refit"):
        parts.append("refitted on all training images")
    if first.get("test_time") == "flip":
        parts.append("test-time augmentation: each image and its mirror image")
    return ", ".join(parts)
