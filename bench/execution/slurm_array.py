"""Runs on SLURM: an array of independent drivers on one ledger is submitted, followed and stopped.

Each task of the array runs `bench.commands.drive` in the run's folder, which every node must see. The drivers
share nothing but the ledger. A task that nears its time limit gets SIGTERM, keeps checkpoints and is queued again.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from bench.errors import UserError, nearest, plural
from bench.execution.adaptive_search import to_propose
from bench.execution.cluster.bundle import RunBundle, pack, unpack
from bench.execution.cluster.events import EVENTS, Event, fresh_from_json, read_events, replay
from bench.execution.progress import ProgressDisplay, ProgressStats, confirmation_text, console_progress
from bench.execution.scheduler import work_plan
from bench.execution.slurm_settings import SlurmSettings
from bench.ledger.file_store import write_atomically
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record
from bench.ledger.store import ENTRIES, is_url, with_results

RUNS = "slurm"
"""The folder of runs in the ledger's folder."""
SCRIPT, JOB, TASKS, LOG = "job.sh", "job.json", "tasks", "log.txt"
POLL_SECONDS = 1.0
QUEUE_SECONDS = 5.0
"""How often SLURM is asked for the states of tasks."""
ACTIVE = ("PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "REQUEUED", "REQUEUE_HOLD", "SUSPENDED", "RESIZING")


@dataclass(frozen=True)
class SlurmRun:
    """A submitted run: its folder and SLURM's number of its array."""

    folder: Path
    job: str

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def tasks(self) -> list[Path]:
        """The folder of each task."""
        return sorted((self.folder / TASKS).iterdir(), key=lambda path: int(path.name))


def check_slurm() -> None:
    """UserError where SLURM's commands are not on this machine."""
    for program in ("sbatch", "squeue", "scancel"):
        if shutil.which(program) is None:
            raise UserError(
                f"--slurm: `{program}` is not on this machine\n"
                "  run this on a login node of the SLURM cluster, or leave --slurm out to train here"
            )


def submit(settings: SlurmSettings, bundle: RunBundle, data_dir: Path | None, console: Console) -> SlurmRun:
    """Write the run's folder and submit its array.

    Raises
    ------
    UserError
        The folder cannot be written, or SLURM refuses the job.
    """
    folder = _runs_folder(settings.folder, bundle.results) / bundle.name
    tasks = min(settings.tasks, max(1, len(bundle.trials)))
    if not is_url(bundle.results):  # tasks run in another folder
        bundle = replace(bundle, results=str(Path(bundle.results).absolute()))
    try:
        if not is_url(bundle.results):  # what else lies in a new folder does not make it a ledger
            (Path(bundle.results) / ENTRIES).mkdir(parents=True, exist_ok=True)
        for task in range(tasks):
            (folder / TASKS / str(task)).mkdir(parents=True)
        pack(bundle, folder)
        (folder / SCRIPT).write_text(script(settings, bundle.name, folder, tasks, data_dir), encoding="utf-8")
        job = _slurm("sbatch", "--parsable", str(folder / SCRIPT)).strip().split(";")[0]
        write_atomically(json.dumps({"job": job}).encode(), folder / JOB, aside=folder)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)  # a task that was submitted ends at once without it
        if not isinstance(error, OSError):
            raise
        raise UserError(f"{folder}: cannot be written: {error.strerror}; `folder` names another place") from error
    console.print(
        f"submitted {bundle.name} as SLURM job {job}: {plural(tasks, 'task')}", highlight=False, soft_wrap=True
    )
    return SlurmRun(folder, job)


def script(settings: SlurmSettings, name: str, folder: Path, tasks: int, data_dir: Path | None) -> str:
    """The job script: SIGTERM is passed on to the driver; a task that its time limit stopped is queued again."""
    options = {
        "job-name": f"bench-{name}",
        "array": f"0-{tasks - 1}",
        "output": str(folder / TASKS / "%a" / LOG).replace("\\", "\\\\"),
        "open-mode": "append",
        "requeue": True,
        "signal": f"B:TERM@{settings.lead_seconds}",
        **settings.sbatch,
    }
    lines = [
        f"#SBATCH --{option}" + ("" if value is True else f"={value}")
        for option, value in options.items()
        if value is not False
    ]
    data = f"export BENCH_DATA={shlex.quote(str(data_dir.absolute()))}" if data_dir else ""
    return "\n".join(
        [
            "#!/bin/bash",
            *lines,
            *settings.setup,
            data,
            f"cd {shlex.quote(str(folder))} || exit 2",
            "stopped=",
            "trap 'stopped=yes; kill -TERM \"$driver\" 2>/dev/null' TERM",
            f'{settings.python} -m bench.commands.drive . "$SLURM_ARRAY_TASK_ID" &',
            "driver=$!",
            'wait "$driver"; code=$?',
            'while [ -n "$stopped" ] && kill -0 "$driver" 2>/dev/null; do wait "$driver"; code=$?; done',
            "# The driver may have ended between the signal, which makes `wait` give 143, and the look for it.",
            '[ -n "$stopped" ] && [ "$code" = 143 ] && { wait "$driver"; code=$?; }',
            "# A task that was cancelled is not running any more, and stays cancelled.",
            'job="${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"',
            'if [ -n "$stopped" ] && [ "$code" = 130 ] &&'
            f' [ "${{SLURM_RESTART_COUNT:-0}}" -lt {settings.max_requeues} ] &&',
            '   scontrol show job "$job" | grep -q JobState=RUNNING; then',
            '  scontrol requeue "$job"',
            "fi",
            'exit "$code"',
            "",
        ]
    )


