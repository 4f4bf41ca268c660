"""The claims as tables of text, the same in page and Markdown."""

from __future__ import annotations

import json

import markupsafe
import pytest
from made_ledger import FLIP, L2, Ledger, config

from bench.published import find
from bench.report import Report, build, to_html, to_json, to_markdown
from bench.report.document import Table
from bench.report.markdown import escape
from bench.report.number_format import points


@pytest.fixture
def grid(ledger: Ledger) -> Ledger:
    for regularizer, augmentation, accuracy in ([], [], 0.9), (L2, [], 0.8), ([], FLIP, 0.7), (L2, FLIP, 0.7):
        ledger.add(
            config(regularizer=regularizer, augmentation=augmentation), [accuracy, accuracy + 0.002, accuracy + 0.001]
        )
    return ledger


def report_of(ledger: Ledger) -> Report:
    return build(ledger.records, ledger.predictions, "title", references=find(["lab-e-baseline"]))


def tables(report: Report) -> list[Table]:
    return [table for section in report.sections[0] for table in section.filled("markdown")]


def table(ledger: Ledger, name: str) -> Table:
    return next(one for one in tables(report_of(ledger)) if one.name == name)


def row(of: Table, position: int) -> list[str]:
    return [of.cells[column.name][position].text for column in of.columns]


def test_each_column_has_a_cell_per_row(grid: Ledger) -> None:
    for one in tables(report_of(grid)):
        assert len({column.name for column in one.columns}) == len(one.columns) == len(one.cells)
        assert {len(cells) for cells in one.cells.values()} == {len(one.rows)}


def test_effects_are_in_points_with_both_intervals(grid: Ledger) -> None:
    cells = row(table(grid, "effects"), 0)
    assert cells[:4] == ["regularizer", "l2", "none", "−5.00"]
    assert cells[4].startswith("[−") and cells[5].startswith("[−")
    assert cells[7:] == ["2", "0"]


def test_the_matrix_of_leaders_has_each_pair_once(grid: Ledger) -> None:
    found = table(grid, "pairs")
    assert [cell.text for cell in found.cells["label"]][:2] == ["1. mlp", "2. mlp · l2"]
    assert row(found, 0)[1] == "·"
    assert row(found, 0)[2].startswith("+10.00 [+")
    assert row(found, 1)[1:3] == ["", "·"]


def test_gaps_below_the_floor_are_faint(grid: Ledger) -> None:
    found = table(grid, "pairs")
    assert [found.cells[column.name][2].style for column in found.columns] == ["", "", "", "", "faint"]


def test_captions_say_that_single_networks_tell_nothing_of_seeds(ledger: Ledger) -> None:
    for regularizer, augmentation in ([], []), (L2, []), ([], FLIP), (L2, FLIP):
        ledger.add(config(regularizer=regularizer, augmentation=augmentation), [0.9])
    assert "seed noise is not included" in table(ledger, "effects").caption
    ledger.add(config(batch_size=7), [0.9, 0.91])
    assert "seed noise is not included" not in table(ledger, "effects").caption


def test_tables_name_the_axis_of_a_level(grid: Ledger) -> None:
    assert row(table(grid, "interactions"), 0)[:2] == [
        "regularizer: l2",
        "augmentation: flip",
    ]
    assert "augmentation: none" in [cell.text for cell in table(grid, "expected-best").cells["settings"]]


def test_a_table_of_many_rows_is_folded_in_the_page(ledger: Ledger) -> None:
    for size in range(1, 41):
        ledger.add(config(batch_size=size), [0.9])
    page = to_html(report_of(ledger))
    folded = page[page.index('<details class="fold">') :]
    assert folded[: folded.index("</details>")].count("<tr>") == 41


def test_tries_double(ledger: Ledger) -> None:
    for size in range(1, 7):
        ledger.add(config(batch_size=size), [0.9])
    headings = [column.heading for column in table(ledger, "expected-best").columns]
    assert headings == ["Settings of", "1 trial", "2 trials", "4 trials", "6 trials"]


def test_missing_cells_are_explained_where_there_are_any(grid: Ledger) -> None:
    assert "pruning" not in table(grid, "effects").caption
    grid.add_ended(config(augmentation=FLIP, batch_size=7), 0, "pruned", 2)
    assert "what survives pruning is a biased sample" in table(grid, "effects").caption


def test_page_and_markdown_show_the_same_cells(grid: Ledger) -> None:
    report = report_of(grid)
    page, text = to_html(report), to_markdown(report)
    for one in (table for table in tables(report) if "page" in table.formats):
        assert one.title in page and f"### {one.title}" in text
        for column in (column for column in one.columns if column.kind != "label"):
            for cell in one.cells[column.name] if column.formats >= {"page", "markdown"} else ():
                assert str(markupsafe.escape(cell.text)) in page
                assert escape(cell.text) in text


def test_json_holds_the_frames_with_null_for_never(grid: Ledger) -> None:
    report = report_of(grid)
    (section,) = json.loads(to_json(report))["comparisons"]
    told = section["findings"]
    assert told["top"] == ["mlp"]
    assert told["effects"][0]["effect"] == pytest.approx(-0.05)
    assert len(told["differences"]) == 6
    assert None in [row["seconds"] for row in told["time_to_target"]]
    assert told["published"][0]["id"] == "lab-e-baseline"
    assert section["leaderboard"][0]["in_best_set"] in (True, None)


def test_markdown_names_both_intervals_and_marks_the_tied(grid: Ledger) -> None:
    text = to_markdown(report_of(grid))
    line = next(line for line in text.splitlines() if line.startswith("| **mlp**"))
    assert "95 % on new images" in text
    assert "(selected on validation) | ●" in line
    assert line.split("|")[4].startswith(" \\[")


def test_points_carry_their_sign() -> None:
    assert [points(value) for value in (0.0104, -0.003, float("nan"))] == ["+1.04", "−0.30", "–"]
    assert [points(value) for value in (0.0, -0.00001, 0.00001)] == ["0.00"] * 3
