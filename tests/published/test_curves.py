from __future__ import annotations

import csv
from importlib.resources import files

import pytest

from bench.published import find
from bench.published.reference_data import CURVES_FILE, curve


def names() -> list[str]:
    rows = csv.DictReader(files("bench.published").joinpath(CURVES_FILE).read_text(encoding="utf-8").splitlines())
    return list(dict.fromkeys(row["reference"] for row in rows))


@pytest.mark.parametrize("name", names())
def test_a_curve_is_as_long_as_the_run_and_peaks_at_the_quoted_figure_where_that_is_of_validation(name: str) -> None:
    (reference,) = find([name])
    printed = curve(name)
    assert printed is not None
    assert len(printed.values) == reference.epochs
    if reference.metric == "val_accuracy":
        assert max(printed.values) == reference.value


def test_epochs_are_counted_from_one_without_gaps() -> None:
    rows = list(csv.DictReader(files("bench.published").joinpath(CURVES_FILE).read_text(encoding="utf-8").splitlines()))
    for name in names():
        epochs = [int(row["epoch"]) for row in rows if row["reference"] == name]
        assert epochs == list(range(1, len(epochs) + 1))


def test_runs_that_continued_an_earlier_fit_are_marked_as_their_references_are() -> None:
    continued = {name for name in names() if not curve(name).from_scratch}  # type: ignore[union-attr]
    assert continued == {"lab-b-conv2d-aug-2", "lab-b-resnet"}
    assert continued == {name for name in names() if "continued_fit" in find([name])[0].flags}


@pytest.mark.parametrize(("name", "five", "ten"), [("lab-b-vgg", 0.9129, 0.9184), ("lab-b-conv2d", 0.8748, 0.8916)])
def test_best_within_the_first_epochs(name: str, five: float, ten: float) -> None:
    printed = curve(name)
    assert printed is not None
    assert (printed.best_within(5), printed.best_within(10)) == (five, ten)
    assert printed.best_within(1000) == max(printed.values)


def test_a_result_without_a_printed_curve_has_none() -> None:
    assert curve("lab-e-baseline") is None
