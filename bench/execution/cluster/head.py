"""The head of a cluster, reached by Ray's own launcher: its commands bring the cluster up, run things and copy files.

Each command is a process of its own, so that a connection that hangs or breaks takes nothing with it.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.errors import UserError
from bench.execution.cluster.launcher import Launcher

BEGIN, END = "@@bench-begin", "@@bench-end"
"""Lines around what a command on the head prints."""
QUIET = ("--log-style", "pretty", "--log-color", "false")
TOKEN = 'test -e ~/.ray/auth_token && export RAY_AUTH_MODE="${RAY_AUTH_MODE:-token}"'
"""Ray starts with a token if there is one; its job commands need the mode set (Ray 2.60)."""
EXEC_SECONDS = 300.0
"""Commands on the head take seconds; after this time a connection counts as hung."""


class ConnectionLostError(Exception):
    """The head cannot be reached, or the connection broke."""


class CommandError(Exception):
    """A command on the head failed; the message is what it printed."""


def ray_command(command: str, *arguments: str, quiet: bool = True) -> list[str]:
    return [sys.executable, "-P", "-m", "ray.scripts.scripts", command, *(QUIET if quiet else ()), *arguments]


def environment(launcher: Launcher) -> dict[str, str]:
    """For the launcher's commands; settings for a Ray on this machine are not for the cluster."""
    variables = {name: text for name, text in os.environ.items() if name not in ("RAY_ADDRESS", "RAY_AUTH_TOKEN")}
    variables["RAY_USAGE_STATS_ENABLED"] = "0"
    variables["PYTHONUNBUFFERED"] = "1"
    if launcher.provider == "local":
        # The newer autoscaler counts the head as one of the workers and leaves one out (Ray 2.60).
        variables.setdefault("RAY_UP_enable_autoscaler_v2", "0")
    return variables


def run_command(
    launcher: Launcher, command: Sequence[str], timeout: float | None, watch: Callable[[str], bool] | None = None
) -> tuple[int, str]:
    """Run a launcher's command; its exit code and what it printed.

    `watch` gets each line as it is printed; returning False, it ends the command.
    """
    process = subprocess.Popen(
        command, env=environment(launcher), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        if watch is None:
            out, _ = process.communicate(timeout=timeout)
        else:
            out = b""
            for line in process.stdout:
                out += line
                if not watch(line.decode(errors="replace").strip()):
                    terminate(process)
            process.wait()
    except BaseException as error:
        terminate(process)
        if isinstance(error, subprocess.TimeoutExpired):
            raise ConnectionLostError(f"no answer within {timeout:g} s") from error
        raise
    return process.returncode, out.decode(errors="replace").replace("\r\n", "\n")


def shell(launcher: Launcher, command: str, timeout: float = EXEC_SECONDS) -> str:
    """What a shell command on the head prints.

    Raises
    ------
    CommandError
        It failed.
    ConnectionLostError
        It could not be started, or the connection broke.
    """
    # The launcher prints commands that fail: the text of this one must not contain the marker lines.
    begin, end = (f"{mark[:2]}''{mark[2:]}" for mark in (BEGIN, END))
    wrapped = f"echo {begin}; ({TOKEN}; {command}); echo {end} $?"
    _, out = run_command(launcher, ray_command("exec", str(launcher.path), wrapped), timeout)
    # The launcher prints lines of its own before, and ssh some after.
    body, marker, code = out.rpartition(f"{BEGIN}\n")[2].rpartition(f"{END} ")
    if not marker:
        raise ConnectionLostError(ssh_error(out))
    if code.split()[0] != "0":
        raise CommandError(last_lines(body))
    return body


def send_folder(launcher: Launcher, source: Path, target: str) -> None:
    """Copy the contents of a local folder into an existing one on the head."""
    _rsync(launcher, ray_command("rsync-up", str(launcher.path), f"{source}/", f"{target}/"))


def fetch_folder(launcher: Launcher, source: str, target: Path) -> None:
    """Copy the contents of a folder on the head into a local one; unchanged files are not copied again."""
    _rsync(launcher, ray_command("rsync-down", str(launcher.path), f"{source}/", f"{target}/"))


def _rsync(launcher: Launcher, command: list[str]) -> None:
    code, out = run_command(launcher, command, None)
    if code:
        raise ConnectionLostError(ssh_error(out))


def stream(launcher: Launcher, command: str) -> subprocess.Popen[bytes]:
    """Start a command on the head whose output is read as it comes; to be ended by `terminate`."""
    return subprocess.Popen(
        ray_command("exec", str(launcher.path), command), env=environment(launcher), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def terminate(process: subprocess.Popen[bytes]) -> None:
    """End a command that was started, and its connection."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    process.wait()


@contextlib.contextmanager
def connection_errors(launcher: Launcher) -> Iterator[None]:
    """Turn errors on the way to the head into a message for people."""
    try:
        yield
    except (ConnectionLostError, CommandError) as error:
        lines = "".join(f"    {line}\n" for line in str(error).splitlines())
        if isinstance(error, CommandError):
            problem = f"a command failed on the head of cluster {launcher.name!r}"
        else:
            problem = f"the head of cluster {launcher.name!r} cannot be reached"
        command = shlex.join(["ray", "exec", str(launcher.path), "uptime"])
        raise UserError(f"{launcher.path}: {problem}:\n{lines}  see whether it answers: {command}") from error


def ssh_error(out: str) -> str:
    """ssh's message on a connection that failed, out of all that Ray's launcher printed."""
    text, _, _ = out.partition("\nError: Command failed")
    _, _, after = text.rpartition("Fetched IP:")
    lines = [line for line in after.splitlines()[1:] if "Permanently added" not in line]
    return last_lines("\n".join(lines)) or last_lines(out)


def last_lines(text: str, count: int = 15) -> str:
    return "\n".join([line for line in text.splitlines() if line.strip()][-count:])
