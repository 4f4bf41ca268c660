"""Runs as Ray jobs on the head: sent, started, stopped, listed, and their records fetched."""

from __future__ import annotations

import json
import re
import secrets
import shlex
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from bench.errors import UserError, plural
from bench.execution.cluster.bundle import PACKAGES, RUN, VARIABLES, RunBundle, pack, unpack
from bench.execution.cluster.driver import OUT
from bench.execution.cluster.events import STATE
from bench.execution.cluster.head import fetch_file, last_lines, send_file, shell
from bench.execution.cluster.launcher import Launcher, variables
from bench.execution.cluster.requirements import MISSING, requirements
from bench.execution.ray_cluster import runtime_env
from bench.ledger.address import is_url
from bench.ledger.file_store import FileStore
from bench.ledger.files import ENTRIES
from bench.ledger.ledger import Ledger, merge

ENVIRONMENT = "environment.yaml"
BEFORE_START = "before it started"
"""The job's runtime environment, in a run's folder."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,80}")


JOBS = """
import json
from ray.job_submission import JobSubmissionClient
jobs = JobSubmissionClient({server!r}).list_jobs()
print(json.dumps({{job.submission_id: [job.status.value, job.message] for job in jobs if job.submission_id}}))
"""
"""What Ray's own Python on the head is asked for the jobs there."""


@dataclass(frozen=True)
class Job:
    """How Ray has a run's job: PENDING (its packages are being installed), RUNNING, SUCCEEDED, FAILED or STOPPED.

    GONE is one that Ray does not know, as after a restart of the head.
    """

    status: str
    message: str = ""

    @property
    def is_at_work(self) -> bool:
        return self.status in ("PENDING", "RUNNING")

    @property
    def reason(self) -> str:
        """The end of what Ray says of a job that failed, pip's own errors before all else."""
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
    """A name for a run, which is a folder's and a job's too: from its suite and the time."""
    slug = re.sub(r"[^a-z0-9]+", "-", suite.lower()).strip("-")[:40] or "run"
    return f"{slug}-{datetime.now():%m%d-%H%M}-{secrets.token_hex(2)}"


def folder_of_run(launcher: Launcher, name: str) -> str:
    """A run's folder on the head; UserError for what is no run's name."""
    if not _NAME.fullmatch(name):
        listed = shlex.join(["bench", "cluster", "status", "--cluster", str(launcher.path)])
        raise UserError(f"{name!r} is no run's name; `{listed}` lists them")
    return f"{launcher.settings.folder}/runs/{name}"


