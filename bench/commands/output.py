"""What a command prints and writes for people to open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bench.suite.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console


def write(path: Path, text: str) -> None:
    """Write the file, making its folder where needed, and say so; UserError where that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="replace")  # a file's name need not be UTF-8
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}; choose another place with --out") from error
    typer.echo(f"wrote {path}")


def terminal() -> Console:
    """The terminal, for text as it is: names in square brackets are no markup of rich's."""
    from rich.console import Console

    return Console(markup=False, highlight=False)
