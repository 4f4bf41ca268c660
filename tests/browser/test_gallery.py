"""The gallery of misclassified images, as a reader browses it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_ledger import L2, Ledger, config
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from bench.metrics import Predictions
from bench.report import build, to_html

Open = Callable[..., Page]

NAMES = ("train_images", "train_labels", "test_images", "test_labels")


@pytest.fixture
def pictured(tmp_path: Path) -> Ledger:
    """Two configurations of three seeds on a file of images; each test image is of one grey, its number's."""
    made = Ledger(images=200)
    entry = {"name": "npz", "path": str(tmp_path / "own.npz")}
    made.add(config(dataset=entry), [0.8, 0.8, 0.8])
    made.add(config(dataset=entry, regularizer=L2), [0.7, 0.7, 0.7])
    generator = np.random.default_rng(0)
    first = made.stored[made.records[0].key]
    for number, record in enumerate(made.records):
        old = made.stored[record.key]
        said = made.stored[made.records[number - number % 3].key].predicted
        sure = generator.uniform(0.5, 1, 200).astype(np.float32)
        right = said == old.labels
        true = np.where(right, sure, (1 - sure) / 2).astype(np.float32)
        made.stored[record.key] = Predictions(old.labels, said, sure, true, (~right).astype(np.uint8))
    tones = np.arange(200, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 16, 16), dtype=np.uint8)
    arrays = (255 - tones[:10], np.arange(10), tones, first.labels.astype(np.int64))
    np.savez(tmp_path / "own.npz", **dict(zip(NAMES, arrays, strict=True)))
    return made


def page_of(ledger: Ledger) -> str:
    return to_html(build(ledger.records, ledger.predictions, "Images"))


def shots(page: Page) -> list[Locator]:
    return page.locator("[data-controls=gallery] .shot").all()


def choice(page: Page, name: str) -> Locator:
    return page.locator("[data-controls=gallery]").get_by_label(name, exact=True)


def sure(shot: Locator) -> float:
    found = re.search(r"predicted .*?([\d.]+)\s%", shot.inner_text().replace("\n", " "))
    assert found
    return float(found[1])


def said(shot: Locator) -> tuple[str, str]:
    label, predicted = shot.locator("b").all_inner_texts()
    return label, predicted


def test_the_most_confident_mistakes_come_first(open_page: Open, pictured: Ledger) -> None:
    confidences = [sure(shot) for shot in shots(open_page(page_of(pictured)))]
    assert len(confidences) == 12
    assert confidences == sorted(confidences, reverse=True)


def test_a_pair_leaves_only_its_images_in_the_same_order(open_page: Open, pictured: Ledger) -> None:
    page = open_page(page_of(pictured))
    pair = choice(page, "Pair")
    option = pair.locator("option", has_text="predicted as").first.inner_text()
    found = re.fullmatch(r"(.+) predicted as (.+) \((\d+)\)", option)
    assert found
    pair.select_option(label=option)
    shown = shots(page)
    assert shown
    assert {said(shot) for shot in shown} == {(found[1], found[2])}
    assert [sure(shot) for shot in shown] == sorted([sure(shot) for shot in shown], reverse=True)
    told = f"mlp: {len(shown)} of {found[3]} misclassified images of {found[1]} predicted as {found[2]}."
    expect(page.locator("[data-controls=gallery] [aria-live]")).to_have_text(told)


def test_another_configuration_has_its_own_mistakes_and_keeps_the_pair(open_page: Open, pictured: Ledger) -> None:
    page = open_page(page_of(pictured))
    choice(page, "Configuration").select_option(label="mlp · l2")
    expect(page.locator("[data-controls=gallery] [aria-live]")).to_contain_text(
        "mlp · l2: 12 of 60 misclassified images"
    )
    pair = choice(page, "Pair")
    pair.select_option(index=1)
    chosen = pair.locator("option:checked").inner_text().split(" (")[0]
    choice(page, "Configuration").select_option(label="mlp")
    kept = pair.locator("option:checked").inner_text()
    assert kept.split(" (")[0] == chosen or kept.startswith("all pairs")


def test_each_image_shown_is_that_of_its_number(open_page: Open, pictured: Ledger) -> None:
    page = open_page(page_of(pictured))
    size = page.evaluate(
        """async () => {
          const image = new Image();
          image.src = getComputedStyle(document.querySelector(".tile")).backgroundImage.slice(5, -2);
          await image.decode();
          return [image.naturalWidth, image.naturalHeight];
        }"""
    )
    assert min(size) > 0
    for shot in shots(page)[:5]:
        number = re.search(r"no\. (\d+)", shot.inner_text())
        assert number
        assert middle(shot.locator(".tile")) == [int(number[1])] * 3


def middle(tile: Locator) -> list[int]:
    """Red, green and blue of an image's middle, as it is on the screen."""
    drawn = np.asarray(Image.open(io.BytesIO(tile.screenshot())).convert("RGB"))
    found: list[int] = drawn[drawn.shape[0] // 2, drawn.shape[1] // 2].tolist()
    return found


def test_without_scripts_the_first_configurations_mistakes_are_there(open_page: Open, pictured: Ledger) -> None:
    page = open_page(page_of(pictured), java_script_enabled=False)
    assert len(shots(page)) == 12
    expect(page.locator(".tile").first).to_be_visible()
    assert page.locator("[data-controls=gallery] select").count() == 0


def test_a_phone_shows_images_without_scrolling_sideways(open_page: Open, pictured: Ledger) -> None:
    page = open_page(page_of(pictured), viewport={"width": 390, "height": 800}, color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_what_all_leaders_contradict_is_a_choice_of_the_gallery(open_page: Open, pictured: Ledger) -> None:
    page = open_page(page_of(pictured))
    before = len(shots(page))
    choice(page, "Pair").select_option("all")
    told = page.locator("[data-controls=gallery] [aria-live]")
    expect(told).to_contain_text("images whose label all seeds of all top configurations contradict")
    assert len(shots(page)) == int(told.inner_text().split()[0]) != before
