"""A page that `bench report --serve` made refreshes itself, and keeps what was chosen and opened."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from made_ledger import L2, Ledger, config
from playwright.sync_api import Browser, expect

from bench.errors import UserError
from bench.report import build, to_html
from bench.report.serve import LivePage, open_server


@pytest.fixture
def growing() -> Ledger:
    made = Ledger()
    made.add(config(), [0.9, 0.91])
    return made


@pytest.fixture
def address(growing: Ledger) -> Iterator[str]:
    def make(version: str) -> str:
        return to_html(build(growing.records, growing.predictions, "Live"), live=version)

    server = open_server(LivePage(lambda: str(len(growing.records)), make), 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_new_results_come_by_themselves(browser: Browser, address: str, growing: Ledger) -> None:
    context = browser.new_context()
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(address)
    page.get_by_label("Filter").fill("mlp")
    page.locator("#provenance summary").first.click()
    page.get_by_label("Filter").blur()
    rows = page.locator(".board tbody tr")
    expect(rows).to_have_count(1)
    growing.add(config(regularizer=L2), [0.8, 0.81])
    expect(rows).to_have_count(2, timeout=120_000)
    expect(page.get_by_label("Filter")).to_have_value("mlp")
    expect(page.locator("#provenance table")).to_be_visible()
    assert page.url.endswith("?filter=mlp")
    assert complaints == []
    context.close()


def test_a_ledger_that_cannot_be_read_is_no_end_of_the_server(browser: Browser, growing: Ledger) -> None:
    faults: list[str] = []

    def look() -> str:
        if faults:
            raise UserError(faults[0])
        return "1"

    page_of = to_html(build(growing.records, growing.predictions, "Live"), live="1")
    server = open_server(LivePage(look, lambda _: page_of), 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    context = browser.new_context()
    page = context.new_page()
    status = page.locator(".live")
    try:
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        faults.append("the ledger is away")
        expect(status).to_have_text("no report now", timeout=120_000)
        faults.clear()
        expect(status).to_have_text("live", timeout=120_000)
    finally:
        context.close()
        server.shutdown()
        thread.join()
        server.server_close()
