"""Following a run from here: its events are shown as they come, its records fetched; leaving does not end the run."""

from __future__ import annotations

import contextlib
import json
import queue
import shlex
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from bench.errors import UserError
from bench.execution.cluster.bundle import BundledSuite, RunBundle
from bench.execution.cluster.events import EVENTS, HEARTBEAT_SECONDS, Event, fresh_from_json, replay
from bench.execution.cluster.head import CommandError, ConnectionLostError, last_lines, shell, stream, terminate
from bench.execution.cluster.jobs import Job, fetch, jobs_of, remove_variables, run_folder
from bench.execution.cluster.launcher import Launcher
from bench.execution.progress import ProgressDisplay, ProgressStats, confirmation_text, console_progress
from bench.execution.trackers.tracking import with_trackers
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record
from bench.ledger.store import is_url, with_results

FETCH_SECONDS = 10.0
"""How often records are fetched while trials end."""
SILENCE_SECONDS = 3 * HEARTBEAT_SECONDS
RECONNECT_SECONDS = 5.0
"""How long to wait before another connection is tried."""


def follow(launcher: Launcher, bundle: RunBundle, ledger: Ledger, console: Console) -> Event:
    """Show a run until it is over; its last event. All its records are in the ledger then.

    The connection may break and come back: events are read on from where they were. KeyboardInterrupt leaves the run
    going.
    """
    with tempfile.TemporaryDirectory(prefix="bench-fetch-") as incoming, contextlib.ExitStack() as stack:
        fetcher = RecordFetcher(launcher, bundle, ledger, Path(incoming))
        display: ProgressDisplay | None = None
        trials = {trial.key: trial for trial in bundle.trials}
        try:
            for event in _events(launcher, bundle.name, console):
                if event["event"] == "suite_started":
                    suite = bundle.suites[event["suite"]]
                    if event["fresh"]:
                        suite = suite.confirmation(fresh_from_json(event["fresh"], trials.values()))
                        trials |= {trial.key: trial for trial in suite.trials}
                        console.print(confirmation_text(suite.trials), highlight=False, soft_wrap=True)
                    plain = console_progress(console)(_stats(bundle, suite, event, ledger))
                    trackers = bundle.options.trackers
                    display = stack.enter_context(with_trackers(plain, trackers, suite.suite, ledger.root))
                elif event["event"] == "suite_ended":
                    stack.close()
                    display = None
                elif event["event"] == "closed":
                    stack.close()
                    fetcher.finish(console)
                    return event
                elif display is not None:
                    replay(event, trials, display)
                elif event["event"] == "note":
                    console.print(event["text"], highlight=False, markup=False)
                if event["event"] in ("ended", "suite_started"):
                    fetcher.wanted.set()
        finally:
            fetcher.leave()
    raise AssertionError("events end with an outcome")


def _stats(bundle: RunBundle, suite: BundledSuite, event: Event, ledger: Ledger) -> ProgressStats:
    done = suite.done(ledger)
    done |= {record.key: record for record in map(Record.from_json, event["reused"])}
    known = set(bundle.known) | {record["key"] for record in event["reused"]}
    reused = [done[trial.key] for trial in suite.trials if trial.key in done and trial.key in known]
    return ProgressStats(suite.trials, reused, event["slots"] or 1, with_results("bench show", ledger.root))


class RecordFetcher:
    """Fetches records in a thread of its own, which a slow connection may block."""

    def __init__(self, launcher: Launcher, bundle: RunBundle, ledger: Ledger, incoming: Path):
        self.launcher, self.bundle, self.ledger, self.incoming = launcher, bundle, ledger, incoming
        self.wanted = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._fetch_repeatedly, name="records", daemon=True)
        if not is_url(bundle.results):
            self._thread.start()

    def _fetch_repeatedly(self) -> None:
        # A ledger is read by one thread: this one has an object of its own for the same folder.
        ledger = Ledger(self.ledger.root)
        while not self._stopped.is_set():
            if not self.wanted.wait(1.0):
                continue
            self.wanted.clear()
            try:
                fetch(self.launcher, self.bundle.name, self.incoming, ledger)
            except (ConnectionLostError, CommandError, UserError):  # `finish` reports what stays wrong
                self.wanted.set()
            self._stopped.wait(FETCH_SECONDS)

    def finish(self, console: Console) -> None:
        """Fetch what is left, however often that must be tried."""
        warned = False
        self.leave()
        if is_url(self.bundle.results):
            self.ledger.refresh()
            return
        while True:
            try:
                fetch(self.launcher, self.bundle.name, self.incoming, self.ledger)
                return
            except (ConnectionLostError, CommandError) as error:
                if not warned:
                    console.print(
                        f"the run is over, and its last records cannot be fetched yet: {last_lines(str(error), 1)}\n"
                        "trying again; Ctrl-C leaves them there",
                        highlight=False, markup=False, style="dim",
                    )  # fmt: skip
                warned = True
                time.sleep(RECONNECT_SECONDS)

    def leave(self) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()


