"""The user's own data: a folder of pictures, or a file of arrays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.data import image_folder, npz

Entry = dict[str, Any]
"""A dataset as a suite file has it, with its defaults and an absolute `path`: ``{"name": "npz", "path": ...}``."""

KINDS = ("image_folder", "npz")


def is_own(entry: Entry) -> bool:
    """Whether an entry is the user's own data, and no dataset of the catalogue."""
    return entry["name"] in KINDS


def fingerprint(entry: Entry) -> str:
    """SHA-256 (hex) over the contents, and the names below a folder; UserError where a file cannot be read."""
    path = Path(entry["path"])
    return image_folder.fingerprint(path) if entry["name"] == "image_folder" else npz.fingerprint(path)


def fields(entry: Entry, notify: Callable[[str], None]) -> dict[str, Any]:
    """The fields of a `Dataset`; UserError names the file that is at fault."""
    own = image_folder.load(entry, notify) if entry["name"] == "image_folder" else npz.load(entry)
    return {"name": Path(entry["path"]).name, **own}


def entry_at(path: Path) -> Entry | None:
    """The entry of a path that is there: a folder is one of pictures, a file one of arrays."""
    if path.is_dir():
        return {"name": "image_folder", "path": str(path.resolve())}
    return {"name": "npz", "path": str(path.resolve())} if path.is_file() else None
