"""Whether a cluster is up, starting it, and tearing it down."""

from __future__ import annotations

import contextlib
import logging
import re
import shlex
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from bench.errors import UserError
from bench.execution.cluster.head import CommandError, ConnectionLostError, last_lines, ray_command, run_command, shell
from bench.execution.cluster.jobs import jobs_of
from bench.execution.cluster.launcher import Launcher

NO_RAY = "@@bench-no-ray"
STATUS = (
    "{python} -m ray.scripts.scripts status && exit 0; failed=$?; for process in /proc/[0-9]*; do "
    "test -O $process && grep -qsx gcs_server $process/comm && exit $failed; done; echo {no_ray}"
)
"""Print `ray status`. Where that fails, look whether Ray's processes run all the same: the failure of a command proves
nothing, and `ray up` would end Ray under the runs of others."""
STATUS_SECONDS = 120.0
ECHO_SECONDS = 30.0
"""How often a line of a running `ray up` is printed."""
DENIED_SECONDS = 120.0
"""A new machine may refuse a key until it has started, which takes less than this."""


def cluster_status(launcher: Launcher) -> str | None:
    """The output of `ray status` on the head; None where there is no head, or it is reached and no Ray runs there.

    Raises
    ------
    ConnectionLostError
        The head was not reached, so its state is not known.
    UserError
        Ray runs on the head, and `ray status` fails.
    """
    if launcher.provider == "local":
        _record_local_head(launcher)
    code, out = run_command(launcher, ray_command("get-head-ip", str(launcher.path), quiet=False), STATUS_SECONDS)
    if code:
        if f"Head node of cluster ({launcher.name}) not found" in out:
            return None
        raise ConnectionLostError(last_lines(out, 5))
    python = launcher.settings.python
    try:
        body = shell(launcher, STATUS.format(python=python, no_ray=NO_RAY), STATUS_SECONDS)
    except CommandError as error:
        lines = "".join(f"    {line}\n" for line in str(error).splitlines())
        raise UserError(
            f"{launcher.path}: Ray runs on the head of cluster {launcher.name!r}, and "
            f"`{python} -m ray.scripts.scripts status` fails there:\n{lines}"
            f"  it was left as it is; `metadata.bench.python` has to be the Python that Ray runs with on the head "
            f"(now {python})"
        ) from error
    return None if body.rstrip().endswith(NO_RAY) else body


def start_cluster(launcher: Launcher, echo: Callable[[str], None]) -> None:
    """Attach to the cluster if it is up, or have Ray's launcher start it.

    Raises
    ------
    UserError
        `ray up` failed.
    ConnectionLostError
        The head was not reached. It may be up, so nothing is started.
    """
    if cluster_status(launcher) is not None:
        echo(f"cluster {launcher.name!r} is up")
        return
    _check_file_mounts(launcher)
    file = shlex.quote(str(launcher.path))
    echo(f"cluster {launcher.name!r} is not up: starting it (`ray up {file}`), which may take minutes")
    denied: list[float] = []
    echoed = time.monotonic()

    def watch(line: str) -> bool:
        """Print the progress of `ray up` now and then; False once the key has been refused for long."""
        nonlocal echoed
        if "Permission denied (" in line:
            denied.append(time.monotonic())
            return denied[-1] - denied[0] < DENIED_SECONDS
        text = re.sub(r"\x1b\[[\d;]*m", "", line)
        if re.search(r"\w", text) and time.monotonic() - echoed > ECHO_SECONDS:
            echo(f"  ray up: {text}")
            echoed = time.monotonic()
        return True

    code, out = run_command(launcher, ray_command("up", "--yes", str(launcher.path)), None, watch)
    if code:
        lines = "".join(f"    {line}\n" for line in last_lines(out, 25).splitlines())
        raise UserError(
            f"`ray up {file}` failed; the end of what it printed:\n{lines}"
            f"  mend the file or the machines and try again; `ray down {file}` removes what was started"
        )
    if cluster_status(launcher) is None:
        raise UserError(
            f"`ray up {file}` ended, and no Ray runs on the head of cluster {launcher.name!r}\n"
            "  see that `head_start_ray_commands` starts one: `ray start --head ...`"
        )


def _check_file_mounts(launcher: Launcher) -> None:
    """UserError where a file to send is not here; Ray's launcher would find out when the head runs already."""
    for target, source in launcher.file_mounts.items():
        if not Path(source).expanduser().exists():
            raise UserError(
                f"{launcher.path}: file_mounts: {target}: no file {source} in {Path.cwd()}\n"
                "  start from the folder that has it, or write its whole path"
            )


def tear_down(launcher: Launcher, echo: Callable[[str], None], run: str | None = None) -> None:
    """`ray down`, unless other runs than `run` are active there.

    Cloud machines are given back; on machines of one's own Ray is stopped, on workers a minute after the head.
    """
    other_runs: list[str] = []
    unknown = False
    try:
        other_runs = [name for name, job in jobs_of(launcher).items() if job.is_active and name != run]
    except CommandError:
        unknown = True
    except ConnectionLostError:
        pass  # a head that cannot be reached does no work, and costs money
    if other_runs or unknown:
        reason = f"{', '.join(other_runs)} run there" if other_runs else "whether other runs are active is not known"
        echo(
            f"cluster {launcher.name!r} stays up: {reason}; "
            f"`ray down {shlex.quote(str(launcher.path))}` tears it down all the same"
        )
        return
    echo(f"tearing cluster {launcher.name!r} down")
    if launcher.provider == "local":
        # `ray down` leaves these machines on, and finds no `ray` to stop where it is not on the login shell's PATH.
        # Workers notice that their head has gone.
        with contextlib.suppress(CommandError, ConnectionLostError):
            shell(launcher, f"{launcher.settings.python} -m ray.scripts.scripts stop")
    code, out = run_command(launcher, ray_command("down", "--yes", str(launcher.path)), None)
    if code:
        file = shlex.quote(str(launcher.path))
        raise UserError(f"`ray down {file}` failed; machines may still run:\n{last_lines(out)}")


def _record_local_head(launcher: Launcher) -> None:
    """Tell Ray's launcher here about a head that may have been started from elsewhere.

    For machines of one's own it keeps a file on this machine of what it has started. Where that file is missing,
    `ray up` would restart Ray on a head that runs, and `ray exec` would not find the head.
    """
    from ray.autoscaler._private.local.node_provider import LocalNodeProvider, record_local_head_state_if_needed

    logging.getLogger(record_local_head_state_if_needed.__module__).setLevel(logging.WARNING)
    provider = yaml.safe_load(launcher.path.read_text(encoding="utf-8"))["provider"]
    if "head_ip" in provider:  # otherwise a coordinator server keeps the state
        node_provider = LocalNodeProvider(provider, launcher.name)  # type: ignore[no-untyped-call]
        record_local_head_state_if_needed(node_provider)
