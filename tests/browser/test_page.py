"""The page as a whole: whatever the ledger holds, on a phone, on paper, in the dark, without scripts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from made_ledger import FLIP, Ledger, config
from playwright.sync_api import Page, expect

from bench.report import build, to_html

Open = Callable[..., Page]

PHONE = {"viewport": {"width": 390, "height": 844}}

CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const wanting = [];
  for (const element of document.querySelectorAll("header *, .summary *, dl *, .board *, .notes *, nav *, caption *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility()) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground(element))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) wanting.push(`${element.tagName}.${element.className}: ${element.innerText}`);
  }
  return wanting;
}"""


def width_of(page: Page) -> int:
    found: int = page.evaluate("document.documentElement.scrollWidth")
    return found


def hostile() -> Ledger:
    """Names that are markup, in every place a name comes from a file."""
    made = Ledger()
    names = ["<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "</script><!--", "=1+1", "&lt;b&gt;"]
    classes = ["<img src=x onerror=alert(3)>", "</table>", *"abcdefgh"]
    for place, name in enumerate(names):
        made.add(config(model={"name": name}, batch_size=64), [0.9 - 0.01 * place] * 2, classes=classes)
        made.add(config(model={"name": name}, batch_size=128), [0.88 - 0.01 * place] * 2, classes=classes)
    made.add_ended(
        config(model={"name": "<b>"}, batch_size=64),
        0,
        "failed",
        1,
        failure={"kind": "<i>", "message": "</td><script>"},
    )
    return made


def one_trial() -> Ledger:
    made = Ledger()
    made.add(config(), [0.9])
    return made


def all_failed() -> Ledger:
    made = Ledger()
    for seed in range(2):
        made.add_ended(config(), seed, "failed", 0, failure={"kind": "OSError", "message": "disk full"})
    return made


def two_data_sets() -> Ledger:
    made = one_trial()
    made.add(config(dataset={"name": "mnist"}), [0.97, 0.98])
    made.add(config(dataset={"name": "mnist"}, augmentation=FLIP), [0.96, 0.97])
    return made


def text_of(ledger: Ledger) -> str:
    return to_html(build(ledger.records, ledger.predictions, "A suite <b>of</b> many words"))


@pytest.mark.parametrize("made", [one_trial, all_failed, Ledger, two_data_sets])
def test_every_ledger_makes_a_page_that_opens(open_page: Open, made: Callable[[], Ledger]) -> None:
    page = open_page(text_of(made()))
    expect(page.get_by_role("heading", level=1)).to_have_text("A suite <b>of</b> many words")


def test_hostile_names_are_text_in_the_table_and_in_its_controls(open_page: Open) -> None:
    page = open_page(text_of(hostile()))
    page.get_by_label("Group by").select_option("model")
    heads = page.locator("tr.group").all_inner_texts()
    assert any(head.startswith("model: <script>alert(1)</script> · 2 rows") for head in heads), heads
    assert "model: &lt;b&gt;" in "".join(heads)
    page.get_by_text("Axis values").click()
    page.get_by_label("model", exact=True).first.select_option("=1+1")
    expect(page.locator(".board tbody tr:not(.group)")).to_have_count(2)
    expect(page.locator("img[src=x]")).to_have_count(0)
    assert page.evaluate("[...document.scripts].every((one) => one.type)")


def test_everything_can_be_read_without_scripts(open_page: Open, small_page: str) -> None:
    page = open_page(small_page, java_script_enabled=False)
    expect(page.locator(".board tbody tr")).to_have_count(9)
    expect(page.locator(".board tbody tr").last).to_be_visible()
    expect(page.locator(".tools")).to_have_count(0)
    page.get_by_text("In words").click()
    expect(page.get_by_text("not significantly different from").first).to_be_visible()


@pytest.mark.parametrize("size", [{"width": 1440, "height": 900}, PHONE["viewport"]])
def test_the_first_screen_answers_four_questions(open_page: Open, small_page: str, size: dict[str, int]) -> None:
    page = open_page(small_page, viewport=size)
    answers = page.locator(".answer")
    assert [text.split("\n")[0] for text in answers.all_inner_texts()] == [
        "Who leads",
        "What is really different",
        "Where it errs",
        "Against published results",
    ]
    for answer in answers.all():
        box = answer.bounding_box()
        assert box is not None and box["y"] + box["height"] < size["height"]
    chart = page.locator(".overview figure").bounding_box()
    assert chart is not None and chart["y"] < size["height"] - 100
    expect(page.locator(".stamp")).to_contain_text("checks passed")
    if size["width"] > 1000:
        row = page.locator(".board tbody tr").first.bounding_box()
        assert row is not None and row["y"] + row["height"] < size["height"]


def test_the_contents_lead_to_every_section(open_page: Open, small_page: str) -> None:
    page = open_page(small_page)
    links = page.locator("nav.contents a")
    assert links.first.inner_text() == "Leaderboard"
    targets = links.evaluate_all(
        "links => links.map(link => document.querySelector(`${link.hash} :is(h2, h3)`)?.innerText ?? null)"
    )
    assert targets == links.all_inner_texts()
    assert len(targets) == page.locator("section.topic").count()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_phone_scrolls_no_page_sideways(open_page: Open, small_page: str, scripts: bool) -> None:
    assert width_of(open_page(small_page, **PHONE, java_script_enabled=scripts)) == 390


def test_long_names_do_not_widen_a_phones_page(open_page: Open) -> None:
    made = Ledger()
    made.add(config(model={"name": "averylongnameofamodel" * 6}), [0.9, 0.91])
    made.add(config(model={"name": "another/path/to.a.module:Class" * 4}), [0.8, 0.81])
    assert width_of(open_page(text_of(made), **PHONE)) == 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(open_page: Open, small_page: str, scheme: str) -> None:
    """By WCAG 2.2, level AA: 4.5 to 1."""
    assert open_page(small_page, color_scheme=scheme).evaluate(CONTRAST) == []


def test_paper_shows_the_tables_and_no_controls(open_page: Open, small_page: str) -> None:
    page = open_page(small_page, color_scheme="dark")
    page.emulate_media(media="print")
    expect(page.locator(".tools")).to_be_hidden()
    expect(page.locator("nav.contents")).to_be_hidden()
    expect(page.locator(".board")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
