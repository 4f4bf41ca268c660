"""Room for trials of one and of several workers, on machines that Ray describes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.errors import UserError
from bench.execution import resources
from bench.execution.resources import ResourceLimits, fits, refuse_what_never_fits
from bench.suite.trial import Trial
from bench.system import slots_on

TWO_GPUS = {"CPU": 4.0, "GPU": 2.0}


def place(machine: dict[str, float], gpus: float, *, grows: bool = False) -> ResourceLimits:
    return ResourceLimits(lambda each: slots_on(machine, 1, each), gpus, "folder", grows)


def trial(workers: int) -> Trial:
    return Trial("k", "c", {"workers": workers}, 0, 0)


@pytest.mark.parametrize("gpus", [1.0, 0.5, 0.4, 0.25])
def test_two_workers_with_a_gpu_each_fit_on_two_gpus_whatever_shares_others_take(gpus: float) -> None:
    here = place(TWO_GPUS, gpus)
    refuse_what_never_fits([trial(1), trial(2)], here, cpus=1)
    assert fits(trial(2), [], here)
    assert not fits(trial(1), [trial(2)], here)


def test_cpus_that_run_out_before_the_shares_of_gpus_do_refuse_no_trial_that_fits() -> None:
    here = place({"CPU": 2.0, "GPU": 2.0}, 0.25)
    refuse_what_never_fits([trial(2)], here, cpus=1)
    assert fits(trial(1), [trial(1)], here)
    assert not fits(trial(1), [trial(1), trial(1)], here)


def test_trials_of_one_worker_fill_all_places() -> None:
    here = place({"CPU": 7.0}, 0.0)
    assert fits(trial(1), [trial(1)] * 6, here)
    assert fits(trial(3), [trial(1)] * 4, here)
    assert not fits(trial(3), [trial(1)] * 5, here)


@pytest.mark.parametrize(("machine", "workers"), [(TWO_GPUS, 3), ({"CPU": 8.0}, 1)])
def test_what_no_machine_holds_is_refused(machine: dict[str, float], workers: int) -> None:
    with pytest.raises(UserError, match=f"trials of {workers} workers? .* can never run here"):
        refuse_what_never_fits([trial(workers)], place(machine, 1.0), cpus=1)


def test_machines_that_an_autoscaler_may_add_refuse_nothing() -> None:
    refuse_what_never_fits([trial(3)], place(TWO_GPUS, 1.0, grows=True), cpus=1)


def test_a_node_that_is_on_its_way_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "LOOK_SECONDS", 0.0)
    looks: list[float] = []

    def room(gpus: float) -> int:
        looks.append(gpus)
        return min(len(looks), 3)

    waits: Callable[[float], int] = room
    refuse_what_never_fits([trial(3)], ResourceLimits(waits, 0.0, "folder"), cpus=1, patience=60)
    assert len(looks) == 3
