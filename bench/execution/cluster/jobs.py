"""Runs as Ray jobs on the head: submitting, listing and stopping them, and fetching their records."""

from __future__ import annotations

import json
import re
import secrets
import shlex
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from bench.errors import UserError, plural
from bench.execution.cluster.bundle import PACKAGES, RUN, VARIABLES, RunBundle, pack, unpack
from bench.execution.cluster.driver import OUT
from bench.execution.cluster.events import STATE
from bench.execution.cluster.head import CommandError, fetch_folder, last_lines, send_folder, shell
from bench.execution.cluster.launcher import Launcher, variables
from bench.execution.cluster.requirements import SCRIPT, requirements
from bench.execution.ray_cluster import runtime_env
from bench.ledger.file_store import FileStore
from bench.ledger.ledger import Ledger
from bench.ledger.merge import merge_ledgers
from bench.ledger.store import ENTRIES, entry_names, entry_path, is_url, put_entry

ENVIRONMENT = "environment.yaml"
"""The job's runtime environment, in a run's folder."""
BEFORE_START = "before it started"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,80}")

JOBS = """
import json
from ray.job_submission import JobSubmissionClient
jobs = JobSubmissionClient({server!r}).list_jobs()
print(json.dumps({{job.submission_id: [job.status.value, job.message] for job in jobs if job.submission_id}}))
"""
"""Run by Ray's own Python on the head: the jobs there."""


@dataclass(frozen=True)
class Job:
    """A run's job by Ray: PENDING (its packages are being installed), RUNNING, SUCCEEDED, FAILED or STOPPED.

    GONE is one that Ray does not know, as after a restart of the head.
    """

    status: str
    message: str = ""

    @property
    def is_active(self) -> bool:
        return self.status in ("PENDING", "RUNNING")

    @property
    def reason(self) -> str:
        """The end of Ray's message on a job that failed; pip's own errors if there are any."""
        errors = [line for line in self.message.splitlines() if line.lstrip().startswith("ERROR:")]
        return last_lines("\n".join(errors) or self.message, 8)


@dataclass(frozen=True)
class RunStatus:
    """A run on the head: its `state` in words for people, `counts` of its trials, and why it failed."""

    name: str
    state: str
    counts: str
    reason: str = ""


def new_name(suite: str) -> str:
    """A name for a run, its folder and its job: from its suite and the time."""
    slug = re.sub(r"[^a-z0-9]+", "-", suite.lower()).strip("-")[:40] or "run"
    return f"{slug}-{datetime.now():%m%d-%H%M}-{secrets.token_hex(2)}"


def run_folder(launcher: Launcher, name: str) -> str:
    """A run's folder on the head; UserError for what is no run's name."""
    if not _NAME.fullmatch(name):
        command = shlex.join(["bench", "cluster", "status", "--cluster", str(launcher.path)])
        raise UserError(f"{name!r} is no run's name; `{command}` lists them")
    return f"{launcher.settings.folder}/runs/{name}"


