"""Two configurations side by side, class by class, as a reader chooses them."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from made_ledger import CLASSES, L2, Ledger, config
from playwright.sync_api import Locator, Page, expect

from bench.report import build, to_html
from bench.statistics.per_class import confusion, per_class

Open = Callable[..., Page]

HOSTILE = ["</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "“&amp;”", *CLASSES[3:]]


@pytest.fixture
def three() -> Ledger:
    made = Ledger()
    made.add(config(), [0.88, 0.9, 0.87])
    made.add(config(regularizer=L2), [0.84, 0.86, 0.85])
    made.add(config(batch_size=8), [0.6])
    return made


def page_of(ledger: Ledger, **options: object) -> str:
    return to_html(build(ledger.records, ledger.predictions, "Three", **options))  # type: ignore[arg-type]


def choose(page: Page, a: str, b: str, figure: str = "Recall") -> Locator:
    tool = page.locator(".compare")
    for label, value in (("A", a), ("B", b), ("Metric", figure)):
        tool.get_by_label(label, exact=True).select_option(label=value)
    return tool.locator(".compared")


def cells(table: Locator) -> list[list[str]]:
    return [row.locator("th, td").all_inner_texts() for row in table.locator("tbody tr").all()]


def number(text: str) -> float:
    return float(text.split(" ")[0].replace("−", "-"))


def test_any_two_are_compared_by_the_selected_metric(open_page: Open, three: Ledger) -> None:
    page = open_page(page_of(three))
    for figure, name in (("Precision", "precision"), ("Recall", "recall"), ("F1", "f1")):
        shown = choose(page, "mlp · l2 · batch_size=256", "mlp · batch_size=8", figure)
        rows = cells(shown.locator("table.classes"))
        assert [row[0] for row in rows] == CLASSES
        expected = []
        for keys in ((3, 4, 5), (6,)):
            said = [three.predictions(three.records[key].key) for key in keys]
            labels, predicted = (np.concatenate([getattr(p, part) for p in said]) for part in ("labels", "predicted"))
            expected.append(getattr(per_class(labels, predicted, 10), name))
        assert [number(row[1]) for row in rows] == pytest.approx(100 * expected[0], abs=0.00501)
        assert [number(row[2]) for row in rows] == pytest.approx(100 * expected[1], abs=0.00501)
        assert [number(row[3]) for row in rows] == pytest.approx(100 * (expected[0] - expected[1]), abs=0.0101)
        assert all(re.search(r" ± \d", row[3]) for row in rows)


def test_exchanging_the_two_turns_the_differences(open_page: Open, three: Ledger) -> None:
    page = open_page(page_of(three))
    there = [
        row[3] for row in cells(choose(page, "mlp · batch_size=256", "mlp · batch_size=8").locator("table.classes"))
    ]
    back = [
        row[3] for row in cells(choose(page, "mlp · batch_size=8", "mlp · batch_size=256").locator("table.classes"))
    ]
    assert [number(text) for text in there] == [-number(text) for text in back]
    assert [text.split("±")[1] for text in there] == [text.split("±")[1] for text in back]


def test_the_difference_of_the_matrices_is_per_seed(open_page: Open, three: Ledger) -> None:
    page = open_page(page_of(three))
    shown = choose(page, "mlp · batch_size=256", "mlp · batch_size=8")
    first, *_ = shown.locator("table.matrix").all()
    said = [three.predictions(three.records[key].key) for key in (0, 1, 2, 6)]
    counts = [confusion(p.labels, p.predicted, 10) for p in said]
    difference = (counts[0] + counts[1] + counts[2]) / 3 - counts[3]
    found = np.array([[number(text) for text in row[1:]] for row in cells(first)])
    np.testing.assert_allclose(found, difference, atol=0.0501)
    assert shown.locator("table.matrix").count() == 1


def test_a_published_table_is_one_of_those_to_choose(open_page: Open, three: Ledger) -> None:
    page = open_page(page_of(three, reproductions={"lab-b-vgg": [three.records[0].config]}))
    options = page.locator(".compare").get_by_label("B", exact=True).locator("option").all_inner_texts()
    assert options[-1].startswith("published: customVGG")
    shown = choose(page, "mlp · batch_size=256", options[-1])
    shirt = cells(shown.locator("table.classes"))[6]
    assert (shirt[0], shirt[2]) == ("Shirt", "78")
    page.locator(".compare").get_by_label("Matrix", exact=True).select_option(label="B")
    assert "±" not in shirt[3]
    their_rows = cells(shown.locator("table.matrix").last)
    assert their_rows[6][1:] == ["94", "0", "46", "23", "54", "0", "777", "0", "6", "0"]
    assert their_rows[9][1:] == [""] * 10


def test_names_from_outside_are_text(open_page: Open) -> None:
    made = Ledger()
    made.add(config(), [0.8], classes=HOSTILE)
    made.add(config(regularizer=L2), [0.7], classes=HOSTILE)
    page = open_page(page_of(made))
    rows = cells(choose(page, "mlp", "mlp · l2").locator("table.classes"))
    assert [row[0] for row in rows] == HOSTILE
    assert page.locator("img[src=x]").count() == 0


def test_a_hundred_classes_show_those_that_differ_most(open_page: Open) -> None:
    made = Ledger(images=5_000)
    names = [f"class {number}" for number in range(100)]
    made.add(config(), [0.8], classes=names)
    made.add(config(regularizer=L2), [0.6], classes=names)
    page = open_page(page_of(made))
    shown = choose(page, "mlp", "mlp · l2")
    rows = cells(shown.locator("table.classes"))
    assert len(rows) == 20
    sizes = [abs(number(row[3])) for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    assert shown.locator("table.matrix").first.locator("tbody tr").count() == 20


def test_without_scripts_the_first_stands_open_and_there_is_no_empty_tool(open_page: Open, three: Ledger) -> None:
    page = open_page(page_of(three), java_script_enabled=False)
    expect(page.locator(".compare")).to_be_hidden()
    first, second, *_ = page.locator("details.block").all()
    expect(first.locator("table.matrix").first).to_be_visible()
    expect(second.locator("table.matrix").first).to_be_hidden()


def test_a_phone_scrolls_tables_and_not_the_page(open_page: Open, three: Ledger) -> None:
    page = open_page(page_of(three), viewport={"width": 390, "height": 800})
    choose(page, "mlp · batch_size=256", "mlp · batch_size=8")
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_one_configuration_has_nothing_to_be_compared_with(open_page: Open) -> None:
    made = Ledger()
    made.add(config(), [0.9])
    assert open_page(page_of(made)).locator(".compare").count() == 0
