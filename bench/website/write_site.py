"""The files of a site: pages, JSON, CSV and the feed. Equal ledgers give equal bytes: no time of writing is in it."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup, escape

from bench import __version__
from bench.components import AXES
from bench.errors import UserError, plural
from bench.jsonutil import JsonObject
from bench.ledger.record import Record
from bench.report.csv_json import csv_of_rows, to_csv, to_json
from bench.report.html import environment, to_html
from bench.suite.labels import axis_label
from bench.verification.statuses import STATES, Verified, state_of
from bench.website.joined_ledgers import JoinedLedgers
from bench.website.site_pages import DatasetPage, SiteRow, SuitePage, class_rows, slug, utc

FORMAT = "bench site 1"
FEED_ENTRIES = 50
NO_TIME = "1970-01-01T00:00:00Z"


class SiteWriter:
    """Writes the files of one site below a folder; `url` is where it will be served, for the feed."""

    def __init__(self, folder: Path, title: str, url: str) -> None:
        self.folder, self.title, self.url = folder, title, url
        self.templates = _environment()
        self._folders: set[Path] = set()

    def page(self, path: str, template: str, title: str, **values: Any) -> None:
        """Write a page from its template."""
        root = "../" * path.count("/")
        text = self.templates.get_template(template).render(
            root=root, site=self.title, title=title, version=__version__, **values
        )
        self.write(path, text)

    def json(self, path: str, content: Any) -> None:
        """Write JSON on one line: with line breaks Python's encoder takes ten times as long."""
        self.write(path, json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")

    def write(self, path: str, text: str) -> None:
        """Write a file; UserError where that cannot be."""
        file = self.folder / path
        try:
            if file.parent not in self._folders:
                file.parent.mkdir(parents=True, exist_ok=True)
                self._folders.add(file.parent)
            file.write_bytes(text.encode("utf-8", errors="replace"))
        except OSError as error:
            raise UserError(f"{file}: cannot be written: {error.strerror}; choose another folder with --to") from error


def prepare_folder(folder: Path) -> None:
    """Empty a folder that an earlier site is in; UserError where it has something else."""
    try:
        names = {path.name for path in folder.iterdir()} if folder.exists() else set()
    except OSError as error:
        raise UserError(f"{folder}: cannot be read as a folder: {error.strerror}; choose another with --to") from error
    if not names:
        return
    try:
        is_site = json.loads((folder / "index.json").read_text(encoding="utf-8"))["format"] == FORMAT
    except (OSError, ValueError, KeyError, TypeError):
        is_site = False
    if not is_site:
        raise UserError(
            f"{folder}: holds something else than a site of `bench publish` ({', '.join(sorted(names)[:3])}), which "
            "would be removed; choose a new or empty folder with --to"
        )
    for name in ("datasets", "suites", "configurations"):
        shutil.rmtree(folder / name, ignore_errors=True)


def write_site(
    writer: SiteWriter,
    ledgers: JoinedLedgers,
    suites: Sequence[SuitePage],
    datasets: Sequence[DatasetPage],
    verified: Mapping[str, Verified],
) -> None:
    """Write all files of the site."""
    folders = {dataset.name: dataset.folder for dataset in datasets}
    rows = {row.folder: row for suite in suites for row in suite.rows}
    suites_of: dict[str, list[SuitePage]] = {folder: [] for folder in rows}
    for suite in suites:
        for folder in dict.fromkeys(row.folder for row in suite.rows):
            suites_of[folder].append(suite)
    for suite in suites:
        _write_suite(writer, suite)
    for dataset in datasets:
        writer.page(
            f"datasets/{dataset.folder}/index.html",
            "dataset.html.j2",
            dataset.name,
            dataset=dataset,
            suites_of=suites_of,
        )
        writer.json(
            f"datasets/{dataset.folder}/index.json",
            {"dataset": dataset.name, "rows": [row_json(row) for row in dataset.rows]},
        )
    for folder, row in rows.items():
        _write_configuration(writer, row, suites_of[folder], folders[row.dataset], ledgers, verified)
    _write_feed(writer, list(rows.values()), suites_of)
    n_trials = sum(len(row.configuration.records) for row in rows.values())
    writer.page(
        "index.html",
        "index.html.j2",
        writer.title,
        suites=suites,
        datasets=datasets,
        suites_of=suites_of,
        states=STATES,
        n_trials=n_trials,
    )
    writer.json(
        "index.json",
        {
            "format": FORMAT,
            "title": writer.title,
            "datasets": [{"name": d.name, "page": f"datasets/{d.folder}/index.json"} for d in datasets],
            "suites": [{"name": s.name, "title": s.title, "page": f"suites/{s.folder}/report.json"} for s in suites],
            "configurations": [row_json(row) for row in rows.values()],
        },
    )


def _write_suite(writer: SiteWriter, suite: SuitePage) -> None:
    folder = f"suites/{suite.folder}"
    groups = [(key, list(rows)) for key, rows in groupby(suite.rows, key=lambda row: (row.dataset, row.protocol))]
    writer.page(f"{folder}/index.html", "suite.html.j2", suite.title, suite=suite, groups=groups)
    writer.write(f"{folder}/report.html", to_html(suite.report))
    writer.write(f"{folder}/report.json", to_json(suite.report))
    writer.write(f"{folder}/leaderboard.csv", to_csv(suite.report))


def _write_configuration(
    writer: SiteWriter,
    row: SiteRow,
    suites: Sequence[SuitePage],
    dataset_folder: str,
    ledgers: JoinedLedgers,
    verified: Mapping[str, Verified],
) -> None:
    folder = f"configurations/{row.folder}"
    records = row.configuration.records
    seeds = [_seed(record, state_of(ledgers, record, verified)) for record in records]
    classes = class_rows(row, ledgers)
    weights = [name for record in records for name in ledgers.weights(record.key)]
    settings = [
        (name, axis_label(value, name if name in AXES else None, all_parameters=True))
        for name, value in row.configuration.config.items()
    ]
    writer.page(
        f"{folder}/index.html",
        "configuration.html.j2",
        row.label,
        row=row,
        suites=suites,
        dataset_folder=dataset_folder,
        seeds=seeds,
        classes=classes,
        curves=curves_svg(records),
        weights=weights,
        settings=settings,
    )
    curves = {record.key: record.result.curves for record in records}
    content = {
        **row_json(row),
        "config": row.configuration.config,
        "trials": _plain(seeds),
        "classes": _plain(classes),
        "curves": curves,
        "weights": weights,
    }
    writer.json(f"{folder}/index.json", content)
    writer.write(f"{folder}/seeds.csv", csv_of_rows(seeds))


def _seed(record: Record, state: str) -> JsonObject:
    return {
        "key": record.key,
        "seed": record.seed,
        "status": record.status,
        "validation": (record.result.validation or {}).get("accuracy", math.nan),
        "test": (record.result.test or {}).get("accuracy", math.nan),
        "seconds": record.run_info.train_seconds,
        "device": record.run_info.device,
        "finished": utc(record.run_info.finished),
        "state": state,
    }


def row_json(row: SiteRow) -> JsonObject:
    """A row for other programs; accuracies are fractions."""
    values = {
        "label": row.label,
        "page": f"configurations/{row.folder}/index.json",
        "dataset": row.dataset,
        "protocol": row.protocol,
        "imported": row.imported,
        "complete": row.complete,
        "seeds": row.seeds,
        "test_accuracy": row.test,
        "low": row.low,
        "high": row.high,
        "validation_accuracy": row.validation,
        "train_seconds": row.seconds,
        "verified": row.state,
        "finished": row.finished,
        "keys": [record.key for record in row.configuration.records],
    }
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    """NumPy's scalars as Python's own, None for what is not finite."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write_feed(writer: SiteWriter, rows: Iterable[SiteRow], suites_of: Mapping[str, Sequence[SuitePage]]) -> None:
    """The newest configurations as an Atom feed (RFC 4287)."""
    newest = sorted((row for row in rows if row.finished), key=lambda row: (row.finished, row.folder), reverse=True)
    entries = [(row, ", ".join(suite.title for suite in suites_of[row.folder])) for row in newest[:FEED_ENTRIES]]
    digest = hashlib.sha256(f"{writer.title}\n{writer.url}".encode()).hexdigest()[:20]
    text = writer.templates.get_template("feed.xml.j2").render(
        site=writer.title,
        id=f"urn:bench:site:{digest}",
        updated=newest[0].finished if newest else NO_TIME,
        url=writer.url,
        version=__version__,
        entries=entries,
    )
    writer.write("feed.xml", text)


WIDTH, HEIGHT, LEFT, BOTTOM = 560, 200, 52, 26


def curves_svg(records: Sequence[Record]) -> Markup:
    """The validation (else training) accuracy of each seed by epoch; nothing where none has two epochs."""
    name = (
        "val_accuracy" if any(len(r.result.curves.get("val_accuracy", [])) > 1 for r in records) else "train_accuracy"
    )
    curves = [[v for v in record.result.curves.get(name, []) if v is not None] for record in records]
    curves = [curve for curve in curves if len(curve) > 1]
    if not curves:
        return Markup("")
    low, high = min(map(min, curves)), max(map(max, curves))
    length, span = max(map(len, curves)), (high - low) or 1.0
    lines = []
    for curve in curves:
        xs = [LEFT + (WIDTH - LEFT - 8) * epoch / (length - 1) for epoch in range(len(curve))]
        ys = [8 + (HEIGHT - BOTTOM - 8) * (high - value) / span for value in curve]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
        lines.append(f'<polyline class="line" points="{points}"/>')
    what = "Validation accuracy" if name == "val_accuracy" else "Training accuracy"
    seeds = plural(len(curves), "seed")
    title = f"{what} by epoch, {seeds}: {100 * low:.2f} to {100 * high:.2f} % in epochs 1 to {length}"
    ground = HEIGHT - BOTTOM
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" aria-label="{escape(title)}">'
        f'<line class="axis" x1="{LEFT}" y1="{ground}" x2="{WIDTH - 8}" y2="{ground}"/>'
        f'<text x="0" y="14">{100 * high:.1f} %</text><text x="0" y="{ground}">{100 * low:.1f} %</text>'
        f'<text x="{LEFT}" y="{HEIGHT - 8}">epoch 1</text>'
        f'<text x="{WIDTH - 8}" y="{HEIGHT - 8}" text-anchor="end">{length}</text>'
        f'{"".join(lines)}</svg><p class="quiet">{escape(title)}.</p>'
    )


def _environment() -> Environment:
    templates = environment("bench.website")
    templates.filters |= {"percent": _percent, "duration": _duration, "count": _count, "slug": slug}
    return templates


def _percent(fraction: float | None) -> str:
    return "" if fraction is None or not math.isfinite(fraction) else f"{100 * fraction:.2f} %"


def _duration(seconds: float) -> str:
    if not math.isfinite(seconds):
        return ""
    return (
        f"{seconds:.1f} s"
        if seconds < 100
        else f"{seconds / 60:.0f} min"
        if seconds < 6000
        else f"{seconds / 3600:.1f} h"
    )


def _count(number: int, noun: str = "trial", nouns: str = "") -> str:
    return f"{number:,} {nouns}" if nouns and number != 1 else plural(number, noun)
