"""What do two ledgers have in common? Their configurations matched by what was asked for, or the best of each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any, TypeVar

from bench.errors import UserError
from bench.jsonutil import canonical
from bench.ledger.record import Predictions, Record
from bench.metrics import METRICS
from bench.report.compare.non_inferiority import ComparedConfiguration, ConfigurationPair
from bench.report.estimates import validation_mean
from bench.report.grouping import Configuration, TrialGroup, group_trials, seeds_text
from bench.suite.labels import labels

Item = TypeVar("Item")
Text = Callable[[Item], str]


@dataclass(frozen=True)
class LedgerSource:
    """One side's ledger: what it is called, the records in question, and where their predictions are."""

    name: str
    records: Sequence[Record]
    predictions: Callable[[str], Predictions]


@dataclass(frozen=True)
class MatchedRecords:
    """`pairs` have complete trials in both ledgers; `others` are configurations whose seeds help to tell the noise.

    `lost` were completed in BASE, and in NEW every trial of them failed, diverged or was pruned; `missing` is what BASE
    has and NEW lacks otherwise, and seeds that NEW lacks. Both are by label, with what became of it; `only_base` and
    `only_new` are labels.
    """

    pairs: list[ConfigurationPair] = field(default_factory=list)
    others: list[ComparedConfiguration] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    only_base: list[str] = field(default_factory=list)
    only_new: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def match_configurations(base: LedgerSource, new: LedgerSource) -> MatchedRecords:
    """Every configuration that both ledgers have.

    The key is no match: it changes with the user's own model, which is what a comparison may be about. Where one ledger
    has a configuration with several states of data or code, the one run last counts.
    """
    found = MatchedRecords()
    ours, theirs = (
        _latest_states(_configurations(group_trials(one.records)), one.name, found.notes) for one in (base, new)
    )
    for label, first, second in _match_labels(ours, theirs):
        has_base, has_new = (one is not None and bool(one.with_status("complete")) for one in (first, second))
        if has_base and has_new:
            assert first is not None and second is not None
            first, second = (replace(one, label=label) for one in (first, second))
            found.pairs.append(
                ConfigurationPair(
                    label,
                    ComparedConfiguration(first, base.predictions),
                    ComparedConfiguration(second, new.predictions),
                )
            )
            _note_fewer(found, label, first, second)
            if second.excluded:
                found.missing[label] = missing_seeds(second)
        elif has_base and second is not None:
            found.lost[label] = end_counts(second)
        elif has_base:
            found.only_base.append(label)
            found.missing[label] = "NEW has no trial of it"
        elif has_new:
            found.only_new.append(label)
    if not found.pairs and not found.lost:
        raise UserError(
            f"{base.name} and {new.name} share no configuration with complete trials ({len(found.only_base)} are only "
            f"in BASE, {len(found.only_new)} only in NEW)\n  run the same suite in both, or leave out --matched: then "
            "the best of BASE is compared with the best of NEW"
        )
    return found


def match_best(base: LedgerSource, new: LedgerSource, metric: str = "accuracy") -> MatchedRecords:
    """The best configuration of each ledger as validation chose it, for each data set and protocol.

    Protocols may differ where each ledger has only one more on a data set: those are compared too, and a note says so.
    Added rows, which have no validation, are compared only where a ledger has nothing else.

    Parameters
    ----------
    metric
        What validation chooses by.

    Raises
    ------
    UserError
        The ledgers share no data set, or validation chose none of several configurations.
    """
    found = MatchedRecords()
    ours, theirs = (_trained(group_trials(one.records)) for one in (base, new))
    ours = [one for one in ours if any(c.with_status("complete") for c in one.configurations)]
    pairs, only_base, only_new = _match_items(ours, theirs, _SECTION)
    if not pairs:
        raise UserError(
            f"{base.name} and {new.name} share no data set, or no protocol on it:\n"
            f"  BASE has complete trials of {_list_groups(ours)}\n  NEW has trials of {_list_groups(theirs)}\n"
            "  run the same suite in both, or a changed one"
        )
    for first, second in pairs:
        _best_of_section(found, base, new, first, second, metric)
    found.missing.update((one.title, "NEW has no trial on this data set under this protocol") for one in only_base)
    found.only_base.extend(one.title for one in only_base)
    found.only_new.extend(one.title for one in only_new)
    return found


def end_counts(one: Configuration) -> str:
    """How the trials of a configuration ended: ``2 diverged, 1 failed``."""
    return ", ".join(f"{count} {status}" for status, count in Counter(r.status for r in one.records).items())


