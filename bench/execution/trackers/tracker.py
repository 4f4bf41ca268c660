"""What a tracker does, what it is told of a trial, and the destinations that `--log` names."""

from __future__ import annotations

import importlib.util
import netrc
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from bench.components import AXES
from bench.errors import UserError, nearest
from bench.ledger.file_store import check_writable
from bench.ledger.record import PARTS, Record
from bench.ledger.store import TENSORBOARD
from bench.suite.labels import axis_label

if TYPE_CHECKING:
    from bench.suite.trial import Trial

Parameter = str | int | float | bool
EpochRow = tuple[int, dict[str, float]]
"""An epoch, from 1, and its metrics that are finite numbers."""


@dataclass(frozen=True)
class TrackedTrial:
    """A trial as trackers know it: `parameters` is its configuration, a column per parameter (``optimizer.lr``)."""

    key: str
    suite: str
    seed: int
    parameters: Mapping[str, Parameter]

    @property
    def name(self) -> str:
        """``mlp-seed0-KEY``."""
        return f"{self.parameters['model']}-seed{self.seed}-{self.key}"


@dataclass(frozen=True)
class TrackedState:
    """What a tracker has of a trial: the last epoch, and the status of a trial that is over ("" of others)."""

    epoch: int = 0
    status: str = ""


class Tracker(Protocol):
    """The runs of one suite's trials at one place, each identified by the trial's key; used by one thread."""

    def find(self, trial: TrackedTrial) -> TrackedState:
        """What there is of a trial."""

    def begin(self, trial: TrackedTrial, *, anew: bool) -> None:
        """Make the trial's run, or open it again; `anew`: a run that is there is replaced."""

    def epochs(self, trial: TrackedTrial, rows: Sequence[EpochRow]) -> None:
        """Add epochs to a run that has begun."""

    def end(self, trial: TrackedTrial, record: Record | None) -> None:
        """End a run that has begun; without a record the trial was stopped and may go on later."""

    def close(self) -> None:
        """Nothing more will be added now."""


def tracked_trial(key: str, suite: str, seed: int, config: Mapping[str, Any]) -> TrackedTrial:
    """A trial of a plan or a record."""
    parameters: dict[str, Parameter] = {}
    for name, value in config.items():
        if isinstance(value, dict) and "name" in value:
            parameters[name] = value["name"]
            parameters |= {f"{name}.{key}": _plain(item) for key, item in value.items() if key != "name"}
        elif isinstance(value, dict | list):
            parameters[name] = axis_label(value, name if name in AXES else None)
        else:
            parameters[name] = _plain(value)
    return TrackedTrial(key, suite, seed, {**parameters, "seed": seed})


def of_trial(trial: Trial, suite: str) -> TrackedTrial:
    return tracked_trial(trial.key, suite, trial.seed, trial.config.to_json())


def of_record(record: Record) -> TrackedTrial:
    return tracked_trial(record.key, record.suite, record.seed, record.config)


def _plain(value: Any) -> Parameter:
    return value if isinstance(value, str | int | float) else "none" if value is None else str(value)


def epoch_rows(curves: Mapping[str, Sequence[float | None]], after: int = 0) -> list[EpochRow]:
    """The epochs of curves after one of them."""
    length = max(map(len, curves.values()), default=0)
    return [
        (epoch, {name: value for name, curve in curves.items() if (value := _at(curve, epoch)) is not None})
        for epoch in range(after + 1, length + 1)
    ]


def _at(curve: Sequence[float | None], epoch: int) -> float | None:
    return curve[epoch - 1] if epoch <= len(curve) else None


def final_metrics(record: Record) -> dict[str, float]:
    """The metrics of a trial that is over, as ``test/accuracy``, and what it cost."""
    metrics = {
        f"{part}/{metric}": value for part in PARTS for metric, value in (getattr(record.result, part) or {}).items()
    }
    info = record.run_info
    costs = {"parameters": info.parameters, "flops": info.flops, "train_seconds": info.train_seconds}
    return {**metrics, **{f"cost/{name}": float(value) for name, value in costs.items() if value is not None}}


