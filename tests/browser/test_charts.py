"""Charts in a browser: a still image first, a live view where a reader points, without eval and without requests."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from made_charts import HOSTILE, grid
from made_ledger import BASE, config
from playwright.sync_api import Page, expect

from bench.report import build
from bench.report.html import to_html

Opened = Callable[..., Page]


@pytest.fixture(scope="module")
def page_text() -> str:
    made = grid()
    made.add(config(model={**BASE["model"], "name": HOSTILE}), [0.84])
    return to_html(build(made.records, made.predictions, title="Charts"))


def test_still_pictures_stand_without_scripts(open_page: Opened, page_text: str) -> None:
    page = open_page(page_text, java_script_enabled=False)
    expect(page.get_by_role("img", name="Learning curves")).to_be_visible()
    assert page.locator(".chart .view").count() == 0


def test_pointing_makes_a_chart_live(open_page: Opened, page_text: str) -> None:
    page = open_page(page_text)
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    for figure in page.locator("figure.chart").all():
        figure.locator(".still").dispatch_event("pointerenter")
        expect(figure).to_have_class("chart live")
        expect(figure.locator(".still")).to_be_hidden()
        expect(figure.locator(".view svg")).to_be_visible()


def test_a_mark_tells_its_name_as_text(open_page: Opened, page_text: str) -> None:
    page = open_page(page_text, viewport={"width": 1300, "height": 900})
    figure = page.locator("figure.chart").first
    figure.scroll_into_view_if_needed()
    figure.locator(".still").dispatch_event("pointerenter")
    expect(figure).to_have_class("chart live")
    # Vega keeps the row that a mark stands for on its element.
    marks = figure.locator(".view .mark-symbol.role-mark path").all()
    hostile = next(mark for mark in marks if HOSTILE in mark.evaluate("path => path.__data__.datum.label"))
    hostile.hover(force=True)
    expect(page.locator("#vg-tooltip-element")).to_contain_text(HOSTILE)


def test_a_legend_brings_one_out(open_page: Opened, page_text: str) -> None:
    page = open_page(page_text, viewport={"width": 1300, "height": 900})
    figure = page.locator("figure.chart").first
    figure.scroll_into_view_if_needed()
    figure.locator(".still").dispatch_event("pointerenter")
    expect(figure).to_have_class("chart live")
    marks = figure.locator(".view .mark-symbol.role-mark path")
    assert {mark.get_attribute("opacity") for mark in marks.all()} <= {"1", None}
    figure.locator(".view .role-legend-label text").first.click()
    expect(figure.locator('.view .mark-symbol.role-mark path[opacity="0.12"]').first).to_be_attached()


def test_paper_gets_the_still_picture(open_page: Opened, page_text: str) -> None:
    page = open_page(page_text)
    figure = page.locator("figure.chart").first
    figure.locator(".still").dispatch_event("pointerenter")
    expect(figure).to_have_class("chart live")
    page.emulate_media(media="print")
    expect(figure.locator(".still")).to_be_visible()
    expect(figure.locator(".view")).to_be_hidden()


def test_dark_paper_lightens_the_ink(open_page: Opened, page_text: str) -> None:
    page = open_page(page_text, color_scheme="dark")
    fill = page.locator(".chart .still svg text").first.evaluate("text => getComputedStyle(text).fill")
    levels = [int(level) for level in fill.removeprefix("rgb(").removesuffix(")").split(",")]
    assert min(levels) > 120


def test_a_phone_scrolls_down_only(open_page: Opened, page_text: str) -> None:
    page = open_page(page_text, viewport={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
