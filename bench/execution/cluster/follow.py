"""Following a run from here: its events shown as they come, its records brought home; leaving it does not end it."""

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
from typing import Any

from rich.console import Console

from bench.errors import UserError
from bench.execution.cluster.bundle import RunBundle
from bench.execution.cluster.events import ALIVE_SECONDS, EVENTS, play
from bench.execution.cluster.head import CommandError, ConnectionLostError, last_lines, leave, shell, stream
from bench.execution.cluster.jobs import Job, fetch, folder_of_run, forget_variables, jobs_of
from bench.execution.cluster.launcher import Launcher
from bench.execution.progress import ProgressDisplay, ProgressStats, console_progress
from bench.ledger.address import is_url, with_results
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record

FETCH_SECONDS = 10.0
"""How often records are brought home while trials end."""
SILENCE_SECONDS = 3 * ALIVE_SECONDS
AGAIN_SECONDS = 5.0
"""How long to wait before another connection is tried."""


def follow(launcher: Launcher, run: RunBundle, ledger: Ledger, console: Console) -> dict[str, Any]:
    """Show a run until it is over; the last event. What it has found is in the ledger then.

    The connection may break and come back: events are read on from where they were. KeyboardInterrupt leaves the run
    to itself.
    """
    part = 0
    with tempfile.TemporaryDirectory(prefix="bench-fetch-") as incoming, contextlib.ExitStack() as shown:
        home = RecordFetcher(launcher, run, ledger, Path(incoming))
        view: ProgressDisplay | None = None
        trials = {trial.key: trial for trial in run.trials}
        try:
            for event in _events(launcher, run.name, console):
                if event["event"] == "begins":
                    part = event["part"]
                    view = shown.enter_context(console_progress(console)(_stats(run, part, event, ledger)))
                elif event["event"] == "ends":
                    shown.close()
                    view = None
                elif event["event"] == "over":
                    shown.close()
                    home.finish(console)
                    return event
                elif view is not None:
                    play(event, trials, view)
                elif event["event"] == "note":
                    console.print(event["text"], highlight=False, markup=False)
                if event["event"] in ("ended", "begins"):
                    home.wanted.set()
        finally:
            home.leave()
    raise AssertionError("events end with an outcome")


def _stats(run: RunBundle, part: int, event: dict[str, Any], ledger: Ledger) -> ProgressStats:
    pruning = run.parts[part].pruning
    done = ledger.done(pruning.model_dump(mode="json") if pruning else None)
    done |= {record.key: record for record in (Record.from_json(told) for told in event["reused"])}
    known = set(run.known) | {told["key"] for told in event["reused"]}
    trials = run.parts[part].trials
    reused = [done[trial.key] for trial in trials if trial.key in done and trial.key in known]
    return ProgressStats(trials, reused, event["slots"] or 1, with_results("bench show", ledger.root))


class RecordFetcher:
    """Brings records home in a thread of its own, which a slow connection may keep busy."""

    def __init__(self, launcher: Launcher, run: RunBundle, ledger: Ledger, incoming: Path):
        self.launcher, self.run, self.ledger, self.incoming = launcher, run, ledger, incoming
        self.wanted = threading.Event()
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._work, name="records", daemon=True)
        if not is_url(run.results):
            self._thread.start()

    def _work(self) -> None:
        # A ledger is read by one thread: this one has its own view of the same folder.
        ledger = Ledger(self.ledger.root)
        while not self._left.is_set():
            if not self.wanted.wait(1.0):
                continue
            self.wanted.clear()
            try:
                fetch(self.launcher, self.run.name, self.incoming, ledger)
            except (ConnectionLostError, CommandError, UserError):  # `finish` tells of what stays wrong
                self.wanted.set()
            self._left.wait(FETCH_SECONDS)

    def finish(self, console: Console) -> None:
        """Fetch what is left, however often that takes."""
        told = False
        self.leave()
        if is_url(self.run.results):
            self.ledger.refresh()
            return
        while True:
            try:
                fetch(self.launcher, self.run.name, self.incoming, self.ledger)
                return
            except (ConnectionLostError, CommandError) as error:
                if not told:
                    console.print(
                        f"the run is over, and its last records cannot be fetched yet: {last_lines(str(error), 1)}\n"
                        "trying again; Ctrl-C leaves them there",
                        highlight=False, markup=False, style="dim",
                    )  # fmt: skip
                told = True
                time.sleep(AGAIN_SECONDS)

    def leave(self) -> None:
        self._left.set()
        if self._thread.is_alive():
            self._thread.join()