def missing_seeds(one: Configuration) -> str:
    """The seeds that NEW lacks of a configuration."""
    return f"NEW lacks {', '.join(one.excluded)}"


def _best_of_section(
    found: MatchedRecords, base: LedgerSource, new: LedgerSource, first: TrialGroup, second: TrialGroup, metric: str
) -> None:
    ours = _latest_states(first.configurations, base.name, found.notes)
    theirs = _latest_states(second.configurations, new.name, found.notes)
    named = _match_labels(ours, theirs)
    label_of = {one.identity: label for label, *both in named for one in both if one is not None}
    if not any(one.with_status("complete") for one in theirs):
        found.lost[first.title] = "; ".join(f"{label_of[one.identity]}: {end_counts(one)}" for one in theirs)
        return
    _note_missing(found, f"{first.title}: ", named)
    sides, counts = [], []
    for role, source, configurations in (("BASE", base, ours), ("NEW", new, theirs)):
        chosen, count = _select_on_validation(configurations, metric, f"{role} {source.name}: {first.title}")
        sides.append(ComparedConfiguration(replace(chosen, label=label_of[chosen.identity]), source.predictions))
        counts.append(count)
        found.notes.extend(
            f"{role}: {label_of[one.identity]} could not be chosen, it lacks {', '.join(one.excluded)}"
            for one in configurations
            if chosen.complete and one.with_status("complete") and not one.complete
        )
    base_side, new_side = sides
    found.pairs.append(ConfigurationPair(first.title, base_side, new_side, chosen_of=(counts[0], counts[1])))
    _note_fewer(found, first.title, base_side.configuration, new_side.configuration)
    if new_side.configuration.excluded:
        found.missing[f"{first.title}: {new_side.configuration.label}"] = missing_seeds(new_side.configuration)
    if first.protocol != second.protocol:
        found.notes.append(f"{first.title}: BASE has the protocol {first.protocol}; NEW has {second.protocol}")
    seen = {_complete_keys(side.configuration) for side in sides}
    for source, configurations in ((base, ours), (new, theirs)):
        for one in configurations:
            if len(one.with_status("complete")) > 1 and _complete_keys(one) not in seen:
                seen.add(_complete_keys(one))
                found.others.append(ComparedConfiguration(one, source.predictions))


def _note_missing(
    found: MatchedRecords, before: str, named: Sequence[tuple[str, Configuration | None, Configuration | None]]
) -> None:
    """What BASE has of a section and NEW lacks; a configuration that is gone may have another in its place."""
    gone, fresh = [], []
    for label, first, second in named:
        if first is None:
            fresh += [label] if second is not None and (second.complete or _was_pruned(second)) else []
        elif not first.with_status("complete"):
            continue
        elif second is None:
            gone.append(label)
        elif _was_pruned(second):
            found.notes.append(f"{before}{label} was pruned in NEW, where others were better on validation")
        elif not second.with_status("complete"):
            found.missing[before + label] = f"every trial of it in NEW ended early ({end_counts(second)})"
        elif second.excluded:
            found.missing[before + label] = missing_seeds(second)
    found.only_base.extend(before + label for label in gone)
    found.only_new.extend(before + label for label in fresh)
    if (fewer := len(gone) - len(fresh)) > 0:
        why = f"NEW has {fewer} configuration{'s' * (fewer != 1)} fewer" if fresh else "NEW has no trial of it"
        found.missing.update((before + label, why) for label in gone)


def _note_fewer(found: MatchedRecords, label: str, base: Configuration, new: Configuration) -> None:
    """Seeds that nobody ran in NEW are no failure: the comparison holds with those that there are."""
    if left := sorted(set(base.planned) - set(new.planned)):
        found.notes.append(f"{label}: {seeds_text(left)} of BASE were not run in NEW")


def _was_pruned(one: Configuration) -> bool:
    """Whether validation let a configuration go: nothing is missing then, it was not the best."""
    return {record.status for record in one.records} == {"pruned"}


def _select_on_validation(
    configurations: Sequence[Configuration], metric: str, where: str
) -> tuple[Configuration, int]:
    """The configuration that validation chose, and of how many; with all their seeds, unless none has them."""
    begun = [one for one in configurations if one.with_status("complete")]
    asked = [one for one in begun if one.complete] or begun
    rated = {one.identity: METRICS[metric].better(validation_mean(one, metric)) for one in asked}
    if len(asked) > 1 and any(math.isnan(figure) for figure in rated.values()):
        raise UserError(
            f"{where}: none of {len(asked)} configurations was chosen, for not all of them have {metric} on validation"
            "\n  name two configurations of one ledger (--results), or compare what both ledgers have, "
            "with --matched"
        )
    return max(asked, key=lambda one: rated[one.identity]), len(asked)


