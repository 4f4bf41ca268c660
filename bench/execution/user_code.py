"""The user's own models on nodes that do not have them: their files, and the packages that hold them."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.ledger.durable import place
from bench.models.user import is_user
from bench.suite.errors import UserError
from bench.suite.trial import Trial


def own_packages(trials: Iterable[Trial]) -> list[Path]:
    """The top packages of models given as 'package.module:factory'; single modules among them."""
    names = {trial.config["model"]["name"] for trial in trials if not trial.model_file}
    found = []
    for top in sorted({name.partition(":")[0].partition(".")[0] for name in names if is_user(name)}):
        spec = importlib.util.find_spec(top)
        if spec and spec.submodule_search_locations:
            found.append(Path(next(iter(spec.submodule_search_locations))))
        elif spec and spec.origin:
            found.append(Path(spec.origin))
    return found


def carried(trial: Trial) -> dict[str, str] | None:
    """The file of the trial's own model, as a message takes it along; None for any other model."""
    if trial.model_file is None:
        return None
    return {"path": str(trial.model_file), "text": trial.model_file.read_bytes().decode("utf-8", "surrogateescape")}


def with_own_model(config: dict[str, Any], file: dict[str, str] | None) -> dict[str, Any]:
    """The configuration with its model's file as this node has it, written here where it is missing or another one."""
    if file is None:
        return config
    code = file["text"].encode("utf-8", "surrogateescape")
    path = Path(file["path"])
    if path.is_file() and path.read_bytes() == code:
        return config
    folder = Path(tempfile.gettempdir()) / f"bench-model-{os.getuid()}-{hashlib.sha256(code).hexdigest()[:32]}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid != os.getuid() or folder.lstat().st_mode & 0o022:
        raise UserError(f"{folder}: belongs to someone else, who could change the code in it; remove it")
    here = folder / path.name
    if not (here.is_file() and here.read_bytes() == code):
        place(code, here, aside=folder)
    factory = config["model"]["name"].rpartition(":")[2]
    return {**config, "model": {**config["model"], "name": f"{here}:{factory}"}}
