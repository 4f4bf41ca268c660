"""What do two ledgers have in common? Their configurations matched by what was asked for, not by key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bench.ledger.record import Predictions, Record
from bench.report.comparing.comparison import Pair, Side
from bench.report.sections import Configuration, sections
from bench.suite.expand import canonical
from bench.suite.labels import labels


@dataclass(frozen=True)
class Shared:
    """`pairs` have complete trials in both; the others are labels.

    `lost` were completed in BASE, and in NEW every trial of them failed, diverged or was pruned; each with how they
    ended.
    """

    pairs: tuple[Pair, ...]
    lost: tuple[tuple[str, str], ...]
    only_base: tuple[str, ...]
    only_new: tuple[str, ...]


def shared(
    base: Sequence[Record],
    base_predictions: Callable[[str], Predictions],
    new: Sequence[Record],
    new_predictions: Callable[[str], Predictions],
) -> Shared:
    """Match the configurations of two ledgers.

    The key is no match: it changes with the user's own model, which is what a comparison may be about. Where one ledger
    has a configuration with several states of data or code, the one run last counts.
    """
    ours, theirs = _by_config(base), _by_config(new)
    every = sorted(ours.keys() | theirs.keys())
    configs = [(ours.get(name) or theirs[name]).config for name in every]
    named = dict(zip(every, labels(configs), strict=True)) if every else {}
    pairs, lost, only_base, only_new = [], [], [], []
    for name, label in sorted(named.items(), key=lambda item: item[1]):
        has_base, has_new = (name in side and bool(side[name].having("complete")) for side in (ours, theirs))
        if has_base and has_new:
            ours[name], theirs[name] = (replace(one[name], label=label) for one in (ours, theirs))
            pairs.append(Pair(label, Side(ours[name], base_predictions), Side(theirs[name], new_predictions)))
        elif has_base and name in theirs:
            ended = Counter(record.status for record in theirs[name].records)
            lost.append((label, ", ".join(f"{count} {status}" for status, count in ended.items())))
        elif has_base:
            only_base.append(label)
        elif has_new:
            only_new.append(label)
    return Shared(tuple(pairs), tuple(lost), tuple(only_base), tuple(only_new))


def _by_config(records: Sequence[Record]) -> dict[str, Configuration]:
    found: dict[str, Configuration] = {}
    for one in sorted((one for section in sections(records) for one in section.configurations), key=_finished):
        found[_name(one)] = one
    return found


def _name(one: Configuration) -> str:
    """The config as text, the user's own data without the place where they lay."""
    dataset = {key: value for key, value in one.config["dataset"].items() if key != "path"}
    return canonical({**one.config, "dataset": dataset})


def _finished(one: Configuration) -> tuple[bool, str]:
    done = one.having("complete")
    return bool(done), max((record.measured.finished for record in done or one.records), default="")
