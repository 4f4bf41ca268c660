"""Charts as images: escaped, offline, fit for light and dark pages, and as files."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import vl_convert
from made_charts import HOSTILE, chart, comparison, grid
from made_ledger import BASE, Ledger, config
from numpy.typing import NDArray
from PIL import Image

from bench.commands.report import write_figures
from bench.errors import UserError
from bench.report import build
from bench.report.charts.drawing import library, png, specification, svg, svg_of
from bench.report.comparison import Comparison
from bench.report.html import DrawnChart, _draw
from bench.report.sections import SECTIONS


def page_charts(of: Comparison, anchor: str) -> list[DrawnChart]:
    return [one for section in SECTIONS for one in _draw(section(of).charts, anchor)]


@pytest.fixture(scope="module")
def made() -> Ledger:
    return grid()


def hostile() -> Ledger:
    ledger = Ledger()
    for number, name in enumerate((HOSTILE, "plain")):
        ledger.add(config(model={**BASE["model"], "name": name}), [0.85 + 0.02 * number])
        record = ledger.records[-1]
        ledger.records[-1] = replace(record, run_info=replace(record.run_info, train_seconds=10.0 + number))
    return ledger


def test_names_are_escaped_in_the_picture() -> None:
    text = svg(chart(comparison(hostile()), "time"))
    assert "<script" not in text
    assert HOSTILE in " ".join(ElementTree.fromstring(text).itertext())


def test_pictures_of_a_page_have_ids_of_their_own(made: Ledger) -> None:
    of = comparison(made)
    images = [one.image for anchor in ("part-1", "part-2") for one in page_charts(of, anchor)]
    ids = re.findall(r'\bid="([^"]+)"', " ".join(images))
    assert ids
    assert len(ids) == len(set(ids))
    for image in images:
        assert set(re.findall(r"url\(#([^)]+)\)", image)) <= set(re.findall(r'\bid="([^"]+)"', image))


def test_pictures_let_the_pages_paper_through_and_scale(made: Ledger) -> None:
    one = page_charts(comparison(made), "part-1")[0]
    root = ElementTree.fromstring(one.image)
    assert root.get("width") is None
    assert root.get("aria-label") == "Accuracy against parameters"
    assert one.spec["background"] == "transparent"


def test_a_pages_chart_is_shorter_and_looks_the_same(made: Ledger) -> None:
    for drawn in page_charts(comparison(made), "part-1"):
        whole = svg_of(specification(drawn.chart, background="transparent", titled=False))
        size = "".join(re.findall(r'(?: width| height)="[\d.]+"', whole.partition(">")[0]))
        assert len(drawn.image) < 0.6 * len(whole)
        fonts = ' font-family="Arial, Helvetica, Liberation Sans, sans-serif"'
        before, after = (pixels(text) for text in (whole, str(drawn.image).replace("<svg", f"<svg{size}{fonts}", 1)))
        assert before.shape == after.shape
        assert np.abs(before - after).mean() < 0.3, drawn.chart.name


def pixels(text: str) -> NDArray[np.int64]:
    return np.asarray(Image.open(io.BytesIO(vl_convert.svg_to_png(text))).convert("RGBA")).astype(np.int64)


def test_heat_maps_are_for_files_only(made: Ledger) -> None:
    assert not [one for one in page_charts(comparison(made), "part-1") if one.chart.name.startswith("confusion")]


def test_the_library_interprets_expressions() -> None:
    text = library()
    assert "window.vegaEmbed" in text
    assert "expressionInterpreter" in text


def test_png_is_a_picture(made: Ledger) -> None:
    assert png(chart(comparison(made), "expected-best")).startswith(b"\x89PNG")


def test_figures_are_written_beside_each_other(
    made: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = build(made.records, made.predictions, title="Charts")
    write_figures(report, tmp_path / "new")
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert {"time.svg", "time.png", "confusion.svg", "confusion-difference.png"} <= names
    assert f"wrote {tmp_path}/new/time.svg and .png: Accuracy against training time" in capsys.readouterr().out


def test_figures_of_several_parts_name_their_data_set(ledger: Ledger, tmp_path: Path) -> None:
    for dataset, tail in (("mnist", 0.1), ("mnist", 0.2), ("fashion_mnist", 0.2)):
        ledger.add(config(dataset={"name": dataset}, validation={"tail": tail}), [0.88])
    write_figures(build(ledger.records, ledger.predictions, title="Charts"), tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"mnist-1-curves.svg", "mnist-2-curves.svg", "fashion-mnist-curves.svg"} <= names


def test_a_folder_that_is_a_file_is_told(made: Ledger, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match="choose another --figures"):
        write_figures(build(made.records, made.predictions, title="Charts"), tmp_path / "taken")


def test_nothing_to_show_is_said(ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_figures(build([], ledger.predictions, title="Charts"), tmp_path)
    assert "no figures" in capsys.readouterr().out
