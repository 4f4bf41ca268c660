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

    With several parts a name begins with the data set, and a number where a data set has several parts.
    """
    from bench.report.charts import png, svg

    count = 0
    for name, title, figure in _named(report):
        for suffix, content in ((".svg", svg(figure).encode()), (".png", png(figure))):
            path = folder / f"{name}{suffix}"
            try:
                folder.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            except OSError as error:
                raise UserError(f"{path}: cannot be written: {error.strerror}; choose another --figures") from error
        typer.echo(f"wrote {folder / name}.svg and .png: {figure.title}{f', {title}' * (len(report.parts) > 1)}")
        count += 1
    if not count:
        typer.echo("no figures: no chart has something to show yet")


def _named(report: Report) -> Iterator[tuple[str, str, Figure]]:
    from bench.report.charts import charts

    datasets = [re.sub(r"[^a-z0-9]+", "-", part.section.dataset.lower()).strip("-")[:60] for part in report.parts]
    for number, (part, dataset) in enumerate(zip(report.parts, datasets, strict=True)):
        place = f"-{datasets[: number + 1].count(dataset)}" if datasets.count(dataset) > 1 else ""
        prefix = f"{dataset}{place}-" if len(report.parts) > 1 else ""
        for figure in charts(part):
            yield f"{prefix}{figure.name}", part.section.title, figure