def submit(
    launcher: Launcher, run: RunBundle, ledger: Ledger, say: Callable[[str], None], data_dir: Path | None = None
) -> None:
    """Send a run with what its trials need, and start it as a Ray job named after it.

    The ledger's entries of the run's trials travel along, unless the ledger lies at a URL, where the head finds it.
    """
    remote = folder_of_run(launcher, run.name)
    results = f"{launcher.settings.folder}/results"
    home = (
        shell(launcher, f"mkdir -p {remote}/{OUT}/{ENTRIES} {results}/{ENTRIES} && cd {remote} && pwd")
        .strip()
        .splitlines()[-1]
    )
    shared = is_url(run.results)
    if not shared:
        run = RunBundle(**{**vars(run), "results": str(Path(home).parents[1] / "results")})
    with tempfile.TemporaryDirectory(prefix="bench-send-") as temporary:
        package, entries = Path(temporary, "run"), Path(temporary, "ledger")
        package.mkdir()
        pack(run, package, send_data=launcher.settings.send_data, data_dir=data_dir)
        (package / "requirements.json").write_text(json.dumps(requirements(run.results)))
        say(f"sending {run.name}: {plural(len(run.trials), 'trial')}, {len(run.known)} of them from the ledger")
        send_file(launcher, package, remote)
        if run.known and not shared:
            copy_entries(ledger, run.known, entries)
            send_file(launcher, entries / ENTRIES, f"{results}/{ENTRIES}")
    missing = missing_packages(launcher, home)
    if missing:
        say(f"missing on the cluster, installed by Ray when the run starts: {', '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix="bench-send-") as temporary:
        # Files that their owner alone reads: everyone on a machine sees command lines.
        _write_private(Path(temporary, ENVIRONMENT), yaml.safe_dump(_environment(launcher, home, missing)))
        _write_private(Path(temporary, VARIABLES), json.dumps(variables(launcher)))
        send_file(launcher, Path(temporary), remote)
    # Ray installs what is missing into a virtual environment of the run's own, and has its `python` come first.
    python, place = "python" if missing else launcher.settings.python, shlex.quote(home)
    options = f"--no-wait --submission-id {run.name} --runtime-env {place}/{ENVIRONMENT}"
    try:
        _job(launcher, f"submit {options} -- {python} -m bench.execution.cluster.driver {place}")
    except UserError:
        forget_variables(launcher, [run.name])
        raise


def missing_packages(launcher: Launcher, home: str) -> list[str]:
    """The packages that the head lacks."""
    out = shell(launcher, f"{launcher.settings.python} {home}/{MISSING} {home}/requirements.json")
    missing: list[str] = json.loads(out.strip().splitlines()[-1])
    return missing


def _environment(launcher: Launcher, home: str, missing: list[str]) -> dict[str, Any]:
    """The job's runtime environment: this package, our settings, and the packages that the head lacks.

    Ray writes it into its logs, so the variables of the user's are not in it.
    """
    environment = runtime_env()
    own = shell(launcher, f"ls {home}/{PACKAGES} 2>/dev/null || true").split()
    environment["py_modules"] = [f"{home}/bench", *(f"{home}/{PACKAGES}/{name}" for name in own)]
    environment["env_vars"]["RAY_JOB_STOP_WAIT_TIME_S"] = "30"
    if missing:
        environment["pip"] = {"packages": missing, "pip_check": False}
        environment["config"] = {"setup_timeout_seconds": 3600}
    return environment


def forget_variables(launcher: Launcher, names: Iterable[str]) -> None:
    """Remove the variables of runs that never started: a run's driver removes its own when it starts."""
    if files := " ".join(f"{folder_of_run(launcher, name)}/{VARIABLES}" for name in names):
        shell(launcher, f"rm -f {files}")


def _write_private(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)


def copy_entries(ledger: Ledger, keys: Iterable[str], folder: Path) -> None:
    """Write the entries of some keys into a folder, as a ledger of their own."""
    target = FileStore(folder)
    for key in keys:
        for name in ledger.store.names_of(key):
            target.put(name, ledger.store.read(name))


def jobs_of(launcher: Launcher) -> dict[str, Job]:
    """The jobs that Ray knows on the head, by the names of their runs."""
    code = shlex.quote(JOBS.format(server=launcher.settings.job_server))
    out = shell(launcher, f"{launcher.settings.python} -c {code}")
    line = next(line for line in out.splitlines() if line.startswith("{"))  # Ray resets the terminal's colours after it
    found: dict[str, list[str | None]] = json.loads(line)
    return {name: Job(str(status), message or "") for name, (status, message) in found.items()}


def stop(launcher: Launcher, name: str) -> None:
    """Have the run's driver stop, as Ctrl-C does a run on this machine."""
    folder_of_run(launcher, name)
    _job(launcher, f"stop {name}")


def run_statuses(launcher: Launcher) -> list[RunStatus]:
    """The runs on the head, latest first: as their drivers last told, and as Ray says of those that tell nothing."""
    runs = f"{launcher.settings.folder}/runs"
    out = shell(
        launcher,
        f'cd {runs} 2>/dev/null || exit 0; for r in $(ls -t); do echo "$r $(cat $r/{STATE} 2>/dev/null)"; done',
    )
    jobs = jobs_of(launcher) if out.strip() else {}
    found = []
    for line in out.splitlines():
        name, _, told = line.strip().partition(" ")
        if _NAME.fullmatch(name):
            try:
                state = json.loads(told)
            except ValueError:
                state = {"state": "", "counts": ""}
            found.append(run_status(name, state["state"], state["counts"], jobs.get(name, Job("GONE"))))
    forget_variables(launcher, [run.name for run in found if run.state.endswith(BEFORE_START)])
    return found


def run_status(name: str, told: str, counts: str, job: Job) -> RunStatus:
    """How a run stands, of which its driver last `told` a state ("" if it has told nothing yet)."""
    if told == "running" and not job.is_at_work:
        return RunStatus(name, f"ended without a word ({job.status.lower()})", counts, job.reason)
    if told:
        return RunStatus(name, told, counts)
    if job.status == "PENDING":
        return RunStatus(name, "Ray is installing its packages", "")
    if job.status == "RUNNING":
        return RunStatus(name, "starting", "")
    if job.status == "GONE":
        return RunStatus(name, "not started", "")
    return RunStatus(name, f"{job.status.lower()} {BEFORE_START}", "", job.reason)


def fetch(launcher: Launcher, name: str, incoming: Path, ledger: Ledger) -> int:
    """Bring home what the run has put out since, by way of the folder `incoming`; how many entries are new here."""
    (incoming / ENTRIES).mkdir(parents=True, exist_ok=True)
    fetch_file(launcher, f"{folder_of_run(launcher, name)}/{OUT}/{ENTRIES}", incoming / ENTRIES)
    copied = merge([incoming], ledger.root).copied
    ledger.refresh()
    return copied


def shipped(launcher: Launcher, name: str) -> RunBundle:
    """The run as it was sent; UserError where the head has none of that name."""
    file = f"{folder_of_run(launcher, name)}/{RUN}"
    text = shell(launcher, f"test ! -e {file} || cat {file}")
    if not text.strip():
        listed = shlex.join(["bench", "cluster", "status", "--cluster", str(launcher.path)])
        raise UserError(f"no run {name!r} on cluster {launcher.name!r}; `{listed}` lists them")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, RUN).write_text(text)
        return unpack(Path(folder), with_code=False)


def _job(launcher: Launcher, arguments: str) -> str:
    verb, _, rest = arguments.partition(" ")
    python, server = launcher.settings.python, launcher.settings.job_server
    return shell(launcher, f"{python} -m ray.scripts.scripts job {verb} --address {server} {rest}")
