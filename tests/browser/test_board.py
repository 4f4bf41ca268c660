"""The leaderboard as a reader uses it: sort, filter, choose columns, group, export."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from many import many
from playwright.sync_api import Page, expect

from bench.report import Report, build, to_csv, to_html

Open = Callable[..., Page]


def column(page: Page, name: str) -> list[str]:
    """What stands in a column that is shown, from the top."""
    return page.evaluate(
        """name => {
          const table = document.querySelector("table.board");
          const at = [...table.tHead.rows[0].cells].findIndex((cell) => cell.dataset.column === name);
          return [...table.querySelectorAll("tbody tr:not(.group)")].map((row) => row.cells[at].innerText.trim());
        }""",
        name,
    )


def numbers(page: Page, name: str) -> list[float]:
    """The numbers of a column, without what stands beside them and without empty cells."""
    return [float(text.split()[0].replace(",", "").replace("−", "-")) for text in column(page, name) if text != "–"]


def rows(page: Page) -> list[str]:
    return page.locator("table.board tbody tr:not(.group) > th").all_inner_texts()


def heading(page: Page, text: str) -> None:
    """Click a heading and wait for the order it brings: the highest first, then the lowest first."""
    cell = page.locator("table.board thead th", has_text=text).first
    before = cell.get_attribute("aria-sort")
    cell.click()
    expect(cell).to_have_attribute("aria-sort", "ascending" if before == "descending" else "descending")


def test_it_starts_as_the_report_sorts_it(open_page: Open, small_page: str, small: Report) -> None:
    page = open_page(small_page)
    names = "table.board tbody tr:not(.group) > th"
    parts = "cells => cells.map(cell => [...cell.querySelectorAll('.part')].map(part => part.innerText).join(' '))"
    labels = [" ".join(text.split()) for text in page.locator(names).evaluate_all(parts)]
    assert labels == small.frame["label"].tolist()
    expect(page.get_by_role("status").first).to_have_text("9 rows")


def test_a_click_on_a_heading_sorts_and_another_turns_it_round(open_page: Open, small_page: str) -> None:
    page = open_page(small_page)
    page.get_by_text("Columns", exact=True).click()
    page.get_by_role("checkbox", name="Validation").check()
    page.keyboard.press("Escape")
    heading(page, "Validation")
    found = numbers(page, "validation")[:5]
    assert found == sorted(found, reverse=True)
    heading(page, "Validation")
    found = numbers(page, "validation")[:5]
    assert found == sorted(found) and len(set(found)) > 1


@pytest.mark.parametrize("clicks", [1, 2])
def test_what_is_not_ranked_stays_below(open_page: Open, small_page: str, clicks: int) -> None:
    page = open_page(small_page)
    for _ in range(clicks):
        heading(page, "Test accuracy")
    marks = page.locator(".board tbody tr").all_inner_texts()
    assert "exclude from ranking" in marks[-1]
    assert "incomplete" in marks[-2]


@pytest.mark.parametrize("clicks", [1, 2])
def test_rows_without_a_number_come_after_those_with_one(open_page: Open, small_page: str, clicks: int) -> None:
    page = open_page(small_page)
    for _ in range(clicks):
        heading(page, "Training s")
    shown = column(page, "seconds")
    assert shown[5:7] == ["–", "–"] and "–" not in shown[:5]
    assert shown[7:] == ["12.3", "–"]  # Of the incomplete one and of the refuted claim, which stay below.


def test_words_filter_rows(open_page: Open, small_page: str) -> None:
    page = open_page(small_page)
    page.get_by_label("Filter").fill("l2")
    assert len(rows(page)) == 2
    assert all("l2" in text for text in rows(page))
    expect(page.get_by_role("status").first).to_have_text("2 of 9 rows")
    page.get_by_label("Filter").fill("")
    assert len(rows(page)) == 9


def test_an_axis_value_filters_ours_and_keeps_published(open_page: Open, small_page: str) -> None:
    page = open_page(small_page)
    page.get_by_text("Axis values").click()
    page.get_by_label("optimizer", exact=True).first.select_option("adam lr=0.05")
    assert len(rows(page)) == 3 + 3
    page.get_by_role("checkbox", name="Published results").uncheck()
    assert len(rows(page)) == 3
    page.get_by_text("Axis values").click()
    page.get_by_label("regularizer", exact=True).first.select_option("l2")
    assert len(rows(page)) == 1
    page.get_by_label("optimizer", exact=True).first.select_option("all")
    assert len(rows(page)) == 2


def test_columns_hide_and_axes_show(open_page: Open, small_page: str) -> None:
    page = open_page(small_page)
    page.get_by_text("Columns", exact=True).click()
    flops = page.get_by_role("checkbox", name="FLOPs")
    expect(flops).not_to_be_checked()  # at first the page has few columns
    flops.check()
    expect(page.locator("table.board thead th", has_text="FLOPs")).to_be_visible()
    flops.uncheck()
    expect(page.locator("table.board thead th", has_text="FLOPs")).to_have_count(0)
    page.get_by_role("checkbox", name="optimizer").check()
    expect(page.locator("table.board thead th", has_text="optimizer")).to_be_visible()
    expect(page.locator("table.board td.axis").filter(has_text="lr=0.05")).to_have_count(3)
    page.keyboard.press("Escape")
    expect(flops).to_be_hidden()


def test_rows_group_by_an_axis(open_page: Open, small_page: str) -> None:
    page = open_page(small_page)
    page.get_by_label("Group by").select_option("regularizer")
    heads = page.locator("table.board tr.group").all_inner_texts()
    assert {head.split(" · ")[0] for head in heads[:2]} == {"regularizer: l2", "regularizer: none"}
    assert heads[2].startswith("Published results · 3 rows")
    assert next(head for head in heads if "l2" in head).endswith("2 rows · test 85.13 to 87.90")
    # Beside three complete ones an incomplete one, whose figure is not counted.
    assert next(head for head in heads if "none" in head).endswith("4 rows · test 85.97 to 88.27")
    page.get_by_label("Group by").select_option("nothing")
    expect(page.locator("table.board tr.group")).to_have_count(0)


def test_rows_group_by_any_other_column(open_page: Open, small_page: str) -> None:
    page = open_page(small_page)
    page.get_by_label("Group by").select_option("Seeds")
    heads = page.locator("table.board tr.group").all_inner_texts()
    assert [head.split(" · ")[0] for head in heads] == ["Seeds: 3", "Seeds: 2 of 3", "Published results"]


def exported(page: Page, to: Path) -> list[dict[str, str]]:
    with page.expect_download() as download:
        page.get_by_role("button", name="Export CSV").click()
    assert download.value.suggested_filename == "leaderboard-fashion-mnist.csv"
    download.value.save_as(to)
    return list(csv.DictReader(io.StringIO(to.read_text())))


def test_the_exported_csv_is_the_reports(open_page: Open, small_page: str, small: Report, tmp_path: Path) -> None:
    found = exported(open_page(small_page), tmp_path / "found.csv")
    known = list(csv.DictReader(io.StringIO(to_csv(small))))
    assert found == [{name: value for name, value in row.items() if name != "config"} for row in known]


def test_the_exported_csv_holds_the_rows_shown_in_their_order(open_page: Open, small_page: str, tmp_path: Path) -> None:
    page = open_page(small_page)
    page.get_by_label("Filter").fill("l2")
    heading(page, "Test accuracy")
    heading(page, "Test accuracy")
    found = exported(page, tmp_path / "found.csv")
    means = [float(row["test_mean"]) for row in found]
    assert means == sorted(means) and len(means) == 2
    assert all("l2" in row["label"] for row in found)


def test_the_keyboard_reaches_the_controls_and_the_headings(open_page: Open, small_page: str) -> None:
    page = open_page(small_page)
    page.get_by_label("Filter").focus()
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.innerText"))
        if reached[-1].startswith("Test accuracy"):
            break
    assert {"Axis values", "Columns", "Export CSV"} <= set(reached)
    assert "Test accuracy %: Activate to sort" in reached
    page.keyboard.press("Enter")
    expect(page.locator("table.board thead th[aria-sort=descending]")).to_have_count(1)


def test_many_rows_come_in_pages_and_print_whole(open_page: Open) -> None:
    made = many(configurations=120, seeds=1, images=200)
    page = open_page(to_html(build(made.records, made.predictions, "Many")))
    assert len(rows(page)) == 100
    expect(page.get_by_role("status").first).to_have_text("1 to 100 of 120 rows")
    page.get_by_role("button", name="Next").click()
    assert len(rows(page)) == 20
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert len(rows(page)) == 120
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert len(rows(page)) == 100
