"""Pages in a real browser: Debian's chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made_ledger import BASE, FLIP, L2, Ledger, config
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bench.published import find
from bench.report import Report, build, to_html

expect.set_options(timeout=60_000)  # a machine that has other tests to run may take long to draw
NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        why = f"no browser: none of {', '.join(NAMES)} is installed (Debian: apt-get install chromium)"
        if os.environ.get("BENCH_REQUIRE_BROWSER") == "1":
            pytest.fail(why)
        pytest.skip(why)
    # Chromium's sandbox does not work for root, as whom containers run.
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=flags)
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Opens a page's text, with options of Playwright's `new_context` (``viewport``, ``color_scheme``).

    Afterwards none of them may have asked for anything or have complained.

    What its content security policy refuses, Chromium reports in the console, as it does errors of scripts.
    """
    contexts = []
    asked: list[str] = []
    complaints: list[str] = []

    def opened(html_text: str, **context_options: Any) -> Page:
        file = tmp_path / f"{len(contexts)}.html"
        file.write_text(html_text, encoding="utf-8")
        context = browser.new_context(**context_options)
        context.set_default_timeout(120_000)
        contexts.append(context)
        page = context.new_page()
        own = (file.as_uri(), "data:", "blob:")
        page.on("request", lambda request: None if request.url.startswith(own) else asked.append(request.url))
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(file.as_uri())
        if context_options.get("java_script_enabled", True):
            for board in page.locator("[data-controls=leaderboard]").all():  # it waits for its library
                board.locator(".tools").wait_for(state="attached")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert asked == []
    assert complaints == []


@pytest.fixture(scope="session")
def small() -> Report:
    """Six configurations: five with all their seeds, one incomplete; two published figures and a refuted one."""
    made = Ledger()
    sgd = {**BASE["optimizer"], "lr": 0.05}
    made.add(config(), [0.881, 0.883, 0.884], validation=[0.89, 0.891, 0.892])
    made.add(config(regularizer=L2), [0.878, 0.879, 0.88], validation=[0.893, 0.894, 0.895])
    made.add(config(augmentation=FLIP), [0.87, 0.872, 0.871])
    made.add(config(optimizer=sgd), [0.86, 0.861, 0.858])
    made.add(config(optimizer=sgd, regularizer=L2), [0.85, 0.853, 0.851])
    made.add(config(optimizer=sgd, augmentation=FLIP), [0.9, 0.9])
    failure = {"kind": "MemoryError", "message": "no room"}
    made.add_ended(config(optimizer=sgd, augmentation=FLIP), 2, "failed", 3, failure=failure)
    references = find(["lab-e-baseline", "lab-e-dropout", "cnn_3_128_claim"])
    return build(made.records, made.predictions, "Small suite", references=references)


@pytest.fixture(scope="session")
def small_page(small: Report) -> str:
    """Its page, made once: drawing the charts takes most of the time."""
    return to_html(small)