def description(record: Record) -> dict[str, str]:
    """Texts on a trial that is over."""
    failure = record.failure or {}
    reason = ": ".join(filter(None, [failure.get("kind"), failure.get("message")]))
    texts = {
        "status": record.status,
        "epochs_run": str(record.result.epochs_run),
        "failure": reason,
        "config_key": record.config_key,
        "git_commit": record.run_info.git_commit or "",
        "device": record.run_info.device,
    }
    return {name: text for name, text in texts.items() if text}


# --- where --log says that a tracker is ----------------------------------------------------------

LIBRARIES = {"tensorboard": "tensorboard", "mlflow": "mlflow", "wandb": "wandb"}
"""Tracker to the module that it needs; the extras of this package have their names."""


@dataclass(frozen=True)
class Destination:
    """A tracker and where it is: a folder, a URL, a project."""

    tracker: str
    location: str

    def __str__(self) -> str:
        return f"{self.tracker}={self.location}"

    @property
    def title(self) -> str:
        """For messages: without what a URL has of a user's name and password."""
        return re.sub(r"//[^/@]*@", "//", str(self))

    def open(self, suite: str) -> Tracker:
        """The runs of a suite there."""
        if self.tracker == "tensorboard":
            from bench.execution.trackers.tensorboard_files import TensorBoardFiles

            return TensorBoardFiles(Path(self.location), suite)
        if self.tracker == "mlflow":
            from bench.execution.trackers.mlflow_runs import MLflowRuns

            return MLflowRuns(self.location, suite)
        from bench.execution.trackers.wandb_runs import WandbRuns

        return WandbRuns(self.location, suite)


def destinations(texts: Sequence[str], local_folder: Path) -> tuple[Destination, ...]:
    """What `--log` names, each once; `local_folder` is a ledger's on this machine.

    Raises
    ------
    UserError
        No such tracker, its library is not installed, or it cannot be where the text says.
    """
    return tuple(dict.fromkeys(_destination(text, local_folder) for text in texts))


def _destination(text: str, local_folder: Path) -> Destination:
    name, _, location = text.partition("=")
    check = _CHECKS.get(name)
    if check is None:
        hint = nearest(name, tuple(_CHECKS)) or f"allowed: {', '.join(_CHECKS)}, each with =DESTINATION where needed"
        raise UserError(f"--log {text}: there is no tracker {name!r}\n  {hint}")
    if importlib.util.find_spec(LIBRARIES[name]) is None:
        raise UserError(f"--log {text}: needs {name}, which is not installed: pip install 'benchgrid[{name}]'")
    return Destination(name, check(location, local_folder))


def _tensorboard_folder(location: str, local_folder: Path) -> str:
    folder = Path(location).expanduser() if location else local_folder / TENSORBOARD
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--log tensorboard={location}: is a file; name a folder for TensorBoard's event files")
    check_writable(folder)
    return str(folder)


def _mlflow_uri(location: str, _: Path) -> str:
    uri = location or os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri:
        raise UserError(
            "--log mlflow: where is its server? --log mlflow=http://HOST:5000, or set MLFLOW_TRACKING_URI\n"
            "  without a server: --log mlflow=sqlite:///mlflow.db"
        )
    scheme = urlsplit(uri).scheme
    if not scheme and uri != "databricks":
        raise UserError(
            f"--log mlflow={location}: is no URL; write one such as http://HOST:5000 or sqlite:///mlflow.db"
        )
    if scheme not in ("", "http", "https", "databricks", "file") and importlib.util.find_spec("sqlalchemy") is None:
        raise UserError(f"--log mlflow={location}: mlflow needs sqlalchemy for a database: pip install mlflow")
    return uri


def _wandb_project(location: str, _: Path) -> str:
    if location and not re.fullmatch(r"([\w.-]+/)?[\w.-]+", location):
        raise UserError(f"--log wandb={location}: write a project, or ENTITY/PROJECT, of letters, digits, - _ and .")
    if os.environ.get("WANDB_MODE", "online") in ("online", "shared") and not _has_wandb_key():
        raise UserError(
            "--log wandb: there is no API key for it: run `wandb login`, or set WANDB_API_KEY\n"
            "  without a server: WANDB_MODE=offline writes files for `wandb sync`"
        )
    return location or os.environ.get("WANDB_PROJECT", "") or "bench"


def _has_wandb_key() -> bool:
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


_CHECKS: dict[str, Callable[[str, Path], str]] = {
    "tensorboard": _tensorboard_folder,
    "mlflow": _mlflow_uri,
    "wandb": _wandb_project,
}
