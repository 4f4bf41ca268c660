"""What a command prints and writes for people to open."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bench.suite.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

NOTED = ".suites.json"
"""Which suite file each report in a folder is of: two suites may have one name."""


def write(path: Path, text: str) -> None:
    """Write the file, making its folder where needed, and say so; UserError where that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="replace")  # a file's name need not be UTF-8
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}; choose another place with --out") from error
    typer.echo(f"wrote {path}")


def take_name(folder: Path, name: str, suite: Path) -> None:
    """Note in the folder that its reports of this name are of this suite file.

    Raises
    ------
    UserError
        They are of another suite file, which is still there and says something else.
    """
    noted = folder / NOTED
    try:
        found = json.loads(noted.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = {}
    known: dict[str, str] = found if isinstance(found, dict) else {}
    other = folder / str(known.get(name, os.path.relpath(suite, folder)))
    if other.is_file() and not other.samefile(suite) and other.read_bytes() != suite.read_bytes():
        raise UserError(
            f"{folder / name}.*: reports of this name are of another suite, {os.path.relpath(other)}\n"
            f"  give {os.path.relpath(suite)} a `name` of its own, or choose another folder with --out"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        noted.write_text(json.dumps({**known, name: os.path.relpath(suite, folder)}, indent=1), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror}; choose another place with --out") from error


def terminal() -> Console:
    """The terminal, for text as it is: names in square brackets are no markup of rich's."""
    from rich.console import Console

    return Console(markup=False, highlight=False)
