"""Whether a cluster is up, bringing it up, and tearing it down."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from bench.errors import UserError, nearest
from bench.execution.cluster.head import CommandError, ConnectionLostError, last_lines, ray_command, run_command, shell
from bench.execution.cluster.jobs import jobs_of

KEY = "bench"
_SECRET_NAME = re.compile(
    r"SECRET|TOKENS?(?![A-Z])|PASS(W|PHRASE|_|$)|PWD|CREDENTIAL|CONNECTION_STRING|AUTH$|AUTHORIZATION|_PAT$|(_|API|^)KEY$",
    re.IGNORECASE,
)
_SECRET_URL = re.compile(r"https?://[^/\s@]+@|://[^/\s:@]*:[^/\s@]+@", re.IGNORECASE)
_PLAIN_VALUE = re.compile(r"|[/~][\w./~-]*\.\w{1,5}|\d{1,5}|true|false|yes|no|on|off", re.IGNORECASE)
"""A file with an extension, a switch or a small number is no secret whatever its name."""
_PATH_NAME = re.compile(r"_(FILE|PATH|DIR)$|SSH_AUTH_SOCK$", re.IGNORECASE)
"""Names of variables whose value is the path of a file, which may hold a secret and is none."""


class Settings(BaseModel):
    """What bench should know of a cluster."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    python: Annotated[str, StringConstraints(min_length=1)] = "python3"
    """The Python that Ray runs with, on every node."""
    folder: Annotated[str, StringConstraints(pattern=r"^(~/|/)[\w./-]*\w$")] = "~/bench"
    """Where on the head runs and their ledger lie."""
    env: dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*$")], str | None] = Field(default_factory=dict)
    """Environment variables of the run, on every node, e.g. BENCH_DATA; null takes the value of the shell here."""
    send_data: bool = False
    """Send the data sets of the catalogue from here, for a cluster that cannot reach the internet."""
    job_server: Annotated[str, StringConstraints(pattern=r"^https?://")] = "http://127.0.0.1:8265"
    """Ray's dashboard as the head itself reaches it."""

    @field_validator("env")
    @classmethod
    def _no_secrets(cls, env: dict[str, str | None]) -> dict[str, str | None]:
        """Ray's launcher copies the whole file to where others can read it."""
        for name, text in env.items():
            if text is not None and _looks_secret(name, text):
                raise PydanticCustomError(
                    "secret",
                    "{name} looks like a secret, and Ray's launcher copies this file to /tmp, readable by all; "
                    "write `{name}: null`, which takes its value from the shell that starts the run",
                    {"name": name},
                )
        return env


@dataclass(frozen=True)
class Launcher:
    """A launcher file: where it is, and what bench reads of it."""

    path: Path
    name: str
    provider: str
    settings: Settings
    gpus: bool
    """Whether some node type declares GPUs."""
    grows: bool
    """Whether the autoscaler may add nodes to those that start with the cluster."""


def variables(launcher: Launcher) -> dict[str, str]:
    """The environment variables of runs, those of the shell here among them.

    Raises
    ------
    UserError
        The shell has not set one that the file says to take from it.
    """
    env = launcher.settings.env
    unset = [name for name, text in env.items() if text is None and name not in os.environ]
    if unset:
        raise UserError(
            f"{launcher.path}: metadata.{KEY}.env: to be taken from this shell, which has not set: {', '.join(unset)}\n"
            f"  export {unset[0]}=..., or remove it from the file"
        )
    return {name: os.environ[name] if text is None else text for name, text in env.items()}


def _looks_secret(name: str, text: str) -> bool:
    if _PLAIN_VALUE.fullmatch(text) or (_PATH_NAME.search(name) and text.startswith(("/", "~"))):
        return False
    return bool(_SECRET_NAME.search(name) or _SECRET_URL.search(text))


