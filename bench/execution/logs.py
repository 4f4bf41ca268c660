"""What a trial prints, by Python, compiled code and child processes: a file ``logs/<key>.log`` in the ledger's folder.

The end of it is part of the trial's result, for drivers on other machines, and stays in the record of one that failed.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from bench.errors import escaped
from bench.execution.messages import TrialFailure, TrialResult
from bench.ledger.store import LOGS

LOG_BYTES = 100_000
"""How much of the end of what a trial prints is part of its result."""
MAX_LOG_BYTES = 10_000_000
"""A log that grows beyond this loses its beginning, down to half of it."""
TRIM_SECONDS = 1.0
"""How often a log's size is looked at."""


def log_path(folder: Path, key: str) -> Path:
    """Where what a trial prints is saved, in a ledger's folder."""
    return folder.resolve() / LOGS / f"{key}.log"  # a trial of a user's model runs in another folder


def new_log(folder: Path, key: str) -> Path:
    """The path of a log for a trial that starts now; those of an earlier attempt, of all its ranks, are removed."""
    path = log_path(folder, key)
    with contextlib.suppress(OSError):  # without the folder there are no logs
        path.parent.mkdir(parents=True, exist_ok=True)
    for old in (path, *path.parent.glob(f"{path.stem}.*{path.suffix}")):
        with contextlib.suppress(OSError):
            old.unlink(missing_ok=True)
    return path


def log_text(folder: Path, key: str) -> str:
    """What a trial printed, of all its ranks, without control characters; "" where it printed nothing here."""
    path = log_path(folder, key)
    texts = []
    for log in (path, *sorted(path.parent.glob(f"{path.stem}.*{path.suffix}"))):
        with contextlib.suppress(OSError):
            text = escaped(log.read_text(encoding="utf-8", errors="replace"))
            texts.append(text if log == path else f"[rank {log.suffixes[0][1:]}]\n{text}")
    return "\n".join(texts)


def run_logged(log: Path | None, run: Callable[[], TrialResult | TrialFailure]) -> TrialResult | TrialFailure:
    """Run a trial with its output in the file `log`, if one is given."""
    if log is None:
        return run()
    with capture_output(log) as printed:
        end = run()
        return replace(end, printed=printed())


@contextlib.contextmanager
def capture_output(path: Path) -> Iterator[Callable[[], str]]:
    """Redirect what this process and its children print into the file.

    Yields a function that returns the end of the text so far. The file has at most `MAX_LOG_BYTES`. On a machine that
    does not have the folder it is a temporary one; a file that nothing was printed to is removed.
    """
    try:
        with _opened(path) as file, _redirected(file.fileno()), _trimmed(file):

            def end() -> str:
                sys.stdout.flush()
                sys.stderr.flush()
                file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_BYTES))
                return escaped(file.read().decode(errors="replace"))

            yield end
    finally:  # of a trial that was stopped, too
        with contextlib.suppress(OSError):
            if not path.stat().st_size:
                path.unlink()


def save_log(text: str, path: Path) -> None:
    """Write what a result says was printed, where this machine has no such file yet."""
    if text and not path.exists():
        with contextlib.suppress(OSError):  # a log is no result
            path.write_text(text, encoding="utf-8")


def _opened(path: Path) -> contextlib.AbstractContextManager[BinaryIO]:
    try:
        return path.open("a+b")
    except OSError:
        return tempfile.TemporaryFile("a+b")


@contextlib.contextmanager
def _trimmed(file: BinaryIO) -> Iterator[None]:
    """Trim a file that is appended to every now and then, in a thread, and at the end."""
    stopped = threading.Event()

    def watch() -> None:
        while not stopped.wait(TRIM_SECONDS):
            trim(file)

    thread = threading.Thread(target=watch, name="log", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
        trim(file)


def trim(file: BinaryIO) -> None:
    """Remove the beginning of a file with more than `MAX_LOG_BYTES`; what is appended meanwhile may be lost."""
    with contextlib.suppress(OSError):  # a log is no result
        size = os.fstat(file.fileno()).st_size
        if size <= MAX_LOG_BYTES:
            return
        end = os.pread(file.fileno(), MAX_LOG_BYTES // 2, size - MAX_LOG_BYTES // 2)
        os.ftruncate(file.fileno(), 0)
        os.write(file.fileno(), b"[%d bytes before this were removed]\n" % (size - len(end)) + end)


@contextlib.contextmanager
def _redirected(descriptor: int) -> Iterator[None]:
    """Let this process's standard output and error be the file with this descriptor."""
    saved, streams = [os.dup(1), os.dup(2)], (sys.stdout, sys.stderr)
    for stream in streams:
        stream.flush()
    with open(os.dup(descriptor), "w", encoding="utf-8", errors="backslashreplace", buffering=1) as text:  # noqa: PTH123
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.stdout = sys.stderr = text
        try:
            yield
        finally:
            sys.stdout, sys.stderr = streams
            for copy, target in zip(saved, (1, 2), strict=True):
                os.dup2(copy, target)
                os.close(copy)
