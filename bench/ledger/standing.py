"""Which of several entries of one key counts."""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf

from bench.ledger.entry import Entry

DONE = ("complete", "diverged")
"""Statuses that no further run can change."""


def standing(entry: Entry) -> tuple[int, float, str]:
    """A sort key: the entry that counts comes first.

    A finished trial comes before a pruned and that before a failed one. Of finished ones the first published counts,
    so that a later repetition changes no reported figure; of pruned and of failed ones the latest, which says how
    things stand now. Ties go by the name, which holds a digest of the content: the answer depends on what the
    entries say and not on where they lie or the order they came in, so merged ledgers agree.
    """
    finished = _seconds(entry.record.measured.finished)
    if entry.record.status in DONE:
        return 0, inf if finished is None else finished, entry.name
    return 1 if entry.record.status == "pruned" else 2, inf if finished is None else -finished, entry.name


def _seconds(text: str) -> float | None:
    """Seconds since 1970 of an ISO 8601 time; None (which stands last) where it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