def read_launcher(path: Path) -> Launcher:
    """Read a launcher file and have Ray validate it.

    Raises
    ------
    UserError
        It cannot be read, Ray refuses it, or `metadata.bench` has a mistake.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"--cluster {path}: cannot be read: {error.strerror}\n"
            "  name a Ray cluster-launcher file; docs/cluster.md says how to write one"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict) or not isinstance(document.get("provider"), dict):
        raise UserError(f"{path}: not a cluster-launcher file: it has no `provider`; docs/cluster.md shows one")
    settings = _settings(path, document)
    prepared = _validated(path, document)
    types = prepared["available_node_types"]
    workers = {name: kind for name, kind in types.items() if name != prepared.get("head_node_type")}
    return Launcher(
        path=path,
        name=str(document["cluster_name"]),
        provider=str(document["provider"].get("type")),
        settings=settings,
        gpus=any((kind.get("resources") or {}).get("GPU", 0) for kind in types.values()),
        grows=any(kind.get("max_workers", 0) > kind.get("min_workers", 0) for kind in workers.values()),
    )


def _settings(path: Path, document: dict[str, Any]) -> Settings:
    metadata = document.get("metadata") or {}
    given = metadata.get(KEY) or {} if isinstance(metadata, dict) else metadata
    if not isinstance(given, dict):
        raise UserError(f"{path}: metadata: expected `{KEY}` with settings below it, found {given!r}")
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        problems = []
        for one in error.errors():
            key, *rest = (str(part) for part in one["loc"])
            place = ".".join(["metadata", KEY, key, *rest])
            hint = nearest(key, list(Settings.model_fields)) if one["type"] == "extra_forbidden" else None
            if one["type"] == "extra_forbidden":
                told = f"unknown; known are {', '.join(Settings.model_fields)}"
            elif key == "env":  # values may be secret
                told = one["msg"]
            else:
                told = f"{one['msg']}, found {one['input']!r}"
            problems.append(f"{path}: {place}: {told}" + (f"\n  {hint}" if hint else ""))
        raise UserError("\n".join(problems)) from error


def _validated(path: Path, document: dict[str, Any]) -> dict[str, Any]:
    """The file as Ray's own launcher completes it."""
    import click
    from jsonschema import ValidationError as SchemaError  # type: ignore[import-untyped]
    from ray.autoscaler._private.util import prepare_config, validate_config

    logging.getLogger("ray.autoscaler").setLevel(logging.WARNING)
    try:
        prepared: dict[str, Any] = prepare_config(document)
        validate_config(prepared)
    except SchemaError as error:
        place = ".".join(str(part) for part in error.absolute_path)
        raise UserError(f"{path}: Ray refuses it: {place + ': ' if place else ''}{error.message}") from error
    except (click.ClickException, SystemExit, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise UserError(f"{path}: Ray refuses it: {type(error).__name__}: {error}") from error
    return prepared


NO_RAY = "@@bench-no-ray"
STATUS = (
    "{python} -m ray.scripts.scripts status && exit 0; failed=$?; for process in /proc/[0-9]*; do "
    "test -O $process && grep -qsx gcs_server $process/comm && exit $failed; done; echo {no_ray}"
)
"""What Ray says of its nodes. Where it says nothing, whether it runs all the same is for its processes to show: a
command that fails proves nothing, and `ray up` would end Ray under the runs of others."""
STATUS_SECONDS = 120.0
SAY_SECONDS = 30.0
"""How often the last line of a `ray up` that goes on is shown."""
DENIED_SECONDS = 120.0
"""A new machine may refuse a key until it has started; this long it does not."""


def nodes(launcher: Launcher) -> str | None:
    """What `ray status` says on the head; None where there is no head, or it is reached and no Ray runs there.

    Raises
    ------
    ConnectionLostError
        The head was not reached, so nothing is known of it.
    UserError
        Ray runs on the head, and its status cannot be asked for.
    """
    if launcher.provider == "local":
        _know_own_machines(launcher)
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


def bring_up(launcher: Launcher, say: Callable[[str], None]) -> None:
    """Attach to the cluster as it stands, or have Ray's launcher start it.

    Raises
    ------
    UserError
        `ray up` failed.
    ConnectionLostError
        The head was not reached. It may be at work, so nothing is started.
    """
    if nodes(launcher) is not None:
        say(f"cluster {launcher.name!r} is up")
        return
    file = shlex.quote(str(launcher.path))
    say(f"cluster {launcher.name!r} is not up: starting it (`ray up {file}`), which may take minutes")
    denied: list[float] = []
    told = time.monotonic()

    def watch(line: str) -> bool:
        """Show now and then how far `ray up` is; False once it has only been refused for long."""
        nonlocal told
        if "Permission denied (" in line:
            denied.append(time.monotonic())
            return denied[-1] - denied[0] < DENIED_SECONDS
        text = re.sub(r"\x1b\[[\d;]*m", "", line)
        if re.search(r"\w", text) and time.monotonic() - told > SAY_SECONDS:
            say(f"  ray up: {text}")
            told = time.monotonic()
        return True

    code, out = run_command(launcher, ray_command("up", "--yes", str(launcher.path)), None, watch)
    if code:
        lines = "".join(f"    {line}\n" for line in last_lines(out, 25).splitlines())
        raise UserError(
            f"`ray up {file}` failed; the end of what it printed:\n{lines}"
            f"  mend the file or the machines and try again; `ray down {file}` removes what was started"
        )
    if nodes(launcher) is None:
        raise UserError(
            f"`ray up {file}` ended, and no Ray runs on the head of cluster {launcher.name!r}\n"
            "  see that `head_start_ray_commands` starts one: `ray start --head ...`"
        )


def tear_down(launcher: Launcher, say: Callable[[str], None], run: str | None = None) -> None:
    """`ray down`, unless other runs than `run` are at work there.

    Cloud machines are given back; on one's own Ray is stopped, workers' a minute after the head's.
    """
    others: list[str] = []
    unknown = False
    try:
        others = [name for name, job in jobs_of(launcher).items() if job.is_at_work and name != run]
    except CommandError:
        unknown = True
    except ConnectionLostError:
        pass  # a head that cannot be reached any more does no work, and costs money
    if others or unknown:
        why = f"{', '.join(others)} at work there" if others else "it did not say whether other runs are at work there"
        say(
            f"cluster {launcher.name!r} stays up: {why}; "
            f"`ray down {shlex.quote(str(launcher.path))}` tears it down all the same"
        )
        return
    say(f"tearing cluster {launcher.name!r} down")
    if launcher.provider == "local":
        # `ray down` leaves these machines on, and finds no `ray` to stop where it is not on the login shell's PATH.
        # Workers notice that their head has gone.
        with contextlib.suppress(CommandError, ConnectionLostError):
            shell(launcher, f"{launcher.settings.python} -m ray.scripts.scripts stop")
    code, out = run_command(launcher, ray_command("down", "--yes", str(launcher.path)), None)
    if code:
        file = shlex.quote(str(launcher.path))
        raise UserError(f"`ray down {file}` failed; machines may still run:\n{last_lines(out)}")


def _know_own_machines(launcher: Launcher) -> None:
    """Tell Ray's launcher here about a head that may have been started from elsewhere.

    For machines of one's own it keeps in a file of this machine what it has started. Where that file is missing,
    `ray up` would restart Ray on a head that is at work, and `ray exec` would not find the head.
    """
    import yaml
    from ray.autoscaler._private.local.node_provider import LocalNodeProvider, record_local_head_state_if_needed

    logging.getLogger(record_local_head_state_if_needed.__module__).setLevel(logging.WARNING)
    provider = yaml.safe_load(launcher.path.read_text(encoding="utf-8"))["provider"]
    if "head_ip" in provider:  # otherwise a coordinator server keeps account
        nodes_here = LocalNodeProvider(provider, launcher.name)  # type: ignore[no-untyped-call]
        record_local_head_state_if_needed(nodes_here)
