"""The bench command as a process of its own, what it leaves in its ledger, and the processes that it has started."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest

from bench.__main__ import main
from bench.ledger.ledger import Ledger
from bench.metrics import METRICS

STOPPED = "Stopped. What ended is in the ledger; the same command goes on from there.\n"
"""All that a run which was told to stop says on stderr."""


def without_stack(errors: str) -> str:
    """What is on stderr without the stack that Ray prints at a SIGTERM while its compiled part starts."""
    stack = r"(\[.*logging\.cc:\d+: )?(\*\*\* SIGTERM received.*|PC: @ .*| +@ .*)\n"
    return re.sub(rf"^{stack}", "", errors, flags=re.MULTILINE)


def command(*arguments: object) -> list[str]:
    """The command line, for this environment's Python."""
    return [sys.executable, "-m", "bench", *map(str, arguments)]


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start it; what it prints is to be read."""
    return subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def bench(*arguments: object) -> tuple[int, str, str]:
    """Run it to its end: exit code, stdout and stderr."""
    process = start(*arguments)
    out, err = process.communicate(timeout=540)
    return process.returncode, out, err


class Ran(NamedTuple):
    code: int
    out: str
    err: str


def bench_here(*arguments: object) -> Ran:
    """As `bench`, in this process: quicker, and the server of user code is started once for all calls.

    The user's own metrics that it files in `METRICS` are gone afterwards, as with a process, and signals are handled as
    before.
    """
    out, err = io.BytesIO(), io.BytesIO()
    texts = [io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True) for stream in (out, err)]
    with (
        patch.object(sys, "argv", ["bench", *map(str, arguments)]),
        patch.dict(METRICS),
        redirect_stdout(texts[0]),
        redirect_stderr(texts[1]),
        signals_as_before(),
        pytest.raises(SystemExit) as end,
    ):
        main()
    code = end.value.code
    return Ran(
        code if isinstance(code, int) else int(code is not None), out.getvalue().decode(), err.getvalue().decode()
    )


@contextmanager
def signals_as_before() -> Iterator[None]:
    """A command that was stopped ignores further Ctrl-C, as its process is about to end."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def results_of(results: Path) -> dict[str, tuple[Any, ...]]:
    """Key to all result fields, predictions included."""
    ledger = Ledger(results)
    return {
        record.key: (
            record.status,
            record.result,
            *(value.tobytes() for value in ledger.predictions(record.key).__dict__.values()),
        )
        for record in ledger.records()
    }


def processes_below(parent: int, name: bytes) -> list[int]:
    """The ids of all processes that descend from `parent` and have `name` in their command line."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            names[int(folder.name)] = (folder / "cmdline").read_bytes()
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue

    def is_below(process: int) -> bool:
        while process in parents and process != parent:
            process = parents[process]
        return process == parent

    return [process for process, line in names.items() if name in line and is_below(process)]
