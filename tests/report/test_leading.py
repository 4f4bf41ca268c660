"""Of very many configurations a page shows the leading ones in full, says so, and lists the others."""

from __future__ import annotations

import re

import pandas as pd
from made_ledger import FLIP, L2, Ledger, config

from bench.published import find
from bench.report import Report, build, to_csv, to_html
from bench.report.board import board
from bench.report.charts.cost import frame, leading_points
from bench.report.leading import leading

BATCHES = (32, 64, 128, 256)
"""The smaller, the better here."""


def report_of(made: Ledger) -> Report:
    for place, batch in enumerate(BATCHES):
        made.add(config(batch_size=batch), [0.9 - 0.02 * place] * 2)
    return build(made.records, made.predictions, "title", references=find(["lab-e-baseline"]))


def size_of(label: str) -> int:
    return int(label.rpartition("=")[2])


def test_the_chosen_and_the_published_are_always_in() -> None:
    kinds = ["trained", "trained", "published", "trained", "trained", "imported"]
    rows = pd.DataFrame({"kind": kinds, "selected": [False, False, False, False, True, False]})
    assert leading(rows, most=1) == [0, 2, 4, 5]
    assert leading(rows, most=4) == [0, 1, 2, 3, 4, 5]


def test_the_board_keeps_the_leading_rows_and_the_data_of_those(ledger: Ledger) -> None:
    shown = board(report_of(ledger).comparisons[0], most=2)
    assert [size_of(line.row.label) for line in shown.lines if not line.row.published] == [32, 64]
    assert [size_of(row.label) for row in shown.rest] == [128, 256]
    assert len(shown.data["csv"]) == 1 + len(shown.lines) == 1 + len(shown.data["tiers"])
    assert [axis["values"] for axis in shown.data["axes"]] == [["batch_size=32", "batch_size=64"]]


def test_the_worst_of_a_column_is_that_of_all_rows(ledger: Ledger) -> None:
    """A leading row is not shaded as the worst for being last in the page."""
    shown = board(report_of(ledger).comparisons[0], most=3)
    assert {cell.shade for line in shown.lines for cell in line.cells} == {"", "best"}


def test_a_page_says_what_it_lists_in_short(ledger: Ledger) -> None:
    report = report_of(ledger)
    page = to_html(report, most=2)
    assert "2 more configurations, in short" in page
    assert re.search(r'<th scope="row">[^<]*batch_size=256</th><td>84\.00 ', page)
    assert "Those of the leading 2 of each table" in page
    assert page.count("<code>bench reproduce") == 2
    assert "These are the first 2 of" in page
    assert "batch_size=256" in to_csv(report)


def test_a_page_of_few_says_nothing_of_it(ledger: Ledger) -> None:
    page = to_html(report_of(ledger))
    assert "in short" not in page and "These are the first" not in page and "of the leading" not in page


def test_of_trials_that_are_never_ranked_the_first_are_shown(ledger: Ledger) -> None:
    ledger.add(config(), [0.9])
    for place, changed in enumerate((L2, [*L2, {"name": "dropout", "rate": 0.5}])):
        ledger.add_ended(config(regularizer=changed), 0, "pruned", place + 1)
    ledger.add_ended(config(augmentation=FLIP), 0, "pruned", 3)
    page = to_html(build(ledger.records, ledger.predictions, "title"), most=2)
    assert "3 pruned trials of 3 configurations, stopped early and never ranked; the first 2, all stand in" in page


def test_the_front_is_drawn_however_many_lead(ledger: Ledger) -> None:
    points = frame(report_of(ledger).comparisons[0], "train_seconds")
    ours = points[points["role"] != "published"].assign(role="rest")
    ours["front"] = ours["label"].str.endswith("256")
    kept = ours[leading_points(ours, ascending=False, most=1)]
    assert sorted(map(size_of, kept["label"])) == [32, 256]
