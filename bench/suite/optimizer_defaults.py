"""What torch's and timm's own optimizers take where a suite file says nothing, which is part of a trial's key.

`optimizer_defaults.json` holds it for the versions that bench is tested with, so that keys need no import of them,
which takes seconds (`make optimizer-defaults` writes it; a test holds it against the libraries).
"""

from __future__ import annotations

import importlib.metadata
import json
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("optimizer_defaults.json")
PACKAGES = ("torch", "timm")


def known_defaults(name: str) -> dict[str, Any] | None:
    """The defaults of the optimizer of this name; None where only the installed libraries can tell."""
    defaults: dict[str, Any] | None = _table().get(name.lower())
    return defaults


def spelled_out(component: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """The entry with its optimizer's defaults filled in, so that equal optimizers are equal entries.

    The name is in lower case, and whole numbers stand as floats where the default is a float.
    """
    parameters = {key: _like(value, defaults.get(key)) for key, value in component.items() if key != "name"}
    if "lr" in parameters:
        parameters["lr"] = _like(
            parameters["lr"], 0.0
        )  # timm's default for one is None: a rate that depends on the step
    return {"name": component["name"].lower()} | defaults | parameters


def versions() -> dict[str, str]:
    """Those of the installed libraries, whatever they were built for."""
    return {package: importlib.metadata.version(package).partition("+")[0] for package in PACKAGES}


@cache
def _table() -> dict[str, Any]:
    table = json.loads(FILE.read_text())
    try:
        return dict(table["defaults"]) if table["versions"] == versions() else {}
    except importlib.metadata.PackageNotFoundError:
        return {}


def _like(value: Any, default: Any) -> Any:
    """A whole number as a float where the default is one, in lists too."""
    if isinstance(value, list) and isinstance(default, tuple | list) and len(value) == len(default):
        return [_like(item, default_item) for item, default_item in zip(value, default, strict=True)]
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if is_integer and isinstance(default, float) else value
