from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from bench.data import Dataset
from bench.data.explore import Exploration, explore
from bench.report.show_dataset import TERMINAL_BINS, bars, data_page, print_exploration, strip
from bench.suite.schema import Stratified


@pytest.fixture
def made() -> Dataset:
    """Thirty colour images of two classes, one of them with a name that is HTML; two test images are equal."""
    images = np.random.default_rng(0).integers(0, 256, (30, 3, 4, 5), dtype=np.uint8)
    images[29] = images[28]
    labels = np.tile([0, 0, 1], 10)
    return Dataset("made", ("<b>sock</b>", "hat"), images[:24], labels[:24], images[24:], labels[24:], "abc", Path("x"))


@pytest.fixture
def found(made: Dataset) -> Exploration:
    return explore(made)


def test_the_terminal_shows_sizes_classes_values_and_duplicates(found: Exploration) -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    print_exploration(found, console)
    text = console.export_text()
    assert "24 training and 6 test images, 4 x 5 colour, 2 classes" in text
    assert re.search(r"<b>sock</b> +16 +66.7% +4\n", text)
    assert re.search(r"red +\d+ +\d+ +\d+\.\d\d", text)
    assert "exact duplicates within the test part: 1, 1 of them with another label" in text
    assert "exact duplicates within the training part: none" in text


def test_a_histogram_fills_its_lines_with_its_tallest_bar() -> None:
    counts = np.zeros(256, np.int64)
    counts[8:16], counts[248:] = 50, 100
    lines = bars(counts)
    assert {len(line) for line in lines} == {TERMINAL_BINS}
    assert [line[-1] for line in lines] == ["█"] * 6
    assert [line[1] for line in lines] == [" "] * 3 + ["█"] * 3


def test_black_backgrounds_do_not_flatten_the_histogram() -> None:
    counts = np.full(256, 10)
    counts[0] = 10_000
    assert bars(counts)[0][1:] == "█" * (TERMINAL_BINS - 1)


def test_the_page_stands_alone_and_escapes_names(found: Exploration) -> None:
    page = data_page(found, [("flip", found.samples[0])])
    assert "&lt;b&gt;sock&lt;/b&gt;" in page
    assert "<b>sock" not in page
    assert not re.search(r"<script|https?://|url\(", page)
    assert page.count("<img ") == 1 + 2 + 2 + 1, "the mean, two per class, and the augmented ones"
    assert "<h2>Augmented samples</h2>" in page
    assert "<h2>Augmented samples</h2>" not in data_page(found)


def test_the_page_shows_the_validation_part_where_there_is_one(made: Dataset) -> None:
    page = data_page(explore(made, validation=Stratified(stratified=0.25)))
    assert "18 training, 6 validation and 6 test images of 4 x 5" in page
    assert '<th scope="col" class="number">Validation</th>' in page
    assert page.count(", validation</td>") == 4, "all channels together and each"
    assert "alidation" not in data_page(explore(made))


def test_a_strip_holds_the_pictures_side_by_side(found: Exploration) -> None:
    images = found.samples[0][:3]
    line = strip(images)
    assert (line["width"], line["height"]) == (3 * 6 - 1, 4)
    png = Image.open(io.BytesIO(base64.b64decode(line["src"].partition(",")[2])))
    np.testing.assert_array_equal(np.asarray(png)[:, 6:11, :3], images[1].transpose(1, 2, 0))
    assert np.asarray(png)[0, 5, 3] == 0, "the gap is transparent"
