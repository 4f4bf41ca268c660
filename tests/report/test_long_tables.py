"""Of very many configurations a page shows the leading ones in full, says so, and lists the others."""

from __future__ import annotations

import re

from made_ledger import FLIP, L2, Ledger, config

from bench.published import find
from bench.report import Report, build, to_csv, to_html
from bench.report.document import Table
from bench.report.sections.cost import cost_points, drawn_points

BATCHES = (32, 64, 128, 256)
"""The smaller, the better here."""


def report_of(made: Ledger) -> Report:
    for place, batch in enumerate(BATCHES):
        made.add(config(batch_size=batch), [0.9 - 0.02 * place] * 2)
    return build(made.records, made.predictions, "title", references=find(["lab-e-baseline"]))


def size_of(label: str) -> int:
    return int(label.rpartition("=")[2])


def board(report: Report) -> Table:
    return report.sections[0][0].tables[0]


def test_the_selected_and_the_published_are_always_in(ledger: Ledger) -> None:
    table = board(report_of(ledger))
    labels = [table.rows[position]["label"] for position in table.leading(1)]
    assert sum("lab-e-baseline" in label for label in labels) == 1
    assert [size_of(label) for label in labels if "lab-e" not in label] == [32]
    assert table.leading(10) == list(range(5))


def test_the_page_has_the_data_of_the_rows_in_full(ledger: Ledger) -> None:
    table = board(report_of(ledger))
    positions = table.leading(2)
    assert table.controls is not None
    data = table.controls.data(positions)
    assert len(data["tiers"]) == len(positions)
    assert [axis["values"] for axis in data["axes"]] == [["batch_size=32", "batch_size=64"]]


def test_the_worst_of_a_column_is_that_of_all_rows(ledger: Ledger) -> None:
    """A row of the first is not shaded as the worst for being last in the page."""
    table = board(report_of(ledger))
    styles = {table.cells["test"][position].style for position in table.leading(3)}
    assert styles == {"", "best"}


def test_a_page_says_what_it_lists_in_short(ledger: Ledger) -> None:
    report = report_of(ledger)
    page = to_html(report, most=2)
    assert "2 more configurations, in short" in page
    assert re.search(r'<th scope="row">[^<]*batch_size=256</th><td>84\.00 ', page)
    assert page.count("<code>bench reproduce") == 2
    assert "These are the first 2 of" in page
    assert "batch_size=256" in to_csv(report)


def test_a_page_of_few_says_nothing_of_it(ledger: Ledger) -> None:
    page = to_html(report_of(ledger))
    assert "in short" not in page and "These are the first" not in page


def test_of_trials_that_are_never_ranked_the_first_are_shown(ledger: Ledger) -> None:
    ledger.add(config(), [0.9])
    for place, changed in enumerate((L2, [*L2, {"name": "dropout", "rate": 0.5}])):
        ledger.add_ended(config(regularizer=changed), 0, "pruned", place + 1)
    ledger.add_ended(config(augmentation=FLIP), 0, "pruned", 3)
    page = to_html(build(ledger.records, ledger.predictions, "title"), most=2)
    assert "3 pruned trials of 3 configurations, stopped early and never ranked." in page
    assert "These are the first 2 of 3 rows" in page


def test_the_front_is_drawn_however_many_lead(ledger: Ledger) -> None:
    points = cost_points(report_of(ledger).comparisons[0], "train_seconds")
    ours = points[points["role"] != "published"].assign(role="other")
    ours["front"] = ours["label"].str.endswith("256")
    kept = ours[drawn_points(ours, ascending=False, most=1)]
    assert sorted(map(size_of, kept["label"])) == [32, 256]
