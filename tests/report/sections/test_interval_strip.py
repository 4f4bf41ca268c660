from __future__ import annotations

from made_ledger import Ledger, config

from bench.published import find
from bench.report import build
from bench.report.sections.leaderboard import interval_cell, interval_limits


def test_an_interval_lies_on_the_scale_of_its_table(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.89])
    ledger.add(config(batch_size=8), [0.84, 0.85])
    frame = build(ledger.records, ledger.predictions, "title").frame
    limits = interval_limits(frame)
    assert limits is not None
    for row in frame.to_dict("records"):
        places = {
            name: float(place)
            for name, _, place in (p.partition(":") for p in interval_cell(limits, row).css.split(";"))
        }
        assert 0 <= places["--l"] < places["--a"] < places["--h"] <= 100


def test_a_published_result_far_off_does_not_stretch_the_scale(ledger: Ledger) -> None:
    ledger.add(config(), [0.93, 0.931])
    frame = build(ledger.records, ledger.predictions, "title", references=find(["human_fmnist_h_individual"])).frame
    limits = interval_limits(frame)
    assert limits is not None and limits[0] > 0.8
    assert interval_cell(limits, frame.to_dict("records")[-1]).css == ""
