"""The configurations to compare of two ledgers: all that they share, or the best of each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import TypeVar

from bench.errors import UserError
from bench.jsonutil import canonical
from bench.ledger.record import Record
from bench.metrics import METRICS, Predictions
from bench.report.compare.non_inferiority import ComparedConfiguration, ConfigurationPair
from bench.report.estimates import validation_mean
from bench.report.grouping import Config, Configuration, TrialGroup, group_trials, seeds_text, status_text
from bench.suite.labels import labels

Item = TypeVar("Item")
KeyOf = Callable[[Item], str]
LabelledPair = tuple[str, Configuration | None, Configuration | None]


@dataclass(frozen=True)
class LedgerSource:
    """A ledger: its name in messages, the records to compare, and where their predictions are."""

    name: str
    records: Sequence[Record]
    predictions: Callable[[str], Predictions]


@dataclass(frozen=True)
class MatchedRecords:
    """`pairs` have complete trials in both ledgers; `others` have further seeds to estimate the seed noise from.

    `ended_early` are complete in BASE, and in NEW every trial of them ended early; `missing` is what
    else BASE has and NEW lacks, seeds included. These two map labels to the reason; `only_base` and `only_new` are
    labels.
    """

    pairs: list[ConfigurationPair] = field(default_factory=list)
    others: list[ComparedConfiguration] = field(default_factory=list)
    ended_early: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    only_base: list[str] = field(default_factory=list)
    only_new: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def match_configurations(base: LedgerSource, new: LedgerSource) -> MatchedRecords:
    """Every configuration that both ledgers have.

    They are not matched by key, which changes with the user's model: that may be what is compared. Where a ledger has
    a configuration with several versions of data or code, the one run last counts.
    """
    matched = MatchedRecords()
    base_latest, new_latest = (
        _latest_versions(_distinct(group_trials(source.records)), source.name, matched.notes) for source in (base, new)
    )
    for label, in_base, in_new in _label_pairs(base_latest, new_latest):
        if in_base is not None and in_base.with_status("complete"):
            if in_new is None:
                matched.only_base.append(label)
                matched.missing[label] = "NEW has no trial of it"
            elif in_new.with_status("complete"):
                in_base, in_new = replace(in_base, label=label), replace(in_new, label=label)
                pair = (
                    ComparedConfiguration(in_base, base.predictions),
                    ComparedConfiguration(in_new, new.predictions),
                )
                matched.pairs.append(ConfigurationPair(label, *pair))
                _note_fewer_seeds(matched, label, in_base, in_new)
                if in_new.excluded:
                    matched.missing[label] = missing_seeds(in_new)
            else:
                matched.ended_early[label] = end_counts(in_new)
        elif in_new is not None and in_new.with_status("complete"):
            matched.only_new.append(label)
    if not matched.pairs and not matched.ended_early:
        raise UserError(
            f"{base.name} and {new.name} share no configuration with complete trials ({len(matched.only_base)} are "
            f"only in BASE, {len(matched.only_new)} only in NEW)\n  run the same suite in both, or leave out "
            "--matched: then the best of BASE is compared with the best of NEW"
        )
    return matched


def match_best(base: LedgerSource, new: LedgerSource, metric: str = "accuracy") -> MatchedRecords:
    """The configuration of each ledger with the best `metric` on validation, per data set and protocol.

    Protocols may differ where each ledger has one unmatched group on a data set: these are compared, with a note.
    Imported predictions, which have no validation, are compared only where a ledger has nothing else.

    Raises
    ------
    UserError
        The ledgers share no data set, or one of several configurations lacks `metric` on validation.
    """
    matched = MatchedRecords()
    base_groups, new_groups = (_trained(group_trials(source.records)) for source in (base, new))
    base_groups = [group for group in base_groups if any(c.with_status("complete") for c in group.configurations)]
    pairs, only_base, only_new = _match_items(base_groups, new_groups, _GROUP_KEYS)
    if not pairs:
        raise UserError(
            f"{base.name} and {new.name} share no data set, or no protocol on it:\n"
            f"  BASE has complete trials of {_list_groups(base_groups)}\n"
            f"  NEW has trials of {_list_groups(new_groups)}\n"
            "  run the same suite in both, or a changed one"
        )
    for in_base, in_new in pairs:
        _best_of_group(matched, base, new, in_base, in_new, metric)
    reason = "NEW has no trial on this data set under this protocol"
    matched.missing.update((group.title, reason) for group in only_base)
    matched.only_base.extend(group.title for group in only_base)
    matched.only_new.extend(group.title for group in only_new)
    return matched


def end_counts(configuration: Configuration) -> str:
    """How the trials of a configuration ended: ``2 diverged, 1 failed``."""
    counts = Counter(record.status for record in configuration.records)
    return ", ".join(f"{count} {status_text(status)}" for status, count in counts.items())


def missing_seeds(configuration: Configuration) -> str:
    """The seeds that NEW lacks of a configuration."""
    return f"NEW lacks {', '.join(configuration.excluded)}"


def _best_of_group(
    matched: MatchedRecords, base: LedgerSource, new: LedgerSource, in_base: TrialGroup, in_new: TrialGroup, metric: str
) -> None:
    title = in_base.title
    base_latest = _latest_versions(in_base.configurations, base.name, matched.notes)
    new_latest = _latest_versions(in_new.configurations, new.name, matched.notes)
    labelled = _label_pairs(base_latest, new_latest)
    label_of = {c.identity: label for label, *pair in labelled for c in pair if c is not None}
    if not any(c.with_status("complete") for c in new_latest):
        matched.ended_early[title] = "; ".join(f"{label_of[c.identity]}: {end_counts(c)}" for c in new_latest)
        return
    _note_missing(matched, f"{title}: ", labelled)
    sides, candidates = [], []
    for role, source, configurations in (("BASE", base, base_latest), ("NEW", new, new_latest)):
        selected, count = _select_on_validation(configurations, metric, f"{role} {source.name}: {title}")
        sides.append(ComparedConfiguration(replace(selected, label=label_of[selected.identity]), source.predictions))
        candidates.append(count)
        matched.notes.extend(
            f"{role}: {label_of[c.identity]} could not be selected, it lacks {', '.join(c.excluded)}"
            for c in configurations
            if selected.complete and c.with_status("complete") and not c.complete
        )
    base_side, new_side = sides
    matched.pairs.append(ConfigurationPair(title, base_side, new_side, candidates=(candidates[0], candidates[1])))
    _note_fewer_seeds(matched, title, base_side.configuration, new_side.configuration)
    if new_side.configuration.excluded:
        matched.missing[f"{title}: {new_side.label}"] = missing_seeds(new_side.configuration)
    if in_base.protocol != in_new.protocol:
        matched.notes.append(f"{title}: BASE has the protocol {in_base.protocol}; NEW has {in_new.protocol}")
    included = {_complete_keys(side.configuration) for side in sides}
    for source, configurations in ((base, base_latest), (new, new_latest)):
        for configuration in configurations:
            keys = _complete_keys(configuration)
            if len(keys) > 1 and keys not in included:
                included.add(keys)
                matched.others.append(ComparedConfiguration(configuration, source.predictions))


def _note_missing(matched: MatchedRecords, prefix: str, labelled: Sequence[LabelledPair]) -> None:
    """Note what BASE has of a group and NEW lacks; another configuration may have replaced a missing one."""
    removed, introduced = [], []
    for label, in_base, in_new in labelled:
        if in_base is None:
            introduced += [label] if in_new is not None and (in_new.complete or _was_pruned(in_new)) else []
        elif not in_base.with_status("complete"):
            continue
        elif in_new is None:
            removed.append(label)
        elif _was_pruned(in_new):
            matched.notes.append(f"{prefix}{label} was pruned in NEW, where others were better on validation")
        elif not in_new.with_status("complete"):
            matched.missing[prefix + label] = f"every trial of it in NEW ended early ({end_counts(in_new)})"
        elif in_new.excluded:
            matched.missing[prefix + label] = missing_seeds(in_new)
    matched.only_base.extend(prefix + label for label in removed)
    matched.only_new.extend(prefix + label for label in introduced)
    if (fewer := len(removed) - len(introduced)) > 0:
        reason = "NEW has no trial of it"
        if introduced:
            reason = f"NEW has {fewer} configuration{'s' * (fewer != 1)} fewer"
        matched.missing.update((prefix + label, reason) for label in removed)


def _note_fewer_seeds(matched: MatchedRecords, label: str, base: Configuration, new: Configuration) -> None:
    """Seeds that were not run in NEW are no failure: the comparison holds for those that were."""
    if not_run := sorted(set(base.planned) - set(new.planned)):
        matched.notes.append(f"{label}: {seeds_text(not_run)} of BASE were not run in NEW")


def _was_pruned(configuration: Configuration) -> bool:
    """Whether all its trials were pruned: then nothing is missing, it was not the best on validation."""
    return {record.status for record in configuration.records} == {"pruned"}


def _select_on_validation(
    configurations: Sequence[Configuration], metric: str, where: str
) -> tuple[Configuration, int]:
    """The best configuration on validation, and of how many; of those with all their seeds, if there are any."""
    started = [c for c in configurations if c.with_status("complete")]
    candidates = [c for c in started if c.complete] or started
    values = {c.identity: METRICS[metric].better(validation_mean(c, metric)) for c in candidates}
    if len(candidates) > 1 and any(math.isnan(value) for value in values.values()):
        raise UserError(
            f"{where}: none of {len(candidates)} configurations was selected, since not all of them have {metric} on "
            "validation\n  name two configurations of one ledger (--results), or compare what both ledgers have, "
            "with --matched"
        )
    return max(candidates, key=lambda c: values[c.identity]), len(candidates)


def _trained(groups: Sequence[TrialGroup]) -> list[TrialGroup]:
    """The groups with a record, without imported predictions wherever something was trained."""
    trained = [replace(g, configurations=tuple(c for c in g.configurations if not c.imported)) for g in groups]
    selected = [t if t.configurations else g for t, g in zip(trained, groups, strict=True)]
    return [group for group in selected if any(c.records for c in group.configurations)]


def _distinct(groups: Sequence[TrialGroup]) -> list[Configuration]:
    """Each configuration once: imported predictions are in several groups."""
    return list({c.identity: c for group in groups for c in group.configurations}.values())


def _latest_versions(configurations: Iterable[Configuration], name: str, notes: list[str]) -> list[Configuration]:
    """Each configuration once: with several versions of its data or code the one run last, and a note."""
    versions: dict[str, list[Configuration]] = {}
    for configuration in configurations:
        versions.setdefault(canonical(configuration.config), []).append(configuration)
    latest = []
    for group in versions.values():
        latest.append(sorted(group, key=_last_finished)[-1])
        if len(group) > 1:
            label = latest[-1].label
            notes.append(f"{name} has a configuration with {len(group)} versions of data or code; {label} ran last")
    return latest


def _label_pairs(base: Sequence[Configuration], new: Sequence[Configuration]) -> list[LabelledPair]:
    """The configurations of both sides, matched, with labels that are unique among them, in the order of labels."""
    pairs, only_base, only_new = _match_items(base, new, _CONFIGURATION_KEYS)
    matched: list[tuple[Configuration | None, Configuration | None]] = [
        *pairs,
        *((configuration, None) for configuration in only_base),
        *((None, configuration) for configuration in only_new),
    ]
    configs = [c.config for in_base, in_new in matched if (c := in_base or in_new)]
    texts = labels(configs) if configs else []
    return sorted(((text, *pair) for text, pair in zip(texts, matched, strict=True)), key=lambda pair: pair[0])


def _match_items(
    base: Sequence[Item], new: Sequence[Item], keys: Sequence[KeyOf[Item]]
) -> tuple[list[tuple[Item, Item]], list[Item], list[Item]]:
    """Match items by the first key that is unique on each side; then the unmatched ones of each side."""
    pairs: list[tuple[Item, Item]] = []
    for key in keys:
        base_groups, new_groups = _group_by(base, key), _group_by(new, key)
        unique = [text for text, group in base_groups.items() if len(group) == len(new_groups.get(text, ())) == 1]
        pairs += [(base_groups[text][0], new_groups[text][0]) for text in unique]
        base, new = (
            [item for text, group in groups.items() if text not in unique for item in group]
            for groups in (base_groups, new_groups)
        )
    return pairs, list(base), list(new)


def _group_by(items: Sequence[Item], key: KeyOf[Item]) -> dict[str, list[Item]]:
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _dataset(config: Config, path: Callable[[str], str]) -> Config:
    """A config's data set; `path` shortens the path of user data, which may lie elsewhere on another machine."""
    dataset = config["dataset"]
    return {**dataset, "path": path(dataset["path"])} if "path" in dataset else dataset


def _configuration_key(path: Callable[[str], str]) -> KeyOf[Configuration]:
    return lambda configuration: canonical({**configuration.config, "dataset": _dataset(configuration.config, path)})


def _group_key(path: Callable[[str], str], protocol: bool) -> KeyOf[TrialGroup]:
    return lambda group: canonical([_dataset(group.configurations[0].config, path), group.protocol if protocol else ""])


_PATHS: tuple[Callable[[str], str], ...] = (str, lambda path: PurePath(path).name, lambda _: "")
_CONFIGURATION_KEYS = tuple(_configuration_key(path) for path in _PATHS)
_GROUP_KEYS = tuple(_group_key(path, protocol) for protocol in (True, False) for path in _PATHS)


def _complete_keys(configuration: Configuration) -> tuple[str, ...]:
    return tuple(record.key for record in configuration.with_status("complete"))


def _last_finished(configuration: Configuration) -> tuple[bool, str]:
    complete = configuration.with_status("complete")
    times = (record.run_info.finished for record in complete or configuration.records)
    return bool(complete), max(times, default="")


def _list_groups(groups: Sequence[TrialGroup]) -> str:
    return "; ".join(f"{group.dataset} ({group.protocol})" for group in groups) or "none"
