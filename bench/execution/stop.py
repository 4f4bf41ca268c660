"""Ctrl-C and SIGTERM: both end a run, at any moment, in one way."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

INTERRUPTED = 130
"""The exit code, as shells give it to what Ctrl-C has ended."""


class Interrupt(KeyboardInterrupt):
    """A signal asked to stop.

    A type of our own, because Python ends by SIGINT, whatever exit code it was given, once a KeyboardInterrupt proper
    has left code that a library made with `exec`, as dataclasses do.
    """


class Detached(SystemExit):
    """Who watched a cluster's run has left, and it goes on."""


_asked = threading.Event()


@contextlib.contextmanager
def stop_on_signals() -> Iterator[None]:
    """SIGTERM and Ctrl-C raise `Interrupt` in the main thread; Ctrl-C not where it is ignored or someone else's.

    Ray takes SIGTERM for itself when it starts, so this is entered again once it has.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        ours.append(signal.SIGINT)
    before = {number: signal.signal(number, _stop) for number in ours}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def is_stopped() -> bool:
    """Whether a signal has asked this process to stop."""
    return _asked.is_set()


def raise_if_stopped() -> None:
    """Make a stop good that was lost: an exception that comes while a library is imported may end as another there."""
    if _asked.is_set():
        raise Interrupt


def _stop(*_: object) -> None:
    _asked.set()
    raise Interrupt