def _trained(found: Sequence[TrialGroup]) -> list[TrialGroup]:
    """Sections that have a complete trial, without added rows wherever something was trained."""
    trained = [replace(one, configurations=tuple(c for c in one.configurations if not c.imported)) for one in found]
    parts = [slim if slim.configurations else whole for slim, whole in zip(trained, found, strict=True)]
    return [part for part in parts if any(one.records for one in part.configurations)]


def _configurations(found: Sequence[TrialGroup]) -> list[Configuration]:
    """Each once: an added row stands in several sections."""
    return list({one.identity: one for group in found for one in group.configurations}.values())


def _latest_states(configurations: Iterable[Configuration], name: str, notes: list[str]) -> list[Configuration]:
    """One of each configuration: of several states of its data or code the one run last, and a note."""
    states: dict[str, list[Configuration]] = {}
    for one in configurations:
        states.setdefault(canonical(one.config), []).append(one)
    for of_one in states.values():
        if len(of_one) > 1:
            label = sorted(of_one, key=_finished)[-1].label
            notes.append(f"{name} has {len(of_one)} states of data or code of one configuration; {label} was run last")
    return [sorted(of_one, key=_finished)[-1] for of_one in states.values()]


def _match_labels(
    ours: Sequence[Configuration], theirs: Sequence[Configuration]
) -> list[tuple[str, Configuration | None, Configuration | None]]:
    """Both sides' configurations, matched, with a label that tells them apart from all others, in its order."""
    pairs, only_first, only_second = _match_items(ours, theirs, _CONFIGURATION)
    every: list[tuple[Configuration | None, Configuration | None]] = [
        *pairs,
        *((one, None) for one in only_first),
        *((None, one) for one in only_second),
    ]
    configs = [(first or second).config for first, second in every]  # type: ignore[union-attr]
    named = labels(configs) if configs else []
    return sorted(((label, *both) for label, both in zip(named, every, strict=True)), key=lambda one: one[0])


def _match_items(
    ours: Sequence[Item], theirs: Sequence[Item], keys: Sequence[Text[Item]]
) -> tuple[list[tuple[Item, Item]], list[Item], list[Item]]:
    """Pair what has the same key, by the first key that only one of each side's has; then what is left of each."""
    pairs: list[tuple[Item, Item]] = []
    for key in keys:
        first, second = _groups(ours, key), _groups(theirs, key)
        alone = [text for text, group in first.items() if len(group) == len(second.get(text, ())) == 1]
        pairs += [(first[text][0], second[text][0]) for text in alone]
        ours, theirs = (
            [one for text, group in side.items() if text not in alone for one in group] for side in (first, second)
        )
    return pairs, list(ours), list(theirs)


def _groups(items: Sequence[Item], key: Text[Item]) -> dict[str, list[Item]]:
    groups: dict[str, list[Item]] = {}
    for one in items:
        groups.setdefault(key(one), []).append(one)
    return groups


def _dataset(config: dict[str, Any], path: Callable[[str], str]) -> dict[str, Any]:
    """A config's data set; the user's own, which may lie elsewhere on another machine, with so much of its path."""
    dataset = config["dataset"]
    return {**dataset, "path": path(dataset["path"])} if "path" in dataset else dataset


_PATHS: tuple[Callable[[str], str], ...] = (str, lambda path: PurePath(path).name, lambda _: "")


def _config_key(path: Callable[[str], str]) -> Text[Configuration]:
    return lambda one: canonical({**one.config, "dataset": _dataset(one.config, path)})


def _section_key(path: Callable[[str], str], protocol: bool) -> Text[TrialGroup]:
    return lambda one: canonical([_dataset(one.configurations[0].config, path), one.protocol if protocol else ""])


_CONFIGURATION = tuple(_config_key(path) for path in _PATHS)
_SECTION = tuple(_section_key(path, protocol) for protocol in (True, False) for path in _PATHS)


def _complete_keys(one: Configuration) -> tuple[str, ...]:
    return tuple(record.key for record in one.with_status("complete"))


def _finished(one: Configuration) -> tuple[bool, str]:
    done = one.with_status("complete")
    return bool(done), max((record.run_info.finished for record in done or one.records), default="")


def _list_groups(found: Sequence[TrialGroup]) -> str:
    return "; ".join(f"{group.dataset} ({group.protocol})" for group in found) or "none"
