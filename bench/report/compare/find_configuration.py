"""Which configuration does a person mean? A key, a label, a pattern of labels, or AXIS=VALUE."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Sequence
from typing import Any

from bench.errors import UserError, nearest
from bench.report.grouping import Configuration, TrialGroup
from bench.suite.labels import SEPARATOR
from bench.suite.select import matches, only_patterns

KEY = re.compile(r"[0-9a-f]{4,}")
"""At least four digits, so that no short name is taken for a key."""
MAX_MATCHES_LISTED = 10

Match = tuple[TrialGroup, Configuration]


def find_configuration(text: str, groups: Sequence[TrialGroup], role: str, place: str) -> Match:
    """The one configuration that `text` names, of those with complete trials; else of those whose trials ended early.

    Tried in this order: a label as the leaderboard has it; the beginning of the key of one of its trials (it stands for
    all its seeds) or of the configuration itself; a label with wildcards; ``AXIS=VALUE`` as `--only` takes it, several
    with spaces between.

    Parameters
    ----------
    role, place
        What the configuration is to be and where it was looked for, as messages name them (``BASE``, ``results/``).

    Raises
    ------
    UserError
        None or several are meant; the message lists those that may be.
    """
    text = text.replace(" . ", SEPARATOR)  # as a terminal without UTF-8 shows labels
    # An added row stands in several sections; the first stands for it.
    every = list(
        {
            one.identity: (group, one)
            for group in reversed(groups)
            for one in reversed(group.configurations)
            if one.records
        }.values()
    )[::-1]
    begun = every
    every = [pair for pair in begun if pair[1].with_status("complete")]
    if not begun:
        raise UserError(f"{role} {text!r}: {place} holds no trial; run a suite first")
    for found in (
        *_by_priority(text, every),
        *_by_priority(text, [pair for pair in begun if not pair[1].with_status("complete")]),
    ):
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(
                f"{role} {text!r}: {len(found)} configurations of {place} are meant; give one's whole label, or its "
                f"key:{_match_list(found)}"
            )
    hint = nearest(text, [one.label for _, one in begun])
    raise UserError(
        f"{role} {text!r}: no configuration of {place} has this key or label" + (f"; {hint}" if hint else "") + "\n"
        "  give a label of `bench report`, with wildcards too, a key, or AXIS=VALUE. There are:"
        + _match_list(every or begun)
    )


def _by_priority(text: str, every: Sequence[Match]) -> Iterator[list[Match]]:
    yield [pair for pair in every if text in _names(pair[1])]
    yield [pair for pair in every if KEY.fullmatch(text) and _has_key(pair[1], text)]
    yield [pair for pair in every if fnmatch.fnmatchcase(pair[1].label, text)]
    yield _by_axes(text, every)


def _names(one: Configuration) -> tuple[str, ...]:
    """Its label; an added row may be called as it was when it was added."""
    return (one.label, str(one.config["model"]["name"])) if one.imported else (one.label,)


def _has_key(one: Configuration, text: str) -> bool:
    return one.identity.startswith(text) or any(record.key.startswith(text) for record in one.records)


def _by_axes(text: str, every: Sequence[Match]) -> list[Match]:
    try:
        patterns = [only_patterns(word) for word in text.split()]
    except UserError:
        return []
    return [pair for pair in every if patterns and all(_fits(pair[1], either) for either in patterns)]


def _fits(one: Configuration, patterns: list[dict[str, Any]]) -> bool:
    return any(pattern.keys() <= one.config.keys() and matches(one.config, pattern) for pattern in patterns)


def _match_list(found: Sequence[Match]) -> str:
    lines = [f"\n  {one.records[0].key[:10]}  {one.label}  ({group.title})" for group, one in found]
    return "".join(lines[:MAX_MATCHES_LISTED]) + (
        f"\n  ... and {len(lines) - MAX_MATCHES_LISTED} more" if len(lines) > MAX_MATCHES_LISTED else ""
    )
