"""Both sides as commands of their own, timed from start to end, and how a short one is carried to the whole work."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.ledger.ledger import Ledger
from bench.ledger.record import Record

THEIRS = Path(__file__).parent / "theirs"


@dataclass(frozen=True)
class Run:
    """One command: `seconds` in all, `body` of them between the start of its first trial and the end of its last.

    `trials` of `epochs` each were trained. `found` is what a peer printed as JSON, `records` what bench left.
    """

    seconds: float
    body: float
    trials: int
    epochs: int
    found: dict[str, Any]
    records: list[Record]

    @property
    def fixed(self) -> float:
        """Seconds of starting up and ending, which a longer run has once as well."""
        return self.seconds - self.body


def timed(command: Sequence[str | Path], **environment: str) -> tuple[float, str]:
    """Seconds of a command and what it printed; ends the script where the command failed."""
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} gave exit code {done.returncode}:\n{done.stdout}{done.stderr}")
    return seconds, done.stdout


def peer(python: str | Path, script: str, *arguments: Any, trials: int | None, epochs: int = 1) -> Run:
    """Run one of `theirs`; it prints JSON with `first` and `last`, in seconds of the clock, and `trials`.

    `found["busy"]` is the share of the cores' time that its processes used, as far as they are children of it. Ends the
    script where other than so many `trials` ended well (None: as many as the peer wants).
    """
    before = _children()
    seconds, printed = timed([python, THEIRS / script, *map(str, arguments)])
    busy = (_children() - before) / seconds / len(os.sched_getaffinity(0))
    # Not always the last line: Ray passes on what its workers printed when it comes.
    (found,) = (json.loads(line) for line in printed.splitlines() if line.startswith('{"first"'))
    if trials is not None and found["trials"] != trials:
        sys.exit(f"{script}: {found['trials']} of {trials} trials ended well:\n{printed}")
    return Run(seconds, found["last"] - found["first"], found["trials"], epochs, found | {"busy": busy}, [])


def _children() -> float:
    """CPU seconds of the processes that this one has started and seen end."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def ours(suite: Path, results: Path, *options: str, epochs: int = 1) -> Run:
    """``bench run`` of a suite into an empty ledger."""
    command = [sys.executable, "-m", "bench", "run", str(suite), "--results", str(results), *options]
    seconds, _ = timed(command)
    records = Ledger(results).records()
    if not records or any(record.status not in ("complete", "pruned", "diverged") for record in records):
        sys.exit(f"not every trial of {suite} is done: see {results}")
    first = min(datetime.fromisoformat(record.run_info.started) for record in records)
    last = max(datetime.fromisoformat(record.run_info.finished) for record in records)
    return Run(seconds, (last - first).total_seconds(), len(records), epochs, {}, records)


def carried(run: Run, per_epoch: float, trials: int, epochs: int) -> float:
    """Seconds that a command of `trials` of `epochs` each would take.

    Starting up and ending count once; what lies between grows with the trials, and with the epochs by `per_epoch`:
    the seconds by which one more epoch of all `run.trials` makes the command longer.
    """
    return run.fixed + trials / run.trials * (run.body + (epochs - run.epochs) * per_epoch)


def slope(short: Run, long: Run) -> float:
    """`carried`'s `per_epoch` from two commands that differ in their epochs alone."""
    return (long.body - short.body) / (long.epochs - short.epochs)
