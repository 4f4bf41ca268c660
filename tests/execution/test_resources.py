"""Room for trials of one and of several workers, on machines that Ray describes."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from bench.errors import UserError
from bench.execution import resource_limits
from bench.execution.resource_limits import ResourceLimits, check_resources
from bench.suite.trial import Trial
from bench.system import slots_on

TWO_GPUS = {"CPU": 4.0, "GPU": 2.0}


def limits_of(machine: dict[str, float], gpus: float, *, autoscaling: bool = False) -> ResourceLimits:
    return ResourceLimits(lambda each: slots_on(machine, 1, each), gpus, "folder", autoscaling)


def trial(workers: int) -> Trial:
    return Trial("k", "c", SimpleNamespace(workers=workers), 0, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("gpus", [1.0, 0.5, 0.4, 0.25])
def test_two_workers_with_a_gpu_each_fit_on_two_gpus_whatever_shares_others_take(gpus: float) -> None:
    limits = limits_of(TWO_GPUS, gpus)
    check_resources([trial(1), trial(2)], limits, cpus=1)
    assert limits.fits(trial(2), [])
    assert not limits.fits(trial(1), [trial(2)])


def test_cpus_that_run_out_before_the_shares_of_gpus_do_refuse_no_trial_that_fits() -> None:
    limits = limits_of({"CPU": 2.0, "GPU": 2.0}, 0.25)
    check_resources([trial(2)], limits, cpus=1)
    assert limits.fits(trial(1), [trial(1)])
    assert not limits.fits(trial(1), [trial(1), trial(1)])


def test_trials_of_one_worker_fill_all_places() -> None:
    limits = limits_of({"CPU": 7.0}, 0.0)
    assert limits.fits(trial(1), [trial(1)] * 6)
    assert limits.fits(trial(3), [trial(1)] * 4)
    assert not limits.fits(trial(3), [trial(1)] * 5)


@pytest.mark.parametrize(("machine", "workers"), [(TWO_GPUS, 3), ({"CPU": 8.0}, 1)])
def test_what_no_machine_holds_is_refused(machine: dict[str, float], workers: int) -> None:
    with pytest.raises(UserError, match=f"trials of {workers} workers? .* can never run here"):
        check_resources([trial(workers)], limits_of(machine, 1.0), cpus=1)


def test_machines_that_an_autoscaler_may_add_refuse_nothing() -> None:
    check_resources([trial(3)], limits_of(TWO_GPUS, 1.0, autoscaling=True), cpus=1)


def test_a_node_that_is_on_its_way_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource_limits, "CHECK_SECONDS", 0.0)
    calls: list[float] = []

    def capacity(gpus: float) -> int:
        calls.append(gpus)
        return min(len(calls), 3)

    joining: Callable[[float], int] = capacity
    check_resources([trial(3)], ResourceLimits(joining, 0.0, "folder"), cpus=1, wait_seconds=60)
    assert len(calls) == 3
