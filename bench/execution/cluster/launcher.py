"""The file that describes a cluster: read, checked by Ray's own launcher, and bench's settings in it."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from bench.errors import UserError, nearest
from bench.jsonutil import JsonObject

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


class ClusterSettings(BaseModel):
    """bench's settings of a cluster."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    python: Annotated[str, StringConstraints(min_length=1)] = "python3"
    """The Python that Ray runs with, on every node."""
    folder: Annotated[str, StringConstraints(pattern=r"^(~/|/)[\w./-]*\w$")] = "~/bench"
    """The folder on the head for runs and their ledger."""
    env: dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*$")], str | None] = Field(default_factory=dict)
    """Environment variables of the run, on every node, e.g. BENCH_DATA; null takes the value of the local shell."""
    send_data: bool = False
    """Send the catalogue's data sets from this machine, for a cluster that cannot reach the internet."""
    job_server: Annotated[str, StringConstraints(pattern=r"^https?://")] = "http://127.0.0.1:8265"
    """Ray's dashboard as the head itself reaches it."""
    fallback: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w-]*$")] | None = None
    """The resource of nodes to ask for when those of other types cannot be started."""
    idle_head_minutes: Annotated[float, Field(gt=0)] | None = None
    """Power the head off so long after its last run; for runs whose ledger is at a URL."""

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
    settings: ClusterSettings
    gpus: bool
    """Whether some node type declares GPUs."""
    autoscaling: bool
    """Whether the autoscaler may add nodes to those that start with the cluster."""
    file_mounts: dict[str, str] = field(default_factory=dict)
    """Files and folders that Ray's launcher sends to every node: there, and here."""


def variables(launcher: Launcher) -> dict[str, str]:
    """The environment variables of runs, including those of the local shell.

    Raises
    ------
    UserError
        The shell lacks one that the file takes from it.
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
    node_types = prepared["available_node_types"]
    workers = [node for name, node in node_types.items() if name != prepared.get("head_node_type")]
    if settings.fallback and not any(settings.fallback in (node.get("resources") or {}) for node in workers):
        raise UserError(
            f"{path}: metadata.{KEY}.fallback: no node type but the head's has the resource {settings.fallback!r}\n"
            f"  give it to the type to ask for when others cannot be started: `resources: {{{settings.fallback}: 1}}`"
        )
    return Launcher(
        path=path,
        name=str(document["cluster_name"]),
        provider=str(document["provider"].get("type")),
        settings=settings,
        gpus=any((node.get("resources") or {}).get("GPU", 0) for node in node_types.values()),
        autoscaling=any(node.get("max_workers", 0) > node.get("min_workers", 0) for node in workers),
        file_mounts=document.get("file_mounts") or {},
    )


def _settings(path: Path, document: JsonObject) -> ClusterSettings:
    metadata = document.get("metadata") or {}
    settings = metadata.get(KEY) or {} if isinstance(metadata, dict) else metadata
    if not isinstance(settings, dict):
        raise UserError(f"{path}: metadata: expected `{KEY}` with settings below it, found {settings!r}")
    try:
        return ClusterSettings.model_validate(settings)
    except ValidationError as error:
        problems = []
        for mistake in error.errors():
            key, *_ = loc = [str(part) for part in mistake["loc"]]
            path_text = ".".join(["metadata", KEY, *loc])
            hint = nearest(key, list(ClusterSettings.model_fields)) if mistake["type"] == "extra_forbidden" else None
            if mistake["type"] == "extra_forbidden":
                text = f"unknown; known are {', '.join(ClusterSettings.model_fields)}"
            elif key == "env":  # values may be secret
                text = mistake["msg"]
            else:
                text = f"{mistake['msg']}, found {mistake['input']!r}"
            problems.append(f"{path}: {path_text}: {text}" + (f"\n  {hint}" if hint else ""))
        raise UserError("\n".join(problems)) from error


def _validated(path: Path, document: JsonObject) -> JsonObject:
    """The file as Ray's own launcher completes it."""
    import click
    from jsonschema import ValidationError as SchemaError  # type: ignore[import-untyped]
    from ray.autoscaler._private.util import prepare_config, validate_config

    logging.getLogger("ray.autoscaler").setLevel(logging.WARNING)
    try:
        prepared: JsonObject = prepare_config(document)
        validate_config(prepared)
    except SchemaError as error:
        key_path = ".".join(str(part) for part in error.absolute_path)
        raise UserError(f"{path}: Ray refuses it: {key_path + ': ' if key_path else ''}{error.message}") from error
    except (click.ClickException, SystemExit, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise UserError(f"{path}: Ray refuses it: {type(error).__name__}: {error}") from error
    return prepared
