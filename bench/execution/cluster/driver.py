"""On the head: the driver of a run's Ray job."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import shlex
import shutil
import subprocess
import threading
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bench.data import Dataset
from bench.errors import UserError
from bench.execution.cluster.bundle import VARIABLES, BundledSuite, RunBundle, unpack
from bench.execution.cluster.events import EventFile, EventRecorder, suite_started, write_proposed
from bench.execution.cluster.node_watch import watch_nodes
from bench.execution.keep_weights import settle
from bench.execution.messages import Connection, RunOptions
from bench.execution.progress import ProgressStats
from bench.execution.run_trials import run_trials
from bench.execution.signals import INTERRUPTED, finishing, is_stop, stop_after, stop_on_signals, time_is_up
from bench.execution.user_dataset import load_dataset
from bench.ledger.file_store import FileStore
from bench.ledger.ledger import Ledger
from bench.ledger.store import entry_names, entry_path
from bench.ledger.weights_files import list_weights
from bench.streams import tolerant_streams
from bench.suite.trial import Trial

OUT = "out"
"""The folder of a run that its followers fetch entries from."""


SelectFresh = Callable[[Ledger, BundledSuite], list[Trial]]
"""The trials with fresh seeds that a suite's `confirm` asks for, once its others have ended; none without it."""


def drive_run(folder: Path, select_fresh: SelectFresh) -> int:
    """Run what `folder` holds; the exit code. Everything is written to the folder's events, errors too."""
    bundle = unpack(folder)
    events = EventFile(folder)
    with head_stays_on(folder.parent, bundle.idle_head_minutes, lambda text: events.write("note", text=text)):
        return _drive_run(bundle, folder, events, select_fresh)


@contextlib.contextmanager
def head_stays_on(runs: Path, minutes: float | None, note: Callable[[str], None]) -> Iterator[None]:
    """While a run goes on; `minutes` after the last of the runs in the folder `runs` this machine is powered off.

    Without `minutes` nothing is done. A run's driver that was killed leaves the machine on.
    """
    if not minutes:
        yield
        return
    _power(note, "-c")
    with (runs / "active").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        try:
            yield
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)
            with contextlib.suppress(BlockingIOError):  # another run goes on, and does this at its end
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _power(note, "-h", f"+{math.ceil(minutes)}")


def _power(note: Callable[[str], None], *arguments: str) -> None:
    command = ["sudo", "-n", "shutdown", *arguments]
    try:
        subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        reason = getattr(error, "stderr", "") or error
        note(f"idle_head_minutes: `{shlex.join(command)}` failed on the head, which stays on: {str(reason).strip()}")


def _drive_run(bundle: RunBundle, folder: Path, events: EventFile, select_fresh: SelectFresh) -> int:
    threading.Thread(target=watch_nodes, args=(events, bundle.fallback), name="nodes", daemon=True).start()
    with tolerant_streams(), stop_on_signals(), stop_after(bundle.options.max_hours):
        try:
            failed = _drive(bundle, folder, events, _variables(folder), select_fresh)
        except BaseException as error:
            if is_stop(error):
                with finishing():
                    events.close("stopped", time_is_up=time_is_up())
                return INTERRUPTED
            if isinstance(error, UserError):
                events.close("error", message=f"on the head: {error}")
                return 2
            logs = f"`ray job logs {bundle.name}` on the head has more"
            events.close("error", message=f"{type(error).__name__}: {error}; {logs}")
            raise
    events.close("done", failed=failed)
    return 0


def _variables(folder: Path) -> dict[str, str]:
    """The run's environment variables, set in this process and to be set in each worker; their file is removed."""
    file = folder / VARIABLES
    variables: dict[str, str] = json.loads(file.read_text())
    file.unlink()
    os.environ.update(variables)
    return variables


def _drive(
    bundle: RunBundle, folder: Path, events: EventFile, variables: dict[str, str], select_fresh: SelectFresh
) -> bool:
    ledger = Ledger(bundle.results)
    ledger.check_writable()
    sent = folder / "datasets"
    datasets: dict[str, Dataset] = {}
    for trial in bundle.trials:
        if trial.data not in datasets:
            data_dir = sent if sent.is_dir() else None
            datasets[trial.data] = load_dataset(trial, data_dir, lambda text: events.write("note", text=text))
    connection = Connection("auto", autoscaling=bundle.autoscaling, prepared=True, variables=variables)
    options = replace(bundle.options, connection=connection)
    failed = False
    for number, suite in enumerate(bundle.suites):
        failed |= _run_suite(bundle, number, suite, ledger, datasets, folder, events, options)
        if fresh := select_fresh(ledger, suite):
            confirmation = suite.confirmation(fresh)
            failed |= _run_suite(bundle, number, confirmation, ledger, datasets, folder, events, options)
    return failed


def _run_suite(
    bundle: RunBundle,
    number: int,
    suite: BundledSuite,
    ledger: Ledger,
    datasets: dict[str, Dataset],
    folder: Path,
    events: EventFile,
    options: RunOptions,
) -> bool:
    """Run the missing trials of one suite of the run; whether trials failed."""
    done = suite.done(ledger)
    unknown = [trial.key for trial in suite.trials if trial.key in done and trial.key not in bundle.known]
    for key in unknown:
        export_record(ledger, key, folder)
    events.write("suite_started", **suite_started(number, suite, [done[key] for key in unknown], options.jobs or 0))
    trials = suite.trials_so_far(ledger, options.forced)
    for trial in trials:
        if trial.key in done and trial.key not in bundle.known:
            export_record(ledger, trial.key, folder)
    write_proposed(events, suite.trials, trials, done)

    def display(stats: ProgressStats) -> EventRecorder:
        return EventRecorder(stats, events, lambda key: export_record(ledger, key, folder))

    options = suite.options(options)
    try:
        records = run_trials(
            suite.trials, datasets, ledger, Console(markup=False, highlight=False), options, display=display
        )
        trials = suite.trials_so_far(ledger, options.forced)
        for trial in trials:  # another run on this ledger may have published some meanwhile
            if trial.key not in bundle.known:
                export_record(ledger, trial.key, folder)
        settle(trials, ledger, options)
    finally:
        if options.keep != "none":  # of a run that was stopped, too: the head may be given back
            with finishing():
                trials = suite.trials_so_far(ledger, options.forced)
                export_weights(ledger, {trial.key for trial in trials}, folder)
    events.write("suite_ended", suite=number)
    return any(record.status == "failed" for record in records)


def export_record(ledger: Ledger, key: str, folder: Path) -> None:
    """Link a key's entries into the folder that followers fetch from; they read a ledger at a URL themselves."""
    if isinstance(ledger.store, FileStore):
        _link(ledger.store, entry_names(ledger.store, key), folder)


def export_weights(ledger: Ledger, keys: Container[str], folder: Path) -> None:
    """Link the weights of keys as `export_record` does entries; at the end of a suite, when it is known whose stay."""
    if isinstance(ledger.store, FileStore):
        _link(ledger.store, [file.name for file in list_weights(ledger.store) if file.key in keys], folder)


def _link(store: FileStore, names: Iterable[str], folder: Path) -> None:
    for name in names:
        source, target = store.root / entry_path(name), folder / OUT / entry_path(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            try:
                target.hardlink_to(source)
            except FileExistsError:
                raise
            except OSError:  # a file system without links
                shutil.copyfile(source, target)
