from __future__ import annotations

import pytest
from made_ledger import Ledger, config

from bench.published import find
from bench.report import build, plots
from bench.report.cells import rows


def test_a_whisker_lies_on_the_scale_of_its_table(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.89])
    ledger.add(config(batch_size=8), [0.84, 0.85])
    shown = rows(build(ledger.records, ledger.predictions, "title").frame)
    limits = plots.scale(shown)
    assert limits is not None
    drawn = [plots.whisker(row.numbers, limits) for row in shown]
    assert all(one and 0 <= one.low < one.at < one.high <= 100 for one in drawn)


def test_a_published_figure_far_off_does_not_stretch_the_scale(ledger: Ledger) -> None:
    ledger.add(config(), [0.93, 0.931])
    table = build(ledger.records, ledger.predictions, "title", references=find(["human_fmnist_h_individual"])).frame
    shown = rows(table)
    limits = plots.scale(shown)
    assert limits is not None and limits[0] > 0.8
    assert plots.whisker(shown[-1].numbers, limits) is None


def test_curves_skip_epochs_that_were_not_finite(ledger: Ledger) -> None:
    ledger.add(config(), [0.9])
    ledger.records[0].result.curves["val_accuracy"][2] = None
    (one,) = build(ledger.records, ledger.predictions, "title").parts[0].details
    drawn = plots.curves(one)
    assert drawn is not None
    assert {name: len(points.split()) for name, points in drawn.lines} == {"train_accuracy": 5, "val_accuracy": 4}


def test_one_epoch_is_a_dot(ledger: Ledger) -> None:
    ledger.add(config(epochs=1), [0.9])
    (one,) = build(ledger.records, ledger.predictions, "title").parts[0].details
    drawn = plots.curves(one)
    assert drawn is not None
    assert (len(drawn.dots), drawn.lines) == (2, ())


@pytest.mark.parametrize("span", [(0.1, 0.99), (0.9, 0.9), (0.985, 0.9951)])
def test_ticks_span_the_curves(ledger: Ledger, span: tuple[float, float]) -> None:
    ledger.add(config(epochs=2, validation="none"), [0.9])
    ledger.records[0].result.curves["train_accuracy"][:] = list(span)
    (one,) = build(ledger.records, ledger.predictions, "title").parts[0].details
    drawn = plots.curves(one)
    assert drawn is not None
    texts = [float(text) for _, text in drawn.up]
    assert 2 <= len(texts) <= 7
    assert texts[0] <= 100 * span[0] and 100 * span[1] <= texts[-1]
