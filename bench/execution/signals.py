"""Ctrl-C, SIGTERM and a terminal that is closed: all end a run in one way, also while libraries are being imported."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Iterator

INTERRUPTED = 130
"""The exit code, as shells give it to what Ctrl-C has ended."""


AGAIN_SECONDS = 0.5
"""Between two interruptions: a key held down is one, or the second would meet code that deals with the first."""


class Interrupt(KeyboardInterrupt):
    """A signal asked to stop.

    A type of our own: under ``python -m`` Python ends by SIGINT, whatever exit code it is given, once a
    KeyboardInterrupt proper has left code that a library made with `exec`, as dataclasses do.
    """


class Detached(SystemExit):
    """A cluster's run is no longer watched, and all has been said of it."""


_asked = False
_levels = 0
_finishing = 0
_raised = -math.inf


@contextlib.contextmanager
def stop_on_signals() -> Iterator[None]:
    """SIGTERM, SIGHUP and Ctrl-C raise `Interrupt` in the main thread; the last two not where they are ignored.

    They are by `nohup` and in a shell's background; nor is a handler of someone else's taken away. Ray takes SIGTERM
    for itself when it starts, so this is entered again once it has.
    """
    global _asked, _levels, _raised
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        ours.append(signal.SIGINT)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        ours.append(signal.SIGHUP)
    before = {number: signal.signal(number, _stop) for number in ours}
    _levels += 1
    try:
        yield
    finally:
        _levels -= 1
        if not _levels:
            _asked, _raised = False, -math.inf
        for number, handler in before.items():
            if signal.getsignal(number) is not signal.SIG_IGN:  # as `ignore_more` leaves it
                signal.signal(number, handler)


@contextlib.contextmanager
def finishing() -> Iterator[None]:
    """What a run puts away at its end is put away whole: a signal meanwhile, such as a second Ctrl-C, is remembered."""
    global _finishing
    _finishing += 1
    try:
        yield
    finally:
        _finishing -= 1


def ignore_more() -> None:
    """What is left of a program that was stopped is its end: another Ctrl-C is not to change its exit code."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def raise_if_stopped() -> None:
    """Make a stop good that was lost: an exception that comes while a library is imported may end as another there."""
    if _asked:
        raise Interrupt


def is_stop(end: BaseException) -> bool:
    """Whether a program that ends by this was stopped, inside `stop_on_signals`."""
    if isinstance(end, SystemExit):
        return end.code in (INTERRUPTED, signal.SIGTERM)  # Ray, while it starts, leaves with the signal's number
    return _asked or isinstance(end, KeyboardInterrupt)


def _stop(*_: object) -> None:
    global _asked, _raised
    _asked = True
    if not _finishing and time.monotonic() - _raised > AGAIN_SECONDS:
        _raised = time.monotonic()
        raise Interrupt
