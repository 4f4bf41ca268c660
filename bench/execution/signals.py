"""Ctrl-C, SIGTERM and a closed terminal all stop a run in one way, also while libraries are being imported."""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

INTERRUPTED = 130
"""The exit code that shells give to what Ctrl-C has ended."""
TIME_IS_UP = 124
"""The exit code of a run that `--max-hours` has stopped, as of what timeout(1) has ended."""
REPEAT_SECONDS = 0.5
"""Least time between two interrupts: a key held down counts once, or the second would hit the handling of the first."""
AGAIN_SECONDS = 0.02
"""After which an interrupt that was dropped, or that came at a bad moment, is raised again."""
LOGGING_SECONDS = 1.0
"""How long a stop waits for logging to have done with its lock."""
UNINTERRUPTED_SECONDS = 40.0
"""After these a further stop breaks off what is `uninterrupted`: Ray gives its own start half a minute."""


class Interrupt(KeyboardInterrupt):
    """A signal asked to stop.

    A type of our own: under ``python -m`` Python ends by SIGINT, whatever exit code it is given, once a
    KeyboardInterrupt proper has left code that a library compiled with `exec`, as dataclasses do.
    """


class Detached(SystemExit):
    """A cluster's run is no longer followed, and the user knows."""


_requested_at: float | None = None
_time_is_up = False
_depth = 0
_finishing = 0
_uninterrupted = 0
_raised_at = -math.inf


@contextlib.contextmanager
def stop_on_signals() -> Iterator[None]:
    """SIGTERM, SIGHUP and Ctrl-C raise `Interrupt` in the main thread; the last two not where they are ignored.

    `nohup` and a shell's background ignore them; another library's handler stays as well.
    """
    global _depth
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if not _depth:
        _forget()
    signals = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signals.append(signal.SIGINT)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signals.append(signal.SIGHUP)
    previous = {number: signal.signal(number, _stop) for number in signals}
    unraisable = sys.unraisablehook
    sys.unraisablehook = functools.partial(_on_dropped, unraisable)
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1
        if not _depth:
            _forget()
        sys.unraisablehook = unraisable
        for number, handler in previous.items():
            if signal.getsignal(number) is not signal.SIG_IGN:  # as `ignore_more` leaves it
                signal.signal(number, handler)


@contextlib.contextmanager
def stop_after(hours: float | None) -> Iterator[None]:
    """Stop the program after so many hours, as SIGTERM does within `stop_on_signals`; None: never."""
    if hours is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop() -> None:
        global _time_is_up
        _time_is_up = True
        _terminate()

    timer = threading.Timer(3600 * hours, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def time_is_up() -> bool:
    """Whether `stop_after` has stopped the program."""
    return _time_is_up


@contextlib.contextmanager
def finishing() -> Iterator[None]:
    """Complete a run's clean-up: a signal meanwhile, such as a second Ctrl-C, is remembered and raises nothing."""
    global _finishing
    _finishing += 1
    try:
        yield
    finally:
        _finishing -= 1


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Complete what is not to be broken off: a stop meanwhile is raised at its end.

    Where that takes longer than `UNINTERRUPTED_SECONDS`, a further stop is raised at once.

    Raises
    ------
    Interrupt
        The program was told to stop, now or before.
    """
    global _uninterrupted
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    raise_if_stopped()
    _uninterrupted += 1
    try:
        yield
    finally:
        _uninterrupted -= 1
    raise_if_stopped()


def ignore_more() -> None:
    """The program is about to exit because it was stopped: another Ctrl-C must not change its exit code."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def raise_if_stopped() -> None:
    """Raise `Interrupt` again if it was lost: raised while a library is imported, it may end as another exception."""
    global _raised_at
    if _requested_at is not None:
        _raised_at = time.monotonic()
        raise Interrupt


def is_stop(error: BaseException) -> bool:
    """Whether a program that ends by this was stopped, inside `stop_on_signals`."""
    if isinstance(error, SystemExit):
        return error.code in (INTERRUPTED, signal.SIGTERM)  # a library's handler may exit with the signal's number
    return _requested_at is not None or isinstance(error, KeyboardInterrupt)


def _forget() -> None:
    global _requested_at, _time_is_up, _raised_at
    _requested_at, _time_is_up, _raised_at = None, False, -math.inf


def _stop(_: int, frame: FrameType | None) -> None:
    global _requested_at, _raised_at
    if _uninterrupted:
        signal.alarm(0)  # Ray's compiled part sets one at SIGTERM, which aborts the process after three seconds
    now = time.monotonic()
    if _requested_at is None:
        _requested_at = now
    waited = now - _requested_at
    if _finishing or now - _raised_at <= REPEAT_SECONDS or (_uninterrupted and waited <= UNINTERRUPTED_SECONDS):
        return
    if frame is not None and frame.f_code.co_filename == logging.__file__ and waited <= LOGGING_SECONDS:
        _signal_again()  # an exception there may leave the lock of all logging held
        return
    _raised_at = now
    raise Interrupt


def _on_dropped(report: Callable[[sys.UnraisableHookArgs], object], dropped: sys.UnraisableHookArgs) -> None:
    """Ask again where an interrupt met a finalizer, a weak reference's callback or a fork's hook, which drop it."""
    global _raised_at
    if dropped.exc_type is Interrupt:
        _raised_at = -math.inf
        _signal_again()
    else:
        report(dropped)


def _signal_again() -> None:
    """Ask the main thread again when it has left what cannot be interrupted."""

    def ask() -> None:
        if _requested_at is not None:
            _terminate()

    timer = threading.Timer(AGAIN_SECONDS, ask)
    timer.daemon = True
    timer.start()


def _terminate() -> None:
    ident = threading.main_thread().ident
    if _depth and ident is not None:
        signal.pthread_kill(ident, signal.SIGTERM)