def _events(launcher: Launcher, name: str, console: Console) -> Iterator[dict[str, Any]]:
    """The run's events from the first on, over as many connections as it takes; the last one is "over"."""
    seen = 0
    lost, said = False, ""
    while True:
        path = f"{folder_of_run(launcher, name)}/{EVENTS}"
        process = stream(launcher, f"tail -n +{seen + 1} -F {path} 2>/dev/null")
        lines: queue.Queue[bytes | None] = queue.Queue()
        reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
        reader.start()
        try:
            while True:
                try:
                    line = lines.get(timeout=SILENCE_SECONDS)
                except queue.Empty:
                    break
                if line is None:
                    break
                event = _parse(line)
                if event is None:
                    continue
                if lost:
                    console.print("connected again", style="dim")
                lost, said = False, ""
                seen += 1
                yield event
                if event["event"] == "over":
                    return
        finally:
            leave(process)
        job = _job(launcher, name)
        if job and job.status in ("FAILED", "STOPPED", "GONE"):  # of one that succeeded the last words are under way
            # What was told before it ended may still be unread, the reason itself among it.
            unread = _unread(launcher, path, seen)
            yield from unread
            if not unread or unread[-1]["event"] != "over":
                with contextlib.suppress(ConnectionLostError, CommandError):
                    forget_variables(launcher, [name])
                yield {"event": "over", "outcome": "error", "message": _ended_unreported(launcher, name, job)}
            return
        if job and job.status == "PENDING":
            state = "Ray is installing the run's packages on the cluster"
        elif job and not seen:
            state = "the run's driver is starting"
        else:
            state = f"no word from {launcher.name!r}; the run goes on there, trying to connect again"
        if state != said:
            console.print(state, highlight=False, markup=False, style="dim")
        said, lost = state, job is None or seen > 0
        time.sleep(AGAIN_SECONDS)


def _unread(launcher: Launcher, path: str, seen: int) -> list[dict[str, Any]]:
    """The events of a run that is over after those that were seen; none where the head does not answer."""
    try:
        text = shell(launcher, f"tail -n +{seen + 1} {path}")
    except (ConnectionLostError, CommandError):
        return []
    return [event for line in text.encode().splitlines() if (event := _parse(line))]


def _job(launcher: Launcher, name: str) -> Job | None:
    """The run's job; None while the head cannot be asked."""
    try:
        return jobs_of(launcher).get(name, Job("GONE"))
    except (ConnectionLostError, CommandError):
        return None


def _ended_unreported(launcher: Launcher, name: str, job: Job) -> str:
    """What can be said of a run whose driver has said nothing of its end."""
    why = "".join(f"    {line}\n" for line in job.reason.splitlines())
    server = launcher.settings.job_server
    logs = f"{launcher.settings.python} -m ray.scripts.scripts job logs --address {server} {name}"
    look = shlex.join(["ray", "exec", str(launcher.path), logs])
    return (
        f"the run's driver ended without a word (Ray says {job.status.lower()}); what it had published is safe\n{why}"
        f"  look there: {look}; the same command starts what is missing"
    )


def _read(process: subprocess.Popen[bytes], lines: queue.Queue[bytes | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put(None)


def _parse(line: bytes) -> dict[str, Any] | None:
    """An event; None for what the launcher and ssh print."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None
