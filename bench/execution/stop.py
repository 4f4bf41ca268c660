"""Ctrl-C and SIGTERM: both end a run in one way, also while libraries are being imported."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

INTERRUPTED = 130
"""The exit code, as shells give it to what Ctrl-C has ended."""


class Interrupt(KeyboardInterrupt):
    """A signal asked to stop.

    A type of our own: under ``python -m`` Python ends by SIGINT, whatever exit code it is given, once a
    KeyboardInterrupt proper has left code that a library made with `exec`, as dataclasses do.
    """


_asked = False
_levels = 0


@contextlib.contextmanager
def stop_on_signals() -> Iterator[None]:
    """SIGTERM and Ctrl-C raise `Interrupt` in the main thread; Ctrl-C not where it is ignored or someone else's.

    Ray takes SIGTERM for itself when it starts, so this is entered again once it has.
    """
    global _asked, _levels
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        ours.append(signal.SIGINT)
    before = {number: signal.signal(number, _stop) for number in ours}
    _levels += 1
    try:
        yield
    finally:
        _levels -= 1
        if not _levels:
            _asked = False
        for number, handler in before.items():
            signal.signal(number, handler)


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
    global _asked
    _asked = True
    raise Interrupt