def runs(results: object, folder: Path | None = None) -> list[SlurmRun]:
    """The submitted runs on a ledger, latest first."""
    files = sorted(_runs_folder(folder, results).glob(f"*/{JOB}"), key=lambda file: file.stat().st_mtime, reverse=True)
    return [SlurmRun(file.parent, json.loads(file.read_text())["job"]) for file in files]


def find_run(name: str, results: object, folder: Path | None = None) -> SlurmRun:
    """A run by its name; UserError where there is none."""
    known = runs(results, folder)
    for run in known:
        if run.name == name:
            return run
    hint = nearest(name, [run.name for run in known])
    command = with_results("bench slurm status", results)
    raise UserError(f"{name!r} is no run on {results}; `{command}` lists them" + (f"\n  {hint}" if hint else ""))


def task_states(run: SlurmRun) -> dict[str, str]:
    """SLURM's state of each task that it still lists, by the task's number; tasks that ended long ago are missing."""
    command = ["squeue", "--noheader", "--array", "--states=all", f"--jobs={run.job}", "--format=%K %T %r"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:  # "Invalid job id": it ended long ago; another error is met at the next call
        return {} if "nvalid job id" in process.stderr else {"?": "UNKNOWN"}
    states = {}
    for line in process.stdout.splitlines():
        number, state, reason = line.split(maxsplit=2)
        waits_for = f" ({reason})" if state == "PENDING" and reason not in ("None", "Priority") else ""
        states[number] = state + waits_for
    return states


def is_active(states: dict[str, str]) -> bool:
    """Whether some task waits or runs."""
    return any(state.startswith((*ACTIVE, "UNKNOWN")) for state in states.values())


def stop(run: SlurmRun) -> None:
    """Cancel a run's tasks: drivers get SIGTERM and keep checkpoints. Returns when all have ended."""
    _slurm("scancel", run.job)
    while is_active(task_states(run)):
        time.sleep(POLL_SECONDS)


def follow(run: SlurmRun, ledger: Ledger, console: Console) -> int | None:
    """Show a run until all its tasks have ended; how many trials failed, None where some were not run.

    KeyboardInterrupt leaves the run going.
    """
    bundle = unpack(run.folder, with_code=False)
    trials = {trial.key: trial for trial in bundle.trials}
    known = set(bundle.known)
    done = {key: record for suite in bundle.suites for key, record in suite.done(ledger).items()}
    reused = [done[key] for key in trials if key in done and key in known]
    ended = dict.fromkeys(known, "")

    def new_display() -> ProgressDisplay:
        command = with_results("bench show", ledger.root)
        return console_progress(console)(ProgressStats(list(trials.values()), reused, len(run.tasks), command))

    with contextlib.ExitStack() as stack:
        display = stack.enter_context(new_display())
        for event in _events(run, console):
            if event["event"] == "closed":
                if event["outcome"] == "error":
                    display.note(event["message"])
            elif event["event"] == "confirming":
                fresh = fresh_from_json(event["fresh"], trials.values())
                if not {trial.key for trial in fresh} <= trials.keys():  # the first task that says so
                    stack.close()
                    trials |= {trial.key: trial for trial in fresh}
                    console.print(confirmation_text(fresh), highlight=False, soft_wrap=True)
                    display = stack.enter_context(new_display())
            elif event.get("key") not in ended:
                replay(event, trials, display)
                if event["event"] == "ended":
                    ended[event["key"]] = event["record"]["status"]
                    reused.append(Record.from_json(event["record"]))
    ledger.refresh()
    failed = {key for key, status in ended.items() if status == "failed"}
    left = trials_left(run, bundle, ledger, failed)
    return None if left - failed else len(left & failed)  # what failed in one task may have been trained by another


def trials_left(run: SlurmRun, bundle: RunBundle, ledger: Ledger, failed: Container[str] = ()) -> set[str]:
    """The keys of a run's trials that have not been trained; trials that failed are among them.

    Fresh seeds are among them once a task has selected them. What a search is still to propose has made up keys. Under
    pruning the later seeds of a configuration whose first seed `failed` are not: they run with that only.
    """
    left: set[str] = set()
    for suite in bundle.suites:
        trials = suite.trials_so_far(ledger)
        for identity, (seeds, numbers) in to_propose(trials).items():
            left |= {f"{identity}/{number}/{trial.seed}" for number in numbers for trial in seeds}
        plan = work_plan(trials, suite.done(ledger), suite.pruning)
        never = {trial.group for trial in plan.ready if trial.key in failed} & plan.deferred.keys()
        later = [trial for group, trials in plan.deferred.items() if group not in never for trial in trials]
        left |= {trial.key for trial in [*plan.ready, *later]}
    return left | (fresh_keys(run) - ledger.done(None).keys())


def trial_keys(run: SlurmRun, bundle: RunBundle, ledger: Ledger) -> set[str]:
    """The keys of a run's trials, as `trials_left` has them."""
    known = {trial.key for suite in bundle.suites for trial in suite.trials_so_far(ledger)}
    return known | fresh_keys(run) | trials_left(run, bundle, ledger)


def fresh_keys(run: SlurmRun) -> set[str]:
    """The keys of the trials with fresh seeds that tasks have selected."""
    events = (event for task in run.tasks for event in read_events(task / EVENTS)[0])
    return {key for event in events if event["event"] == "confirming" for _, _, key in event["fresh"]}


def _events(run: SlurmRun, console: Console) -> Iterator[Event]:
    """The events of all drivers, as they come, until SLURM lists no task as waiting or running."""
    offsets = dict.fromkeys(run.tasks, 0)
    queried, last_text = 0.0, ""
    while True:
        yield from _new_events(offsets)
        if time.monotonic() - queried > QUEUE_SECONDS:
            states = task_states(run)
            queried = time.monotonic()
            if not is_active(states):
                yield from _new_events(offsets)
                return
            text = _waiting_text(states)
            if text and text != last_text:
                console.print(text, highlight=False, markup=False, style="dim")
            last_text = text
        time.sleep(POLL_SECONDS)


def _new_events(offsets: dict[Path, int]) -> Iterator[Event]:
    for task in offsets:
        events, offsets[task] = read_events(task / EVENTS, offsets[task])
        yield from events


def reasons(run: SlurmRun) -> list[str]:
    """Of the tasks that did not end well, a line each on why."""
    states = task_states(run)
    lines = []
    for task in run.tasks:
        events = read_events(task / EVENTS)[0]
        last = events[-1] if events else {}
        state = states.get(task.name, "").partition(" ")[0]
        if last.get("outcome") == "error":
            lines.append(last["message"])
        elif state == "TIMEOUT":
            lines.append(
                f"task {task.name}: its time was over before its driver had stopped; raise `lead_seconds` in the SLURM "
                "file"
            )
        elif state and not state.startswith((*ACTIVE, "COMPLETED", "CANCELLED", "UNKNOWN", "FAILED")):
            lines.append(f"task {task.name}: {state.lower().replace('_', ' ')}, by SLURM")
    return lines


def _waiting_text(states: dict[str, str]) -> str:
    """A line where no task runs yet."""
    if any(state.startswith("RUNNING") for state in states.values()):
        return ""
    waiting = sorted({state for state in states.values() if state.startswith(ACTIVE)})
    return f"SLURM has not started it yet: {', '.join(waiting)}" if waiting else ""


def _runs_folder(folder: Path | None, results: object) -> Path:
    if folder is None and is_url(results):
        raise UserError(
            f"--slurm with --results {results}: the run's script, events and logs need a folder that all nodes see\n"
            "  give the SLURM file a `folder`"
        )
    return (folder.expanduser() if folder else Path(str(results)) / RUNS).absolute()


def is_default_folder(folder: Path, results: object) -> bool:
    """Whether the runs on a ledger lie in a folder where no SLURM file has named another."""
    return not is_url(results) and folder == _runs_folder(None, results)


def _slurm(*command: str) -> str:
    """What a command of SLURM prints; UserError with its message where it fails."""
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        message = re.sub(rf"^{command[0]}: (error: )?", "", process.stderr.strip(), flags=re.MULTILINE)
        raise UserError(f"SLURM refuses it: {message or f'{command[0]} ended with {process.returncode}'}")
    return process.stdout