def submit(
    launcher: Launcher, bundle: RunBundle, ledger: Ledger, echo: Callable[[str], None], data_dir: Path | None = None
) -> None:
    """Send a run with what its trials need, and start it as a Ray job named after it.

    The ledger's entries of the run's trials are sent along, unless the ledger is at a URL, where the head reads it.
    """
    remote = run_folder(launcher, bundle.name)
    results = f"{launcher.settings.folder}/results"
    out = shell(launcher, f"mkdir -p {remote}/{OUT}/{ENTRIES} {results}/{ENTRIES} && cd {remote} && pwd")
    folder = out.strip().splitlines()[-1]
    is_shared = is_url(bundle.results)
    if not is_shared:
        bundle = replace(bundle, results=str(Path(folder).parents[1] / "results"))
    with tempfile.TemporaryDirectory(prefix="bench-send-") as temporary:
        package, entries = Path(temporary, "run"), Path(temporary, "ledger")
        package.mkdir()
        pack(bundle, package, send_data=launcher.settings.send_data, data_dir=data_dir)
        datasets = {trial.config.dataset.name for trial in bundle.trials if trial.is_from_path}
        is_searched = any(trial.search and trial.search.rule.is_adaptive for trial in bundle.trials)
        extras = {*datasets, "search"} if is_searched else datasets
        (package / "requirements.json").write_text(json.dumps(requirements(bundle.results, extras)))
        echo(
            f"sending {bundle.name}: {plural(len(bundle.trials), 'trial')}, {len(bundle.known)} of them from the ledger"
        )
        send_folder(launcher, package, remote)
        if bundle.known and not is_shared:
            copy_entries(ledger, bundle.known, entries)
            send_folder(launcher, entries / ENTRIES, f"{results}/{ENTRIES}")
    missing = missing_packages(launcher, folder)
    if missing:
        echo(f"missing on the cluster, installed by Ray when the run starts: {', '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix="bench-send-") as temporary:
        # Files that their owner alone reads: everyone on a machine sees command lines.
        _write_private(Path(temporary, ENVIRONMENT), yaml.safe_dump(_environment(launcher, folder, missing)))
        _write_private(Path(temporary, VARIABLES), json.dumps(variables(launcher)))
        send_folder(launcher, Path(temporary), remote)
    # Ray installs what is missing into a virtual environment of the run's own, and puts its `python` first.
    python, path = "python" if missing else launcher.settings.python, shlex.quote(folder)
    options = f"--no-wait --submission-id {bundle.name} --runtime-env {path}/{ENVIRONMENT}"
    try:
        _job(launcher, f"submit {options} -- {python} -m bench.commands.drive {path}")
    except CommandError:
        remove_variables(launcher, [bundle.name])
        raise


def missing_packages(launcher: Launcher, folder: str) -> list[str]:
    """The packages that the head lacks."""
    out = shell(launcher, f"{launcher.settings.python} {folder}/{SCRIPT} {folder}/requirements.json")
    missing: list[str] = json.loads(out.strip().splitlines()[-1])
    return missing


def _environment(launcher: Launcher, folder: str, missing: list[str]) -> dict[str, Any]:
    """The job's runtime environment: this package, Ray's settings, and the packages that the head lacks.

    Ray writes it into its logs, so the user's variables are not in it.
    """
    environment = runtime_env()
    packages = shell(launcher, f"ls {folder}/{PACKAGES} 2>/dev/null || true").split()
    environment["py_modules"] = [f"{folder}/bench", *(f"{folder}/{PACKAGES}/{name}" for name in packages)]
    environment["env_vars"]["RAY_JOB_STOP_WAIT_TIME_S"] = "30"
    if missing:
        environment["pip"] = {"packages": missing, "pip_check": False}
        environment["config"] = {"setup_timeout_seconds": 3600}
    return environment


def remove_variables(launcher: Launcher, names: Iterable[str]) -> None:
    """Remove the variables of runs that never started: a run's driver removes its own when it starts."""
    if files := " ".join(f"{run_folder(launcher, name)}/{VARIABLES}" for name in names):
        shell(launcher, f"rm -f {files}")


def _write_private(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)


def copy_entries(ledger: Ledger, keys: Iterable[str], folder: Path) -> None:
    """Write the entries of some keys into a folder, as a ledger of their own."""
    target = FileStore(folder)
    for key in keys:
        for name in entry_names(ledger.store, key):
            put_entry(target, name, ledger.store.read(entry_path(name)))


def jobs_of(launcher: Launcher) -> dict[str, Job]:
    """The jobs that Ray knows on the head, by the names of their runs."""
    code = shlex.quote(JOBS.format(server=launcher.settings.job_server))
    out = shell(launcher, f"{launcher.settings.python} -c {code}")
    line = next(line for line in out.splitlines() if line.startswith("{"))  # Ray resets the terminal's colours after it
    jobs: dict[str, list[str | None]] = json.loads(line)
    return {name: Job(str(status), message or "") for name, (status, message) in jobs.items()}


def stop(launcher: Launcher, name: str) -> None:
    """Have the run's driver stop, as Ctrl-C does for a run on this machine."""
    run_folder(launcher, name)
    _job(launcher, f"stop {name}")


def run_statuses(launcher: Launcher) -> list[RunStatus]:
    """The runs on the head, latest first: as their drivers last wrote, and by Ray where a driver wrote nothing."""
    runs = f"{launcher.settings.folder}/runs"
    out = shell(
        launcher,
        f'cd {runs} 2>/dev/null || exit 0; for r in $(ls -t); do echo "$r $(cat $r/{STATE} 2>/dev/null)"; done',
    )
    jobs = jobs_of(launcher) if out.strip() else {}
    statuses = []
    for line in out.splitlines():
        name, _, text = line.strip().partition(" ")
        if _NAME.fullmatch(name):
            try:
                state = json.loads(text)
            except ValueError:
                state = {"state": "", "counts": ""}
            statuses.append(run_status(name, state["state"], state["counts"], jobs.get(name, Job("GONE"))))
    remove_variables(launcher, [run.name for run in statuses if run.state.endswith(BEFORE_START)])
    return statuses


def run_status(name: str, state: str, counts: str, job: Job) -> RunStatus:
    """A run's status, from the state that its driver last wrote ("" if none yet) and its job."""
    if state == "running" and not job.is_active:
        return RunStatus(name, f"ended without reporting why ({job.status.lower()})", counts, job.reason)
    if state:
        return RunStatus(name, state, counts)
    if job.status == "PENDING":
        return RunStatus(name, "Ray is installing its packages", "")
    if job.status == "RUNNING":
        return RunStatus(name, "starting", "")
    if job.status == "GONE":
        return RunStatus(name, "not started", "")
    return RunStatus(name, f"{job.status.lower()} {BEFORE_START}", "", job.reason)


def fetch(launcher: Launcher, name: str, incoming: Path, ledger: Ledger) -> int:
    """Copy a run's new entries into the ledger, by way of the folder `incoming`; how many there were."""
    (incoming / ENTRIES).mkdir(parents=True, exist_ok=True)
    fetch_folder(launcher, f"{run_folder(launcher, name)}/{OUT}/{ENTRIES}", incoming / ENTRIES)
    copied = merge_ledgers([incoming], ledger.root).copied
    ledger.refresh()
    return copied


def read_bundle(launcher: Launcher, name: str) -> RunBundle:
    """The run as it was sent; UserError where the head has none of that name."""
    file = f"{run_folder(launcher, name)}/{RUN}"
    text = shell(launcher, f"test ! -e {file} || cat {file}")
    if not text.strip():
        command = shlex.join(["bench", "cluster", "status", "--cluster", str(launcher.path)])
        raise UserError(f"no run {name!r} on cluster {launcher.name!r}; `{command}` lists them")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, RUN).write_text(text)
        return unpack(Path(folder), with_code=False)


def _job(launcher: Launcher, arguments: str) -> str:
    verb, _, options = arguments.partition(" ")
    python, server = launcher.settings.python, launcher.settings.job_server
    return shell(launcher, f"{python} -m ray.scripts.scripts job {verb} --address {server} {options}")
