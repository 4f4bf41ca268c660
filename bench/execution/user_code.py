"""The user's own model file, carried to a node that does not have it."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from bench.ledger.durable import place
from bench.suite.trial import Trial


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
    folder = Path(tempfile.gettempdir()) / f"bench-model-{hashlib.sha256(code).hexdigest()[:32]}"
    here = folder / path.name
    if not (here.is_file() and here.read_bytes() == code):
        place(code, here, aside=folder)
    factory = config["model"]["name"].rpartition(":")[2]
    return {**config, "model": {**config["model"], "name": f"{here}:{factory}"}}
