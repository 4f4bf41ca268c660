"""`bench report --figures DIR`: every chart as a file, for papers and slides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bench.suite.errors import UserError

if TYPE_CHECKING:
    from bench.report.charts import Figure
    from bench.report.report import Report


def write_figures(report: Report, folder: Path) -> None:
    """Write each chart as NAME.svg and NAME.png, on white, and say so; UserError where that cannot be.

    With several parts a name begins with its part's title.
    """
    from bench.report.charts import png, svg

    count = 0
    for name, figure in _named(report):
        for suffix, content in ((".svg", svg(figure).encode()), (".png", png(figure))):
            path = folder / f"{name}{suffix}"
            try:
                folder.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            except OSError as error:
                raise UserError(f"{path}: cannot be written: {error.strerror}; choose another --figures") from error
        typer.echo(f"wrote {folder / name}.svg and .png: {figure.title}")
        count += 1
    if not count:
        typer.echo("no figures: no chart has something to show yet")


def _named(report: Report) -> Iterator[tuple[str, Figure]]:
    from bench.report.charts import charts

    taken: set[str] = set()
    for part in report.parts:
        title = re.sub(r"[^a-z0-9]+", "-", part.section.title.lower()).strip("-")[:60]
        for figure in charts(part):
            name = f"{title}-{figure.name}" if len(report.parts) > 1 else figure.name
            number = 2
            while name in taken:
                name, number = f"{title}-{number}-{figure.name}", number + 1
            taken.add(name)
            yield name, figure