def _events(launcher: Launcher, name: str, console: Console) -> Iterator[Event]:
    """The run's events from the first on, over as many connections as it takes; the last one is "closed"."""
    count = 0
    disconnected, last_state = False, ""
    while True:
        path = f"{run_folder(launcher, name)}/{EVENTS}"
        for event in _streamed_events(launcher, f"tail -n +{count + 1} -F {path} 2>/dev/null"):
            if disconnected:
                console.print("connected again", style="dim")
            disconnected, last_state = False, ""
            count += 1
            yield event
            if event["event"] == "closed":
                return
        job = _job(launcher, name)
        if job and job.status in ("FAILED", "STOPPED", "GONE"):  # of one that succeeded the last events are under way
            # What was written before it ended may still be unread, the reason itself among it.
            unread = _unread(launcher, path, count)
            yield from unread
            if not unread or unread[-1]["event"] != "closed":
                with contextlib.suppress(ConnectionLostError, CommandError):
                    remove_variables(launcher, [name])
                yield {"event": "closed", "outcome": "error", "message": _ended_unreported(launcher, name, job)}
            return
        if job and job.status == "PENDING":
            state = "Ray is installing the run's packages on the cluster"
        elif job and not count:
            state = "the run's driver is starting"
        else:
            state = f"{launcher.name!r} does not answer; the run goes on there, trying to connect again"
        if state != last_state:
            console.print(state, highlight=False, markup=False, style="dim")
        last_state, disconnected = state, job is None or count > 0
        time.sleep(RECONNECT_SECONDS)


def _streamed_events(launcher: Launcher, command: str) -> Iterator[Event]:
    """The events that a command on the head prints, until it ends or is silent for long."""
    process = stream(launcher, command)
    lines: queue.Queue[bytes | None] = queue.Queue()
    threading.Thread(target=_read, args=(process, lines), daemon=True).start()
    try:
        while True:
            try:
                line = lines.get(timeout=SILENCE_SECONDS)
            except queue.Empty:
                return
            if line is None:
                return
            if event := _parse(line):
                yield event
    finally:
        terminate(process)


def _read(process: subprocess.Popen[bytes], lines: queue.Queue[bytes | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put(None)


def _unread(launcher: Launcher, path: str, count: int) -> list[Event]:
    """The events of a run that is over after the first `count`; none where the head does not answer."""
    try:
        text = shell(launcher, f"tail -n +{count + 1} {path}")
    except (ConnectionLostError, CommandError):
        return []
    return [event for line in text.encode().splitlines() if (event := _parse(line))]


def _parse(line: bytes) -> Event | None:
    """An event; None for what the launcher and ssh print."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


def _job(launcher: Launcher, name: str) -> Job | None:
    """The run's job; None while the head cannot be asked."""
    try:
        return jobs_of(launcher).get(name, Job("GONE"))
    except (ConnectionLostError, CommandError):
        return None


def _ended_unreported(launcher: Launcher, name: str, job: Job) -> str:
    """The message on a run whose driver has ended without reporting why."""
    reason = "".join(f"    {line}\n" for line in job.reason.splitlines())
    server = launcher.settings.job_server
    logs = f"{launcher.settings.python} -m ray.scripts.scripts job logs --address {server} {name}"
    command = shlex.join(["ray", "exec", str(launcher.path), logs])
    return (
        f"the run's driver ended without reporting why (Ray: {job.status.lower()}); what it had published is safe\n"
        f"{reason}  see its log: {command}; the same command starts what is missing"
    )
