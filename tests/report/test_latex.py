from __future__ import annotations

import re

from made_ledger import Ledger, config

from bench.report import build
from bench.report.latex import escape, to_latex


def test_a_table_has_a_row_per_configuration_and_as_many_cells_as_columns(full: Ledger) -> None:
    report = build(full.records, full.predictions, "A title")
    text = to_latex(report)
    tables = text.split(r"\begin{table}")[1:]
    assert len(tables) == sum(len(section.filled("latex")) for section in report.sections[0]) > 5
    for table in tables:
        (columns,) = re.findall(r"\\begin\{tabular\}\{([lr]*)\}", table)
        lines = [line for line in table.splitlines() if line.endswith(r" \\")]
        assert {len(re.split(r"(?<!\\)&", line)) for line in lines} == {len(columns)}
    labels = re.findall(r"\\label\{(.*)\}", text)
    assert labels[0] == "tab:bench-1-leaderboard" and len(set(labels)) == len(tables)
    leaderboard = [line for line in tables[0].splitlines() if line.endswith(r" \\")]
    assert len(leaderboard) == 1 + len(report.frame)
    chosen = report.frame.loc[report.frame["selected"], "label"].item()
    assert f"\\textbf{{{escape(chosen)}}}" in text
    assert r"88.27 $\pm$" in text


def test_names_cannot_be_commands(ledger: Ledger) -> None:
    ledger.add(config(model={"name": r"\input{x}.py:100%_$a & b#"}), [0.9])
    text = to_latex(build(ledger.records, ledger.predictions, "A title"))
    assert r"\textbackslash{}input\{x\}.py:100\%\_\$a \& b\#" in text
    assert r"\input" not in text


def test_nothing_run_is_no_table(ledger: Ledger) -> None:
    assert r"\begin" not in to_latex(build([], ledger.predictions, "A title"))
