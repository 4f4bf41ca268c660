"""The page's address: what a reader chose is in it, and a link to what is folded opens it. What they may save."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from made_ledger import L2, Ledger, config
from playwright.sync_api import Locator, Page, expect

from bench.report import build, to_html

Open = Callable[..., Page]


def state(page: Page) -> dict[str, str]:
    return {name: value[0] for name, value in parse_qs(urlsplit(page.url).query).items()}


def again(page: Page) -> None:
    """Open the same address as someone would to whom it was sent."""
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    page.locator("[data-controls=leaderboard] .tools").first.wait_for(state="attached")


def test_filter_order_and_columns_are_in_the_address(open_page: Open, small_page: str) -> None:
    page = open_page(small_page)
    assert state(page) == {}
    page.get_by_text("Axis values").click()
    page.get_by_label("optimizer", exact=True).first.select_option("adam lr=0.05")
    page.get_by_text("Columns", exact=True).first.click()
    page.get_by_role("checkbox", name="FLOPs").check()
    page.keyboard.press("Escape")
    page.get_by_role("checkbox", name="Published results").uncheck()
    page.get_by_label("Filter").fill("mlp")
    page.locator("table.board thead th", has_text="Test accuracy").first.click()
    expect(page.locator("table.board thead th[aria-sort]")).to_have_count(1)
    chosen = state(page)
    assert chosen == {
        "axis optimizer": "adam lr=0.05",
        "columns": "FLOPs",
        "published": "no",
        "filter": "mlp",
        "sort": "Test accuracy %;desc",
    }
    displayed = page.locator(".board tbody tr").all_inner_texts()
    again(page)
    assert state(page) == chosen
    assert page.locator(".board tbody tr").all_inner_texts() == displayed
    expect(page.get_by_label("Filter")).to_have_value("mlp")
    expect(page.locator("table.board thead th[aria-sort=descending]")).to_have_count(1)


def test_two_chosen_configurations_and_the_gallerys_pair_are_in_the_address(open_page: Open) -> None:
    made = Ledger()
    made.add(config(), [0.88, 0.9])
    made.add(config(regularizer=L2), [0.84, 0.86])
    made.add(config(batch_size=8), [0.6])
    page = open_page(to_html(build(made.records, made.predictions, "Three")))
    tool = page.locator(".compare")
    tool.get_by_label("A", exact=True).select_option(label="mlp · batch_size=8")
    tool.get_by_label("Matrix", exact=True).select_option(label="B")
    assert state(page) == {"a": "mlp · batch_size=8", "matrix": "B"}
    text = tool.locator(".compared").inner_text()
    again(page)
    assert page.locator(".compared").inner_text() == text


def test_a_link_opens_what_is_folded(open_page: Open, small_page: str) -> None:
    page = open_page(small_page)
    table = page.locator("#provenance table")
    expect(table).to_be_hidden()
    page.locator(".stamp a", has_text="Provenance").click()
    expect(table).to_be_visible()
    address = page.url
    page.goto("about:blank")
    page.goto(address.replace("#provenance", "#glossary"))
    expect(page.locator("#glossary table")).to_be_visible()
    expect(table).to_be_hidden()


def saved(page: Page, place: Locator, name: str, to: Path) -> bytes:
    place.locator("details.save > summary").click()
    with page.expect_download() as download:
        place.get_by_role("button", name=name, exact=True).click()
    file = to / download.value.suggested_filename
    download.value.save_as(file)
    place.locator("details.save > summary").click()
    return file.read_bytes()


def test_charts_and_tables_are_saved_as_files(open_page: Open, small_page: str, tmp_path: Path) -> None:
    page = open_page(small_page, color_scheme="dark")
    effects = page.locator("#effects")
    svg = saved(page, effects, "Effect of each setting as SVG", tmp_path).decode()
    assert svg.startswith("<svg") and 'fill="#ffffff"' in svg and "optimizer" in svg
    assert saved(page, effects, "Effect of each setting as PNG", tmp_path).startswith(b"\x89PNG")
    rows = list(csv.DictReader(io.StringIO(saved(page, effects, "Effect of each setting as CSV", tmp_path).decode())))
    assert {"value", "effect", "low", "high"} <= rows[0].keys()
    table = list(csv.DictReader(io.StringIO(saved(page, effects, "Effects as CSV", tmp_path).decode())))
    assert {row["axis"] for row in table} >= {"optimizer", "regularizer"}
    assert b"\\begin{tabular}" in saved(page, effects, "Effects as LaTeX", tmp_path)


def test_a_formula_in_a_name_is_text_in_the_saved_file(open_page: Open, tmp_path: Path) -> None:
    made = Ledger()
    for number in range(3):
        made.add(config(model={"name": "=1+1"}, batch_size=8 * (number + 1)), [0.9, 0.91, 0.9])
    page = open_page(to_html(build(made.records, made.predictions, "Formula")))
    text = saved(page, page.locator("#curves"), "Learning curves as CSV", tmp_path).decode()
    assert "'=1+1" in text and not any(cell.startswith("=") for row in csv.reader(io.StringIO(text)) for cell in row)
