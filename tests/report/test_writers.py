"""Every form shows the same figures, and survives every state a ledger can be in."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable

import pandas as pd
import pytest
from made_ledger import L2, Ledger, config, planned, provenance_of
from rich.console import Console

from bench.published import find
from bench.report import Report, build, print_terminal, to_csv, to_html, to_json, to_markdown
from bench.report.csv_json import csv_of, tables_csv
from bench.report.latex import to_latex


def report_of(ledger: Ledger, title: str = "Quick suite") -> Report:
    references = find(["lab-e-baseline"])
    return build(ledger.records, ledger.predictions, title, "quick", references, "bench report quick")


def terminal(report: Report, top: int | None = None) -> str:
    console = Console(file=io.StringIO(), width=160)
    print_terminal(report, console, top)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def every_table(report: Report) -> str:
    return "\n".join(tables_csv(report).values())


WRITERS: list[Callable[[Report], str]] = [terminal, to_markdown, to_html, to_json, to_csv, every_table]


@pytest.mark.parametrize("write", [terminal, to_markdown, to_html])
def test_every_readable_form_shows_the_same_cells(full: Ledger, write: Callable[[Report], str]) -> None:
    text = " ".join(write(report_of(full)).split())
    for words in ("88.27 ± ", "87.90 ± ", "87.00 ± ", "2 of 3", "88.35", "published", "MemoryError: no room"):
        assert words in text


@pytest.mark.parametrize("write", [terminal, to_markdown, to_html])
def test_what_labels_leave_out_stands_once_above_the_table(full: Ledger, write: Callable[[Report], str]) -> None:
    text = write(report_of(full))
    assert text.count("l2: strength=0.001") == 1
    assert text.index("l2: strength=0.001") < text.index("88.27 ±")
    assert json.loads(to_json(report_of(full)))["comparisons"][0]["legend"] == "l2: strength=0.001"


@pytest.mark.parametrize("write", [terminal, to_markdown, to_html])
def test_a_suite_that_was_not_run_yet_says_so(ledger: Ledger, write: Callable[[Report], str]) -> None:
    report = build([], ledger.predictions, "title", references=find(["lab-e-l2"]), planned=planned(config(), 1))
    text = write(report)
    assert "Nothing has been run yet (1 trial)." in text
    assert "87.30" in text
    assert "\n\n\n" not in to_markdown(report)


@pytest.mark.parametrize("write", [*WRITERS, to_latex])
def test_a_mean_says_which_seeds_it_lacks_and_why(ledger: Ledger, write: Callable[[Report], str]) -> None:
    ledger.add(config(), [0.9, 0.91, 0.92, 0.9, 0.9, 0.9])
    ledger.add(config(regularizer=L2), [0.9, 0.91])
    for seed, status in ((2, "diverged"), (3, "diverged"), (4, "failed")):
        ledger.add_ended(config(regularizer=L2), seed, status, 1)
    asked = [*planned(config(), 6), *planned(config(regularizer=L2), 6)]
    text = " ".join(write(build(ledger.records, ledger.predictions, "title", planned=asked)).split())
    for words in ("seeds 2, 3 diverged", "seed 4 failed", "seed 5 not run"):
        assert words in text
    if write is not to_csv:
        assert "a biased sample" in text or write in (to_latex, every_table)


@pytest.mark.parametrize("write", [terminal, to_markdown, to_html])
def test_one_seed_is_marked(ledger: Ledger, write: Callable[[Report], str]) -> None:
    ledger.add(config(), [0.9])
    text = write(report_of(ledger))
    assert re.search(r"[|> ]1 seed[ <]", text)
    assert "With 1 seed, the brackets are Wilson" in " ".join(text.split())


@pytest.mark.parametrize("write", [to_markdown, to_html])
def test_epochs_get_a_column_only_where_they_differ(ledger: Ledger, write: Callable[[Report], str]) -> None:
    ledger.add(config(), [0.9])
    same = build(ledger.records, ledger.predictions, "title")
    assert not re.search(r"Epochs( \||<)", write(same))
    ledger.add(config(epochs=9), [0.9])
    ledger.add(config(batch_size=9), [0.9])
    ledger.add(config(batch_size=9, epochs=9), [0.9])
    assert re.search(r"Epochs( \||<)", write(build(ledger.records, ledger.predictions, "title")))


@pytest.mark.parametrize("write", WRITERS)
def test_an_empty_ledger_makes_a_report(ledger: Ledger, write: Callable[[Report], str]) -> None:
    assert write(report_of(ledger))


@pytest.mark.parametrize("write", WRITERS)
def test_a_suite_that_failed_altogether_makes_a_report(ledger: Ledger, write: Callable[[Report], str]) -> None:
    ledger.add_ended(config(), 0, "failed", 0, failure={"kind": "OSError", "message": "disk full"})
    assert "disk full" in write(report_of(ledger)) or write is to_csv


@pytest.mark.parametrize("write", WRITERS)
def test_a_single_trial_makes_a_report(ledger: Ledger, write: Callable[[Report], str]) -> None:
    ledger.add(config(), [0.9])
    assert re.search(r"90\.00 \[87\.98, 91\.71|0\.9", write(report_of(ledger)))


def test_csv_and_json_hold_the_frames_own_numbers(full: Ledger) -> None:
    report = report_of(full)
    table = list(csv.DictReader(io.StringIO(to_csv(report))))
    rows = json.loads(to_json(report))["comparisons"][0]["leaderboard"]
    means = report.frame["test_mean"].tolist()
    assert [float(row["test_mean"]) for row in table] == means
    assert [row["test_mean"] for row in rows] == means
    ours = next(row for row in rows if row["kind"] == "trained")
    assert ours["config"]["model"]["name"] == "mlp"
    assert len(ours["keys"]) == ours["seeds"]


def test_csv_has_a_column_per_axis_that_varies(full: Ledger) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(report_of(full)))))
    trained = [row for row in rows if row["kind"] == "trained"]
    assert {row["axis regularizer"] for row in trained} == {"none", "l2"}
    assert all(("l2" in row["label"]) == (row["axis regularizer"] == "l2") for row in trained)
    assert [row["axis regularizer"] for row in rows if row["kind"] == "published"] == [""]


def test_json_has_null_for_what_is_not_known(full: Ledger) -> None:
    rows = json.loads(to_json(report_of(full)))["comparisons"][0]["leaderboard"]
    assert next(row for row in rows if row["kind"] == "published")["test_low"] is None


def test_the_terminal_can_show_the_top_and_keeps_the_chosen(full: Ledger) -> None:
    text = terminal(report_of(full), top=1)
    assert "selected on validation" in text
    assert "more rows are not displayed" in text
    assert "2 of 3" not in text


def test_markdown_tables_keep_their_columns_whatever_the_names(ledger: Ledger) -> None:
    ledger.add(config(model={"name": "a|b\n<script>"}), [0.9])
    tables = re.findall(r"(?:^\|.*\n)+", to_markdown(report_of(ledger)), flags=re.MULTILINE)
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1
    assert "<script>" not in "".join(tables)


def test_provenance_counts_trials_and_names_the_machine(full: Ledger) -> None:
    known = provenance_of(report_of(full))
    assert known["Trials"] == "12: 9 complete, 1 diverged, 1 pruned, 1 failed"
    assert known["Versions"] == "bench 0.1.0, torch 2.9.0"
    assert known["Command"] == "bench report quick"


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "＝1", "－1", "-", '=HYPERLINK("x")']
)
def test_a_csv_has_no_formula(text: str) -> None:
    frame = pd.DataFrame({text: ["a", text], "value": [-1.5, 2.0], "note": [None, "-0.25"]})
    written = csv_of(frame)
    heading, _, row = csv.reader(io.StringIO(written))
    shown = "'" + text.replace("\r", " ")
    assert (heading[0], row[0]) == (shown, shown)
    assert written.splitlines()[-1].endswith(",2.0,-0.25")
    assert list(frame.columns) == [text, "value", "note"]
