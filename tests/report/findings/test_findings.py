"""The claims as tables of text, the same in page and Markdown."""

from __future__ import annotations

import json

import markupsafe
import pytest
from made_ledger import FLIP, L2, Ledger, config

from bench.published import find
from bench.report import Report, build, to_html, to_json, to_markdown
from bench.report.findings.table import Finding, signed
from bench.report.findings.tables import claims
from bench.report.markdown import escape


@pytest.fixture
def grid(ledger: Ledger) -> Ledger:
    for regularizer, augmentation, accuracy in ([], [], 0.9), (L2, [], 0.8), ([], FLIP, 0.7), (L2, FLIP, 0.7):
        ledger.add(config(regularizer=regularizer, augmentation=augmentation), [accuracy, accuracy + 0.002])
    return ledger


def report_of(ledger: Ledger) -> Report:
    return build(ledger.records, ledger.predictions, "title", references=find(["lab-e-baseline"]))


def claim(ledger: Ledger, name: str) -> Finding:
    return next(one for one in claims(report_of(ledger).comparisons[0].analysis) if one.name == name)


def test_each_table_heads_its_columns(grid: Ledger) -> None:
    for one in claims(report_of(grid).comparisons[0].analysis):
        assert len(one.headings) == len(one.numeric)
        assert {len(row) for row in one.rows} == {len(one.headings)}


def test_effects_are_in_points_with_both_intervals(grid: Ledger) -> None:
    row = [cell.text for cell in claim(grid, "effects").rows[0]]
    assert row[:4] == ["regularizer", "l2", "none", "−5.00"]
    assert row[4].startswith("[−") and row[5].startswith("[−")
    assert row[7:] == ["2", "0"]


def test_the_matrix_of_leaders_mirrors_itself(grid: Ledger) -> None:
    found = claim(grid, "pairs")
    assert [row[0].text for row in found.rows][:2] == ["1. mlp", "2. mlp · l2"]
    assert found.rows[0][1].text == "·"
    assert found.rows[0][2].text.startswith("+10.00 [+")
    assert found.rows[1][1].text.startswith("−10.00 [−")


def test_gaps_below_the_floor_are_faint(grid: Ledger) -> None:
    found = claim(grid, "pairs")
    assert [cell.faint for cell in found.rows[2]] == [False, False, False, False, True]


def test_captions_say_that_single_networks_tell_nothing_of_seeds(ledger: Ledger) -> None:
    for regularizer, augmentation in ([], []), (L2, []), ([], FLIP), (L2, FLIP):
        ledger.add(config(regularizer=regularizer, augmentation=augmentation), [0.9])
    assert "how seeds differ is not counted" in claim(ledger, "effects").caption
    ledger.add(config(batch_size=7), [0.9, 0.91])
    assert "how seeds differ is not counted" not in claim(ledger, "effects").caption


def test_tables_name_the_axis_of_a_level(grid: Ledger) -> None:
    assert [cell.text for cell in claim(grid, "interactions").rows[0][:2]] == [
        "regularizer: l2",
        "augmentation: flip",
    ]
    assert "augmentation: none" in [row[0].text for row in claim(grid, "tries").rows]


def test_a_table_of_many_rows_is_folded_in_the_page(ledger: Ledger) -> None:
    for size in range(1, 41):
        ledger.add(config(batch_size=size), [0.9])
    page = to_html(report_of(ledger))
    folded = page[page.index('<details class="fold">') :]
    assert folded[: folded.index("</details>")].count("<tr>") == 41


def test_tries_double(ledger: Ledger) -> None:
    for size in range(1, 7):
        ledger.add(config(batch_size=size), [0.9])
    assert claim(ledger, "tries").headings == ("Settings of", "1 try", "2 tries", "4 tries", "6 tries")


def test_missing_cells_are_explained_where_there_are_any(grid: Ledger) -> None:
    assert "pruning" not in claim(grid, "effects").caption
    grid.add_ended(config(augmentation=FLIP, batch_size=7), 0, "pruned", 2)
    assert "what survives pruning is a selected sample" in claim(grid, "effects").caption


def test_page_and_markdown_show_the_same_cells(grid: Ledger) -> None:
    report = report_of(grid)
    page, text = to_html(report), to_markdown(report)
    for one in claims(report.comparisons[0].analysis):
        assert one.title in page and f"### {one.title}" in text
        for cell in (cell for row in one.rows for cell in row if not cell.label):
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
    row = next(line for line in text.splitlines() if line.startswith("| **mlp**"))
    assert "95 % on new images" in text
    assert "(chosen by validation, tied with the best)" in row
    assert " to " in row.split("|")[3]


def test_points_carry_their_sign() -> None:
    assert [signed(value) for value in (0.0104, -0.003, float("nan"))] == ["+1.04", "−0.30", "–"]
