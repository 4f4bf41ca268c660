"""On the head: nodes that fail to start or to join are reported while a run goes on, and others asked for instead.

Ray's autoscaler waits for nodes silently. And it asks again for the kind of node that a cloud has just refused: the
order of node types changes only where a node was promised and did not come (Ray 2.60,
`ray.autoscaler.v2.instance_manager.subscribers.cloud_resource_monitor`). So a task that needs the resource of another
type is given to Ray, which starts such a node for it; a task ends with the run's driver, and asks for nothing then.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.errors import plural
from bench.execution.cluster.events import EventFile

LOGS = Path("/tmp/ray/session_latest/logs")
MONITOR = f"{LOGS}/monitor.*"
CHECK_SECONDS = 20.0
PENDING_SECONDS = 60.0
"""A node that has not joined after this is reported."""
TAIL_BYTES = 200_000
_ATTEMPT = re.compile(r" \(latest_attempt: [\d:]+\)")
_REASON = re.compile(r"Failed to launch \d+ node(?:s|\(s\)) of type (\S+?)[:.] +(.+)")


def watch_nodes(events: EventFile, fallback: str | None) -> None:
    """Report nodes that do not join, which would be waited for silently, each once; until the process ends."""
    watch = NodeWatch(fallback)
    while True:
        time.sleep(CHECK_SECONDS)
        command = [sys.executable, "-P", "-m", "ray.scripts.scripts", "status", "--verbose"]
        try:
            status = subprocess.run(command, capture_output=True, text=True, timeout=60.0, check=True)
        except (OSError, subprocess.SubprocessError):  # a busy head: the next time will do
            continue
        for text in watch.notes(status.stdout, time.monotonic()):
            events.write("note", text=text)


class NodeWatch:
    """What is known of nodes that are awaited, from one look at the cluster to the next."""

    def __init__(self, fallback: str | None = None, logs: Path = LOGS):
        self.fallback = fallback
        self.logs = logs
        self._pending_since: dict[str, float] = {}
        self._noted: set[str] = set()
        self._failures: set[str] = set()
        self._requests: list[Any] = []

    def notes(self, status: str, now: float) -> list[str]:
        """What is new in the output of `ray status --verbose`, in words for people."""
        pending, failures = missing_nodes(status)
        self._pending_since = {line: self._pending_since.get(line, now) for line in pending}
        slow = [line for line, since in self._pending_since.items() if now - since >= PENDING_SECONDS]
        texts = {f"not joined yet: {line}": f"{MONITOR} on the head say why" for line in slow}
        refused = [line for line in failures if _ATTEMPT.search(line)]
        texts |= {_ATTEMPT.sub("", line).partition(" -")[0]: _reason(line, self.logs) for line in failures}
        new = {line: why for line, why in texts.items() if line not in self._noted}
        self._noted |= new.keys()
        notes = [f"node {line}; {why}" for line, why in new.items()]
        latest = [line for line in refused if line not in self._failures]
        self._failures = set(failures)
        if self.fallback and (count := self._request(self.fallback, len(latest))):
            notes.append(f"asking for {plural(count, 'node')} with the resource {self.fallback} instead")
        return notes

    def _request(self, resource: str, failed: int) -> int:
        """Ask for a node in place of each that failed, besides those that are awaited; how many were asked for."""
        try:
            import ray

            if not ray.is_initialized() or not failed:
                return 0
            if self._requests:
                _, self._requests = ray.wait(self._requests, num_returns=len(self._requests), timeout=0)
            task = ray.remote(num_cpus=0, resources={resource: 1.0}, max_retries=0)(_nothing)
            count = max(0, failed - len(self._requests))
            self._requests += [task.remote() for _ in range(count)]
            return count
        except Exception:  # between two suites no Ray is connected: what was asked for there is forgotten
            self._requests = []
            return 0


def _nothing() -> None:
    """What runs on a node that was asked for."""


def missing_nodes(status: str) -> tuple[list[str], list[str]]:
    """The lines of `ray status` about nodes that are pending, and about those that failed to start or were lost."""
    lines: dict[str, list[str]] = {"Pending:": [], "Recent failures:": []}
    section: list[str] | None = None
    for line in status.splitlines():
        if line.startswith(" ") and section is not None:
            if not line.startswith(" (no "):
                section.append(line.strip().rstrip(","))
        else:
            section = lines.get(line.strip())
    return lines["Pending:"], lines["Recent failures:"]


def _reason(failure: str, logs: Path) -> str:
    """Why a node could not be started: the cloud's answer, which the newer autoscaler writes into its log only."""
    node_type, _, _ = failure.partition(":")
    _, _, description = failure.partition(" - ")
    if _ATTEMPT.search(failure):
        if reason := latest_reason(node_type, _log_lines(logs)):
            return reason
        if description and not description.startswith("launch failed with"):
            return description
    return f"{MONITOR} on the head say why"


def latest_reason(node_type: str, lines: Iterable[str]) -> str:
    """The last of a log's messages on a start of this type of node that failed; "" if there is none."""
    reasons = [match[2] for line in lines if (match := _REASON.search(line)) and match[1] == node_type]
    return reasons[-1].strip() if reasons else ""


def _log_lines(logs: Path) -> list[str]:
    """The end of the autoscaler's log on this machine."""
    try:
        with (logs / "monitor.log").open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
