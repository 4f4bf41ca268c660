"""The configuration that a person names: by a key, a label, a pattern of labels, or AXIS=VALUE."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Sequence

from bench.errors import UserError, nearest
from bench.report.grouping import Config, Configuration, TrialGroup
from bench.suite.labels import SEPARATOR
from bench.suite.select import matches, only_patterns

KEY = re.compile(r"[0-9a-f]{4,}")
"""At least four digits, so that no short name is mistaken for a key."""
MAX_LISTED_MATCHES = 10

Match = tuple[TrialGroup, Configuration]


def find_configuration(text: str, groups: Sequence[TrialGroup], role: str, ledger: str) -> Match:
    """The configuration that `text` names, among those with complete trials; else among those that ended early.

    Tried in this order: a label as the leaderboard has it; the beginning of the key of one of its trials (which stands
    for all seeds) or of the configuration; a label with wildcards; ``AXIS=VALUE`` as `--only` takes it, several of
    them separated by spaces.

    Parameters
    ----------
    role, ledger
        What the configuration is for and where it was looked for, as messages name them (``BASE``, ``results/``).

    Raises
    ------
    UserError
        None or several match; the message lists candidates.
    """
    text = text.replace(" . ", SEPARATOR)  # as a terminal without UTF-8 prints labels
    # Imported predictions are in several groups; the first one is returned.
    first: dict[str, Match] = {}
    for group in groups:
        for configuration in group.configurations:
            if configuration.records:
                first.setdefault(configuration.identity, (group, configuration))
    started = list(first.values())
    complete = [match for match in started if match[1].with_status("complete")]
    if not started:
        raise UserError(f"{role} {text!r}: {ledger} holds no trial; run a suite first")
    unfinished = [match for match in started if not match[1].with_status("complete")]
    for matching in (*_candidates(text, complete), *_candidates(text, unfinished)):
        if len(matching) == 1:
            return matching[0]
        if matching:
            raise UserError(
                f"{role} {text!r}: {len(matching)} configurations of {ledger} match; give a complete label or a "
                f"key:{_list(matching)}"
            )
    hint = nearest(text, [configuration.label for _, configuration in started])
    raise UserError(
        f"{role} {text!r}: no configuration of {ledger} has this key or label" + (f"; {hint}" if hint else "") + "\n"
        "  give a label of `bench report`, with wildcards if you like, a key, or AXIS=VALUE. Configurations:"
        + _list(complete or started)
    )


def _candidates(text: str, matches: Sequence[Match]) -> Iterator[list[Match]]:
    yield [match for match in matches if text in _names(match[1])]
    yield [match for match in matches if KEY.fullmatch(text) and _has_key(match[1], text)]
    yield [match for match in matches if fnmatch.fnmatchcase(match[1].label, text)]
    yield _by_axes(text, matches)


def _names(configuration: Configuration) -> tuple[str, ...]:
    """Its label, and for imported predictions the name that they were imported under."""
    label = configuration.label
    return (label, str(configuration.config["model"]["name"])) if configuration.imported else (label,)


def _has_key(configuration: Configuration, text: str) -> bool:
    return any(key.startswith(text) for key in (configuration.identity, *(r.key for r in configuration.records)))


def _by_axes(text: str, candidates: Sequence[Match]) -> list[Match]:
    try:
        patterns = [only_patterns(word) for word in text.split()]
    except UserError:
        return []
    return [match for match in candidates if patterns and all(_fits(match[1], options) for options in patterns)]


def _fits(configuration: Configuration, patterns: list[Config]) -> bool:
    config = configuration.config
    return any(pattern.keys() <= config.keys() and matches(config, pattern) for pattern in patterns)


def _list(matching: Sequence[Match]) -> str:
    lines = [f"\n  {c.records[0].key[:10]}  {c.label}  ({group.title})" for group, c in matching]
    more = len(lines) - MAX_LISTED_MATCHES
    return "".join(lines[:MAX_LISTED_MATCHES]) + (f"\n  ... and {more} more" if more > 0 else "")
