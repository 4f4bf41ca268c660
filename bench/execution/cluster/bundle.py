"""What travels to the head: ``run.json`` with the trials as they are, and beside it the files that they name.

The suite is expanded and checked here, so the head has nothing to look up: it gets trials, each with its key. JSON
and plain files only; nothing is unpickled on either side.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from bench.data import DATASETS
from bench.data.search_paths import locate, search_paths
from bench.data.user_data import is_user_defined
from bench.errors import UserError
from bench.models.user_code import installed_packages
from bench.suite.schema import Pruning
from bench.suite.trial import ModelCode, Trial

FORMAT = 2
RUN = "run.json"
VARIABLES = "variables.json"
"""The run's environment variables, which may be secret: for its owner's eyes, and removed once the driver has them."""
PACKAGES = "packages"
"""The folder of the user's own packages, whose names are theirs to choose."""


@dataclass(frozen=True)
class BundledSuite:
    """One suite of a run: its trials, and what else decides how they are run."""

    suite: str
    trials: list[Trial]
    pruning: Pruning | None = None
    sampling_seed: int = 0
    arguments: str = ""
    """The suite as it was named on the command line, with the options that narrow it."""


@dataclass(frozen=True)
class RunBundle:
    """A run as it is shipped. `known` are the keys whose entries the sender has; paths are relative to ``run.json``."""

    name: str
    parts: list[BundledSuite]
    results: str
    known: list[str] = field(default_factory=list)
    grows: bool = False
    git_commit: str | None = None
    cpus_per_trial: float = 1
    gpus_per_trial: float | None = None
    jobs: int | None = None
    checkpoint_after: float | None = None
    retries: int | None = None

    @property
    def trials(self) -> list[Trial]:
        return [trial for part in self.parts for trial in part.trials]


def pack(run: RunBundle, folder: Path, *, send_data: bool = False, data_dir: Path | None = None) -> None:
    """Write a run into a new folder: this package, ``run.json``, and the user's own files.

    Raises
    ------
    UserError
        A file of the user's cannot be read.
    """
    import bench

    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(Path(bench.__file__).parent, folder / "bench", ignore=ignore)
    try:
        own = {trial.code.identity: trial.code for trial in run.trials if trial.code}
        codes = {identity: _packed(code, folder, str(n)) for n, (identity, code) in enumerate(own.items())}
        paths = dict.fromkeys(trial.data_path for trial in run.trials if trial.data_path)
        data = {path: _copy(path, folder / "data" / str(n)) for n, path in enumerate(paths)}
        for package in installed_packages(own.values()):
            _copy(package, folder / PACKAGES)
        if send_data:
            _copy_catalogue(run, folder / "datasets", data_dir)
    except OSError as error:
        raise UserError(f"cannot send {_what_failed(error)}") from error

    def moved(trial: Trial) -> dict[str, Any]:
        path = str(data[trial.data_path].relative_to(folder)) if trial.data_path else None
        code = trial.code and trial.code.identity
        return {**asdict(replace(trial, code=None)), "code": code, "data_path": path}

    parts = [
        {
            **{one.name: getattr(part, one.name) for one in fields(part)},
            "trials": [moved(trial) for trial in part.trials],
            "pruning": part.pruning.model_dump(mode="json") if part.pruning else None,
        }
        for part in run.parts
    ]
    plain = {one.name: getattr(run, one.name) for one in fields(run)}
    text = json.dumps({"format": FORMAT, **plain, "parts": parts, "codes": codes})
    (folder / RUN).write_text(text)


def unpack(folder: Path, *, with_code: bool = True) -> RunBundle:
    """The run in a folder that `pack` filled, its files named as they lie there.

    Without the user's code, which only those need who train, ``run.json`` is enough.

    Raises
    ------
    UserError
        The folder holds no run, or one of another version of bench.
    """
    try:
        told = json.loads((folder / RUN).read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / RUN}: cannot be read: {error}") from error
    if told.pop("format", None) != FORMAT:
        raise UserError(f"{folder / RUN}: of another version of bench")

    codes = {
        identity: _unpacked(folder, values) if with_code else None for identity, values in told.pop("codes").items()
    }

    def trial(values: dict[str, Any]) -> Trial:
        path = folder / values["data_path"] if values["data_path"] else None
        return Trial(**{**values, "data_path": path, "code": codes[values["code"]] if values["code"] else None})

    parts = [
        BundledSuite(
            **{
                **part,
                "trials": [trial(one) for one in part["trials"]],
                "pruning": Pruning.model_validate(part["pruning"]) if part["pruning"] else None,
            }
        )
        for part in told.pop("parts")
    ]
    return RunBundle(parts=parts, **told)


def _what_failed(error: OSError) -> str:
    """The file and the reason, which shutil tells of a pipe in its text, of a folder in a list."""
    if error.filename is None and error.args and isinstance(error.args[0], list):
        file, _, reason = error.args[0][0]
        return f"{file} to the cluster: {reason}"
    return f"{error.filename or 'a file'} to the cluster: {error.strerror or error}"


def _packed(code: ModelCode, folder: Path, number: str) -> dict[str, Any]:
    """Write a code's files into a folder of their own; all else of it, as JSON has it."""
    into = folder / "models" / number
    into.mkdir(parents=True)
    files = {}
    for n, (path, content) in enumerate(code.files.items()):
        (into / str(n)).write_bytes(content)
        files[str(path)] = f"models/{number}/{n}"
    return {
        **{one.name: getattr(code, one.name) for one in fields(code)},
        "folder": str(code.folder),
        "roots": [*map(str, code.roots)],
        "modules": {name: str(path) for name, path in code.modules.items()},
        "declared": [*map(str, code.declared)],
        "files": files,
    }


def _unpacked(folder: Path, values: dict[str, Any]) -> ModelCode:
    return ModelCode(
        **{
            **values,
            "folder": Path(values["folder"]),
            "roots": tuple(map(Path, values["roots"])),
            "modules": {name: Path(path) for name, path in values["modules"].items()},
            "declared": tuple(map(Path, values["declared"])),
            "files": {Path(path): (folder / file).read_bytes() for path, file in values["files"].items()},
        }
    )


def _copy(path: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / path.name
    if path.is_dir():
        shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(path, target)
    return target


def _copy_catalogue(run: RunBundle, folder: Path, data_dir: Path | None) -> None:
    """The data sets of the catalogue, from wherever this machine has them."""
    entries = (trial.config["dataset"] for trial in run.trials)
    for name in dict.fromkeys(entry["name"] for entry in entries if not is_user_defined(entry)):
        info = DATASETS[name]
        found = next((paths for place in search_paths(info, data_dir) if (paths := locate(info, place)[0])), None)
        if found is None:
            raise UserError(
                f"{name}: not on this machine, from where `send_data` sends it\n"
                f"  fetch it first: bench data fetch {name}"
            )
        for path in found:
            _copy(path, folder / info.folders[0])
