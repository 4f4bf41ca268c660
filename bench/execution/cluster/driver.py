"""On the head: carry out a run that was shipped there, as the driver of a Ray job."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from rich.console import Console

from bench.data import Dataset, load
from bench.errors import UserError
from bench.execution.cluster.bundle import VARIABLES, BundledSuite, RunBundle, unpack
from bench.execution.cluster.events import EventFile, EventRecorder, begins
from bench.execution.progress import ProgressStats
from bench.execution.ray_cluster import Connection
from bench.execution.run_trials import run_trials
from bench.execution.signals import INTERRUPTED, is_stop, stop_on_signals
from bench.ledger.file_store import FileStore
from bench.ledger.ledger import Ledger
from bench.streams import unfailing_streams

MONITOR = "/tmp/ray/session_latest/logs/monitor.*"
NODES_SECONDS = 60.0
"""How often it is looked whether nodes fail to join."""
OUT = "out"
"""The folder in a run's own that its watchers fetch entries from."""


def drive_run(folder: Path) -> int:
    """Run what `folder` holds; the exit code. Everything is told in the folder's events, errors too."""
    run = unpack(folder)
    events = EventFile(folder)
    threading.Thread(target=_watch_nodes, args=(events,), name="nodes", daemon=True).start()
    with unfailing_streams(), stop_on_signals():
        try:
            failed = _drive(run, folder, events, _variables(folder))
        except BaseException as end:
            if is_stop(end):
                events.over("stopped")
                return INTERRUPTED
            if isinstance(end, UserError):
                events.over("error", message=f"on the head: {end}")
                return 2
            more = f"`ray job logs {run.name}` on the head has more"
            events.over("error", message=f"{type(end).__name__}: {end}; {more}")
            raise
    events.over("done", failed=failed)
    return 0


def _variables(folder: Path) -> dict[str, str]:
    """The run's environment variables, set here and to be set in each worker; their file is not left lying about."""
    file = folder / VARIABLES
    variables: dict[str, str] = json.loads(file.read_text())
    file.unlink()
    os.environ.update(variables)
    return variables


def _watch_nodes(events: EventFile) -> None:
    """Tell of nodes that do not join, which would be waited for without a word; each once."""
    pending: set[str] = set()
    told: set[str] = set()
    while True:
        time.sleep(NODES_SECONDS)
        command = [sys.executable, "-P", "-m", "ray.scripts.scripts", "status"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=NODES_SECONDS, check=True)
        except (OSError, subprocess.SubprocessError):  # a busy head: the next time will do
            continue
        still, failed = nodes_amiss(done.stdout)
        for line in [f"not joined yet: {line}" for line in still if line in pending] + failed:
            if line not in told:
                told.add(line)
                events.tell("note", text=f"node {line}; {MONITOR} on the head say why")
        pending = set(still)


def nodes_amiss(status: str) -> tuple[list[str], list[str]]:
    """The lines of `ray status` about nodes that are pending, and about those that failed to start or were lost."""
    found: dict[str, list[str]] = {"Pending:": [], "Recent failures:": []}
    section: list[str] | None = None
    for line in status.splitlines():
        if line.startswith(" ") and section is not None:
            if not line.startswith(" (no "):
                section.append(line.strip())
        else:
            section = found.get(line.strip())
    return found["Pending:"], found["Recent failures:"]


def _drive(run: RunBundle, folder: Path, events: EventFile, variables: dict[str, str]) -> bool:
    ledger = Ledger(run.results)
    ledger.check_writable()
    sent = folder / "datasets"
    datasets: dict[str, Dataset] = {}
    for trial in run.trials:
        if trial.data not in datasets:
            data_dir = sent if sent.is_dir() else None
            datasets[trial.data] = load(
                trial.run_config["dataset"], data_dir, lambda text: events.tell("note", text=text)
            )
    failed = False
    connection = Connection("auto", grows=run.grows, prepared=True, variables=variables)
    for number, part in enumerate(run.parts):
        failed |= _part(run, number, part, ledger, datasets, folder, events, connection)
    return failed


def _part(
    run: RunBundle,
    number: int,
    part: BundledSuite,
    ledger: Ledger,
    datasets: dict[str, Dataset],
    folder: Path,
    events: EventFile,
    connection: Connection,
) -> bool:
    done = ledger.done(part.pruning.model_dump(mode="json") if part.pruning else None)
    news = [trial.key for trial in part.trials if trial.key in done and trial.key not in run.known]
    for key in news:
        export_record(ledger, key, folder)
    events.tell("begins", **begins(number, [done[key] for key in news], run.jobs or 0))

    def watched_by(tally: ProgressStats) -> EventRecorder:
        return EventRecorder(tally, events, lambda key: export_record(ledger, key, folder))

    records = run_trials(
        part.trials,
        datasets,
        ledger,
        Console(markup=False, highlight=False),
        pruning=part.pruning,
        suite=part.suite,
        git_commit=run.git_commit,
        cpus_per_trial=run.cpus_per_trial,
        gpus_per_trial=run.gpus_per_trial,
        jobs=run.jobs,
        checkpoint_after=run.checkpoint_after,
        retries=run.retries,
        sampling_seed=part.sampling_seed,
        connection=connection,
        watched_by=watched_by,
    )
    export_records(ledger, part, run, folder)
    events.tell("ends", part=number)
    return any(record.status == "failed" for record in records)


def export_records(ledger: Ledger, part: BundledSuite, run: RunBundle, folder: Path) -> None:
    """Hand out what another run on this ledger has found of the part's trials while this one went on, too."""
    for trial in part.trials:
        if trial.key not in run.known:
            export_record(ledger, trial.key, folder)


def export_record(ledger: Ledger, key: str, folder: Path) -> None:
    """Put a key's entries where the run's watchers fetch them; those of a ledger at a URL they read there."""
    home = ledger.store
    if not isinstance(home, FileStore):
        return
    out = FileStore(folder / OUT)
    for name in home.names_of(key):
        target = out.location(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            try:
                target.hardlink_to(home.location(name))
            except FileExistsError:
                raise
            except OSError:  # a file system without links
                shutil.copyfile(home.location(name), target)


if __name__ == "__main__":
    sys.exit(drive_run(Path(sys.argv[1])))
