"""Which configurations may stand in one table? Records to configurations, configurations to sections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.jsonutil import canonical
from bench.ledger.external import is_external
from bench.ledger.record import Record, Status
from bench.suite.labels import axis_label, common_label, labels, legend
from bench.suite.schema import LATER
from bench.suite.trial import Trial

Config = dict[str, Any]

PROTOCOL = ("dataset", "validation", "refit", "weights", "early_stopping", "test_time")
"""What must be equal before two configurations are ranked; epochs too, unless they are an axis."""

ADDED_ALONE = "added rows, protocol unknown"

ENDED_EARLY: tuple[Status, ...] = ("diverged", "failed", "pruned")

PREFERENCE: tuple[Status, ...] = ("complete", "diverged", "pruned", "failed")


@dataclass(frozen=True)
class Configuration:
    """A point of the grid: its records, one per seed, and the seeds that were asked for.

    `identity` is the same for all of them: the key without the seed or, where no record has that, the config as text.
    """

    identity: str
    config: Config
    label: str
    records: tuple[Record, ...]
    planned: tuple[int, ...]

    @property
    def added(self) -> bool:
        """Whether it was put in from its predictions alone: its protocol is unknown, and it was not trained here."""
        return is_external(self.config)

    def having(self, status: Status) -> list[Record]:
        """The records of this status, by seed."""
        return [record for record in self.records if record.status == status]

    @property
    def complete(self) -> bool:
        """Whether every seed asked for ended well."""
        return bool(self.planned) and len(self.having("complete")) == len(self.planned)

    @property
    def missing(self) -> int:
        """How many seeds are still to be run: none once pruning has judged the first seed and let it go."""
        ended = any(r.pruning is not None and r.status in ("pruned", "diverged") for r in self.records)
        return 0 if ended else len(self.planned) - len(self.records)

    @property
    def absent(self) -> tuple[str, ...]:
        """The seeds asked for that are in no mean, with why: ``seed 2 diverged``, ``seeds 3, 4 not run``."""
        others = [seed for seed in self.planned if seed not in {record.seed for record in self.records}]
        found: dict[str, list[int]] = {
            **{str(status): [record.seed for record in self.having(status)] for status in ENDED_EARLY},
            "not run": others[: self.missing],
            "spared by pruning": others[self.missing :],
        }
        return tuple(f"{seeds_text(seeds)} {why}" for why, seeds in found.items() if seeds)


@dataclass(frozen=True)
class TrialGroup:
    """Configurations of one dataset and protocol.

    `common` names what all of them share beside it, `legend` what their labels leave out of an entry wherever its
    name stands.
    """

    title: str
    dataset: str
    protocol: str
    common: str
    legend: str
    configurations: tuple[Configuration, ...]


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
    """Group records into configurations and these into sections, by dataset, then by protocol.

    Records of one config are two configurations where the data or the user's own code had changed between them.
    `planned` lists the trials asked for; without it a configuration counts as asked for with the seeds that left a
    record. Of several records of one configuration and seed the best ended, then the first counts.

    Added rows, whose protocol nobody knows, stand in every section of their dataset, after the others.
    """
    groups: dict[str, list[Configuration]] = {}
    every = _configurations(records, planned)
    added = [replace(one, label=f"{one.config['model']['name']} (added)") for one in every if one.added]
    for configuration in (one for one in every if not one.added):
        groups.setdefault(_protocol_key(configuration.config), []).append(configuration)
    parts = [part for group in groups.values() for part in _by_epochs(group)]
    found = [_section(part) for part in parts]
    several = {s.dataset for s in found if sum(other.dataset == s.dataset for other in found) > 1}
    found = [replace(s, title=f"{s.dataset} · {s.protocol}") if s.dataset in several else s for s in found]
    # Budgets that are an axis are not in the protocol, and two sections may differ in nothing else.
    titles = Counter(s.title for s in found)
    found = [replace(s, title=f"{s.title}, {_budgets(s)}") if titles[s.title] > 1 else s for s in found]
    return sorted(_beside(added, found), key=lambda group: (group.dataset, group.protocol))


def _beside(added: Sequence[Configuration], found: Sequence[TrialGroup]) -> list[TrialGroup]:
    """The sections with the added rows of their datasets; one of their own for those of other datasets."""
    by_dataset: dict[str, list[Configuration]] = {}
    for one in sorted(added, key=lambda one: one.label):
        by_dataset.setdefault(axis_label(one.config["dataset"], "dataset"), []).append(one)
    out = [replace(s, configurations=(*s.configurations, *by_dataset.get(s.dataset, ()))) for s in found]
    known = {group.dataset for group in found}
    return out + [
        TrialGroup(dataset, dataset, ADDED_ALONE, "", "", tuple(rows))
        for dataset, rows in by_dataset.items()
        if dataset not in known
    ]


def _configurations(records: Sequence[Record], planned: Iterable[Trial]) -> list[Configuration]:
    identities: dict[str, str] = {}
    configs: dict[str, Config] = {}
    seeds: dict[str, set[int]] = {}
    best: dict[str, dict[int, Record]] = {}
    for trial in planned:
        name = identities[trial.key] = trial.config_key or canonical(trial.config)
        configs.setdefault(name, trial.config)
        seeds.setdefault(name, set()).add(trial.seed)
    for record in sorted(records, key=lambda record: PREFERENCE.index(record.status)):
        # Records of earlier versions do not name their configuration; a planned trial of the same key does.
        name = record.config_key or identities.get(record.key) or canonical(record.config)
        configs.setdefault(name, record.config)
        best.setdefault(name, {}).setdefault(record.seed, record)
    out = []
    for name, config in configs.items():
        mine = tuple(record for _, record in sorted(best.get(name, {}).items()))
        asked = seeds.get(name, set()) | {record.seed for record in mine}
        out.append(Configuration(name, config, "", mine, tuple(sorted(asked))))
    return out


def _by_epochs(group: list[Configuration]) -> list[list[Configuration]]:
    """Split by epochs, but keep epochs together that some configuration was run at both: those are an axis."""
    clusters: list[set[Any]] = []
    by_rest: dict[str, set[Any]] = {}
    for one in group:
        rest = {key: value for key, value in one.config.items() if key != "epochs"}
        by_rest.setdefault(canonical(rest), set()).add(one.config.get("epochs"))
    for linked in by_rest.values():
        touching = [cluster for cluster in clusters if cluster & linked]
        clusters = [cluster for cluster in clusters if not cluster & linked]
        clusters.append(linked.union(*touching))
    return [[one for one in group if one.config.get("epochs") in cluster] for cluster in clusters]


def _section(group: list[Configuration]) -> TrialGroup:
    configs = [one.config for one in group]
    named = _told_apart([replace(one, label=label) for one, label in zip(group, labels(configs), strict=True)])
    first = configs[0]
    dataset = axis_label(first["dataset"], "dataset")
    budgets = {config.get("epochs") for config in configs}
    named_above = PROTOCOL if len(budgets) > 1 else (*PROTOCOL, "epochs")
    shared = [{key: value for key, value in config.items() if key not in named_above} for config in configs]
    return TrialGroup(
        title=dataset,
        dataset=dataset,
        protocol=_protocol_text(configs),
        common=common_label(shared),
        legend=legend(configs),
        configurations=tuple(sorted(named, key=lambda one: one.label)),
    )


def _told_apart(named: list[Configuration]) -> list[Configuration]:
    """Put the beginning of its key behind a label that several share: those have one config, but other data or code."""
    shared = Counter(one.label for one in named)
    return [replace(one, label=f"{one.label} [{_mark(one, named)}]") if shared[one.label] > 1 else one for one in named]


def _mark(one: Configuration, named: list[Configuration]) -> str:
    """The shortest beginning of the key, four digits at least, that no namesake has; ``no key`` without a key."""
    if one.identity == canonical(one.config):
        return "no key"
    others = [other.identity for other in named if other.label == one.label and other is not one]
    size = next((n for n in range(4, len(one.identity)) if not any(o[:n] == one.identity[:n] for o in others)), None)
    return one.identity[:size]


def _budgets(group: TrialGroup) -> str:
    return f"{', '.join(sorted({str(one.config.get('epochs')) for one in group.configurations}, key=int))} epochs"


def _protocol_text(configs: list[Config]) -> str:
    first = configs[0]
    parts = [f"validation {axis_label(first.get('validation'))}"]
    epochs = sorted({config.get("epochs") for config in configs}, key=str)
    if len(epochs) == 1:
        parts.append("1 epoch" if epochs[0] == 1 else f"{epochs[0]} epochs")
    if first.get("early_stopping"):
        parts.append(f"early stopping {axis_label(first['early_stopping'])}")
    parts.append(f"weights of the {first.get('weights', 'last')} epoch")
    if first.get("refit"):
        parts.append("refitted on all training images")
    if first.get("test_time") == "flip":
        parts.append("test-time augmentation: each image and its mirror image")
    return ", ".join(parts)


def _protocol_key(config: Config) -> str:
    return canonical({key: config.get(key, LATER.get(key)) for key in PROTOCOL})
