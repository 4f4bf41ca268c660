"""What a trial prints in a worker process of Ray's, where no terminal is: kept in a file of the trial's own.

A user's model, augmentation or library prints to find a mistake, and Ray's own files go with the run. The file is
``logs/<key>.log`` in the ledger's folder; its end travels home with the result, for drivers on other machines, and
stays in the record of a trial that failed.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from bench.characters import escaped
from bench.ledger.files import LOGS

KEPT_BYTES = 100_000
"""Of what was printed, how much of its end travels home."""
SHOWN_CHARACTERS = 2_000
"""Of that, how much stays in the record of a failed trial."""


def log_of(folder: Path, key: str) -> Path:
    """Where what a trial prints is kept, in a ledger's folder."""
    return folder.resolve() / LOGS / f"{key}.log"  # a trial of a user's model runs in another folder


@contextlib.contextmanager
def printed_to(path: Path) -> Iterator[Callable[[], str]]:
    """Lead all that is printed meanwhile into the file, by Python, compiled code and child processes.

    Yields what gives the end of the text so far. On a machine that does not have the folder it is a temporary file; a
    file that nothing was printed to is removed.
    """
    with _opened(path) as file, _led(file.fileno()):

        def end() -> str:
            sys.stdout.flush()
            sys.stderr.flush()
            file.seek(max(0, os.fstat(file.fileno()).st_size - KEPT_BYTES))
            return escaped(file.read().decode(errors="replace"))

        yield end
    with contextlib.suppress(OSError):
        if not path.stat().st_size:
            path.unlink()


def printing(path: Path | None, run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A trial's message with the end of what it `printed`, which the file has; as it is without one."""
    if path is None:
        return run()
    with printed_to(path) as printed:
        message = run()
        message["printed"] = printed()
    return message


def forget(path: Path) -> None:
    """Remove what an earlier try of a trial printed, on any of its ranks: each file is of the last one."""
    for old in (path, *path.parent.glob(f"{path.stem}.*{path.suffix}")):
        with contextlib.suppress(OSError):
            old.unlink(missing_ok=True)


def keep(text: str, path: Path) -> None:
    """Write what came home with a result, where this machine has no file of it yet."""
    if text and not path.exists():
        with contextlib.suppress(OSError):  # a log is no result
            path.write_text(text, encoding="utf-8")


def with_printed(failure: dict[str, str], text: str) -> dict[str, str]:
    """A failure with the end of what its trial printed."""
    return {**failure, "printed": text[-SHOWN_CHARACTERS:]} if text.strip() else failure


def _opened(path: Path) -> contextlib.AbstractContextManager[BinaryIO]:
    try:
        return path.open("w+b")
    except OSError:
        return tempfile.TemporaryFile()


@contextlib.contextmanager
def _led(number: int) -> Iterator[None]:
    """Let this process's standard streams be the file of this number."""
    before, streams = [os.dup(1), os.dup(2)], (sys.stdout, sys.stderr)
    for stream in streams:
        stream.flush()
    with open(os.dup(number), "w", encoding="utf-8", errors="backslashreplace", buffering=1) as text:  # noqa: PTH123
        os.dup2(number, 1)
        os.dup2(number, 2)
        sys.stdout = sys.stderr = text
        try:
            yield
        finally:
            sys.stdout, sys.stderr = streams
            for descriptor, target in zip(before, (1, 2), strict=True):
                os.dup2(descriptor, target)
                os.close(descriptor)
