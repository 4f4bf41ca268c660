"""Long names in charts: cut, and never alike."""

from __future__ import annotations

import html
import re
from collections import Counter

import pytest
from made_charts import chart, comparison, costing
from made_ledger import BASE, Ledger, config

from bench.report.charts.drawing import svg
from bench.report.charts.style import LEGEND_NAME, fitted, width
from bench.report.comparison import Comparison

LONG = "models/experiments/2024/wide_and_deep_residual_networks.py:factory with a depth of {} and a width of {}, tuned"


def test_what_fits_is_left_alone() -> None:
    assert fitted(["mlp", "resnet9 · adam"], 200) == {name: name for name in ("mlp", "resnet9 · adam")}


@pytest.mark.parametrize(
    "names",
    [
        [LONG.format(depth, wide) for depth in range(1, 9) for wide in (1, 2, 11)],
        [f"{'x' * 200}{number}" for number in range(20)],
        [f"{number}{'x' * 200}" for number in range(20)],
        [f"{'x' * place}y{'x' * (200 - place)}" for place in range(200)],
        ["林" * 40 + str(number) for number in range(3)],
        ["W" * 60, "W" * 61, "W" * 62],
    ],
)
@pytest.mark.parametrize("pixels", [110, 230, 400])
def test_names_that_differ_stay_different_within_their_room(names: list[str], pixels: float) -> None:
    shown = fitted(names, pixels)
    assert list(shown) == names
    assert len(set(shown.values())) == len(names)
    assert max(map(width, shown.values())) <= pixels + width(" (200)")
    assert all("…" in text for text in shown.values())


def grid() -> Ledger:
    """Networks and augmentations whose names differ at their ends and in their middles."""
    made = Ledger()
    for number, model in enumerate((LONG.format(1, 2), LONG.format(1, 3), LONG.format(2, 2))):
        for crop in (1, 2):
            start = len(made.records)
            settings = config(
                model={**BASE["model"], "name": model}, augmentation=[{"name": LONG.format("crop", crop), "padding": 2}]
            )
            made.add(settings, [0.85 + 0.02 * number + 0.01 * crop, 0.86 + 0.02 * number])
            for place in range(start, len(made.records)):
                costing(made, place, 1000 + number, 0.11 + 0.01 * place)
    return made


@pytest.fixture(scope="module")
def long() -> Comparison:
    return comparison(grid())


@pytest.mark.parametrize("name", ["time", "effects", "interactions", "curves", "losses", "expected-best"])
def test_no_two_names_of_a_chart_are_alike_and_none_is_cut_at_its_end(long: Comparison, name: str) -> None:
    text = svg(chart(long, name))
    texts = [html.unescape(" ".join(re.findall(r">([^<]+)<", one))) for one in re.findall(r"<text.*?</text>", text)]
    names = [one for one in texts if "models/" in one or "…" in one]
    assert names
    assert max(Counter(names).values()) == 1, names
    assert not [one for one in names if one.endswith("…")]
    assert max(map(width, names)) <= LEGEND_NAME + 130


def test_fractions_of_a_second_are_written_as_such(long: Comparison) -> None:
    texts = re.findall(r">([^<]+)</text>", svg(chart(long, "time")))
    assert "0.15" in texts or "0.2" in texts
    assert not [one for one in texts if re.fullmatch(r"\d+m", one)]
