from __future__ import annotations

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
