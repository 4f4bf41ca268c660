"""What a command writes for people to open."""

from __future__ import annotations

from pathlib import Path

import typer

from bench.suite.errors import UserError


def write(path: Path, text: str) -> None:
    """Write the file, making its folder where needed, and say so; UserError where that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}; choose another place with --out") from error
    typer.echo(f"wrote {path}")
