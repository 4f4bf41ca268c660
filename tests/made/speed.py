"""Bounds of processor time that mean the same on a slower machine."""

from __future__ import annotations

import time

REFERENCE_SECONDS = 0.15
"""What `slowness` times takes on the machine for which bounds are written."""


def is_within(seconds: float, limit: float) -> bool:
    """Whether so much processor time is less than the limit, or than that of a machine as slow as this one is now."""
    return seconds < limit or seconds < limit * slowness()


def slowness() -> float:
    """How many times as long as there a fixed piece of Python takes here and now, at least 1.

    Processor time, of which a core that is shared with others gives less work.
    """
    start = time.thread_time()
    found = {}
    for number in range(400_000):
        found[str(number)] = number
    return max(1.0, (time.thread_time() - start) / REFERENCE_SECONDS)
