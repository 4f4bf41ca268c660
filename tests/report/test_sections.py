"""A section is a function and a line in a list: every output has it, and no renderer knows it by name."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from made_ledger import Ledger
from rich.console import Console

import bench.report
from bench.report import Report, build, build_report, print_terminal, to_html, to_json, to_markdown
from bench.report.comparison import Comparison, Origin
from bench.report.csv_json import tables_csv
from bench.report.document import Column, Section, Table, TableGroup
from bench.report.latex import to_latex
from bench.report.sections import CLOSING_SECTIONS, SECTIONS

RENDERERS = ("html.py", "markdown.py", "latex.py", "terminal.py", "csv_json.py")


def noise(comparison: Comparison) -> Section:
    """What a contributor writes."""
    frame = pd.DataFrame({"label": comparison.frame["label"], "drop": 0.1234})
    table = Table(
        name="noise",
        title="Accuracy on noisy images",
        caption="Each image with noise of one seed.",
        frame=frame,
        columns=(
            Column("label", "Configuration", lambda row: row["label"], "label"),
            Column("drop", "Drop %", lambda row: f"{100 * row['drop']:.2f}"),
        ),
        group=TableGroup("With noise", ("new",), ("Noise is Gaussian.",)),
    )
    return Section("noise", "Noise", (table,), sentences=("Networks see noise.",), notes=("One kind only.",))


def who(comparisons: Sequence[Comparison], _: Origin) -> Section:
    return Section("who", "Who", sentences=(f"Of {len(comparisons)} comparison.",), warnings=("Nobody signed this.",))


@pytest.fixture
def report(full: Ledger, monkeypatch: pytest.MonkeyPatch) -> Report:
    monkeypatch.setattr(build_report, "SECTIONS", (*SECTIONS, noise))
    monkeypatch.setattr(build_report, "CLOSING_SECTIONS", (*CLOSING_SECTIONS, who))
    return build(full.records, full.predictions, "title")


def terminal(report: Report) -> str:
    console = Console(file=io.StringIO(), width=160)
    print_terminal(report, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_new_section_is_in_every_output(report: Report) -> None:
    markdown, page, latex, printed = to_markdown(report), to_html(report), to_latex(report), terminal(report)
    for text in (markdown, page, latex, printed):
        assert "Accuracy on noisy images" in text and "Each image with noise of one seed." in text
        assert text.count("12.34") >= len(report.frame)
    for text in (markdown, page, printed):
        assert "One kind only." in text and "Nobody signed this." in text
    for text in (markdown, page):
        assert "Networks see noise." in text and "Noise is Gaussian." in text and "Of 1 comparison." in text
    assert '<a href="#noise">Noise</a>' in page
    assert tables_csv(report)["noise"].startswith("label,drop\n")
    rows = json.loads(to_json(report))["comparisons"][0]["noise"]["noise"]
    assert {row["drop"] for row in rows} == {0.1234}


def test_no_renderer_knows_a_section_by_name(report: Report) -> None:
    folder = Path(bench.report.__file__).parent
    # A row's state may have the name of a section.
    texts = [(folder / name).read_text().replace('"published" in style.states', "") for name in RENDERERS]
    texts += [path.read_text() for path in (folder / "templates").glob("*.j2")]
    for section in [*report.sections[0], *report.closing]:
        assert not [text for text in texts if f'"{section.name}"' in text or f"sections.{section.name}" in text]


def test_names_of_sections_tables_and_charts_are_unique(report: Report) -> None:
    sections = [*report.sections[0], *report.closing]
    tables = [table.name for section in sections for table in section.tables]
    charts = [chart.name for section in sections for chart in section.charts]
    for names in ([section.name for section in sections], tables, charts):
        assert len(names) == len(set(names))
