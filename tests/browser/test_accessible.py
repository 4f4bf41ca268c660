"""What axe finds: nothing, whatever is opened, light and dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from made_ledger import L2, Ledger, config
from playwright.sync_api import Page

from bench.report import build, to_html

Open = Callable[..., Page]

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")


def violations(page: Page) -> list[tuple[str, list[str]]]:
    """Rules of axe that something violates, with the elements."""
    page.evaluate(AXE)
    found: list[dict[str, Any]] = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    return [(rule["id"], [node["html"][:200] for node in rule["nodes"]]) for rule in found]


def open_all(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")


@pytest.fixture(scope="module")
def wide_page() -> str:
    """A hundred classes, names of 120 characters, and one that is written from right to left."""
    made = Ledger(images=2000)
    classes = [f"class {number}" for number in range(99)] + ["مجموعة"]
    made.add(config(model={"name": "averylongnameofamodel" * 6}), [0.9, 0.91, 0.9], classes=classes)
    made.add(config(model={"name": "شبكة"}, regularizer=L2), [0.8, 0.81, 0.82], classes=classes)
    return to_html(build(made.records, made.predictions, "Many classes"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [{"width": 1440, "height": 900}, {"width": 390, "height": 844}])
def test_axe_finds_nothing(open_page: Open, small_page: str, scheme: str, size: dict[str, int]) -> None:
    page = open_page(small_page, color_scheme=scheme, viewport=size, bypass_csp=True)
    assert violations(page) == []
    open_all(page)
    assert violations(page) == []


def test_axe_finds_nothing_with_many_classes_and_long_names(open_page: Open, wide_page: str) -> None:
    page = open_page(wide_page, bypass_csp=True)
    open_all(page)
    assert violations(page) == []


def test_a_heading_is_read_once(open_page: Open, small_page: str) -> None:
    page = open_page(small_page)
    open_all(page)
    doubled = page.evaluate(
        """() => [...document.querySelectorAll("section.topic")].filter((section) => {
          const texts = [...section.querySelectorAll("h2, h3, h4")].map((heading) => heading.innerText.trim());
          return new Set(texts).size < texts.length;
        }).map((section) => section.id)"""
    )
    assert doubled == []


def test_a_name_from_right_to_left_does_not_turn_its_neighbours_round(open_page: Open, wide_page: str) -> None:
    page = open_page(wide_page)
    row = page.locator(".board tbody th", has_text="شبكة")
    assert row.locator("bdi").first.inner_text().strip() == "شبكة"
    assert page.locator("bdi", has_text="مجموعة").count() > 0


def test_charts_have_their_values_as_tables(open_page: Open, small_page: str) -> None:
    page = open_page(small_page)
    open_all(page)
    figures = page.locator("figure.chart").all()
    assert len(figures) > 3
    for figure in figures:
        rows = figure.locator(".values tbody tr")
        rows.first.wait_for(state="attached")
        assert rows.first.locator("td").count() > 1
