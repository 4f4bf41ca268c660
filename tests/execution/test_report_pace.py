"""How often a trial reports its progress to the driver, which it waits for each time."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from bench.execution import worker
from bench.execution.coordinator import Coordinator
from bench.execution.messages import RunOptions
from bench.execution.progress import PlainProgress, ProgressStats
from bench.execution.worker import MAX_REPORT_FRACTION, REPORT_SECONDS, ReportPace
from bench.ledger.ledger import Ledger
from bench.suite.suite import Suite
from bench.suite.trial import Trial


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(worker, "time", clock)
    return clock


def reports(clock: Clock, epoch_seconds: float, wait_seconds: float, total: float) -> int:
    """How many reports a trial sends while it trains and waits for so long in all."""
    pace, count = ReportPace(), 0
    end = clock.now + total
    while clock.now < end:
        clock.now += epoch_seconds
        if pace.is_due():
            with pace.sending():
                clock.now += wait_seconds
            count += 1
    return count


def test_a_driver_with_time_hears_of_progress_twice_a_second(clock: Clock) -> None:
    assert reports(clock, 0.01, 0.0, 100.0) == pytest.approx(100.0 / REPORT_SECONDS, rel=0.05)


def test_where_the_driver_is_slow_waiting_takes_a_small_part_of_the_time(clock: Clock) -> None:
    count = reports(clock, 0.01, 2.0, 10_000.0)
    assert 0.5 * MAX_REPORT_FRACTION < 2.0 * count / 10_000.0 <= MAX_REPORT_FRACTION


@pytest.mark.parametrize("method", ["asha", "halving"])
def test_a_trial_knows_its_rungs_where_it_reports_at_once(
    method: str, tmp_path: Path, suite_of: Callable[[str], Suite], trials_of: Callable[[Suite], list[Trial]]
) -> None:
    suite = suite_of(
        "grid: {model: {name: mlp, hidden: [8]}, epochs: 9}\n"
        f"pruning: {{grace_period: 2, reduction_factor: 2, method: {method}}}\n"
    )
    trials = trials_of(suite)
    display = PlainProgress(ProgressStats(trials, [], 1), Console(file=io.StringIO()))
    coordinator = Coordinator(trials, Ledger(tmp_path / "results"), RunOptions(pruning=suite.pruning), display)
    assert coordinator.rung_epochs(trials[0]) == (2, 4, 8)
