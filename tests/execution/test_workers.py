"""Trials of one worker and of two in one run, on two CPUs; and what is told where that cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import bench

from bench.ledger.ledger import Ledger

pytestmark = pytest.mark.usefixtures("fashion_mnist")

MIXED = """
name: mixed
defaults: {model: {name: mlp, hidden: []}, optimizer: {name: sgd, lr: 0.1}, batch_size: 1000, epochs: 2}
grid: [{seeds: 2}, {workers: 2}]
"""


@pytest.mark.slow
def test_trials_of_one_and_of_two_workers_share_two_cpus(tmp_path: Path) -> None:
    path, results = tmp_path / "mixed.yaml", tmp_path / "results"
    path.write_text(MIXED)
    code, out, err = bench("run", path, "--results", results, "--jobs", 2)
    assert code == 0, err
    assert "3 of 3 trials ended" in out
    records = {(record.config["workers"], record.seed): record for record in Ledger(results).records()}
    assert {place: record.status for place, record in records.items()} == dict.fromkeys(
        [(1, 0), (1, 1), (2, 0)], "complete"
    )
    alone, together = records[1, 0], records[2, 0]
    for name in alone.result.curves:
        curves = [np.array(record.result.curves[name], float) for record in (alone, together)]
        assert np.allclose(*curves, rtol=1e-5, atol=0), name
    assert alone.result.test == pytest.approx(together.result.test, rel=1e-4)
    assert alone.key != together.key


@pytest.mark.slow
def test_a_search_stops_trials_of_two_workers(tmp_path: Path) -> None:
    path, results = tmp_path / "pruned.yaml", tmp_path / "results"
    path.write_text(
        "name: pruned\npruning: {grace_period: 1, reduction_factor: 2}\n"
        "grid: {model: {name: mlp, hidden: []}, optimizer: {name: sgd, lr: {grid: [0.1, 1.0e-6]}}, batch_size: 1000, "
        "epochs: 4, workers: 2}\n"
    )
    code, _, err = bench("run", path, "--results", results, "--jobs", 2)
    assert code == 0, err
    statuses = sorted(record.status for record in Ledger(results).records())
    assert statuses == ["complete", "pruned"]  # one after the other, the better one first


def test_an_address_belongs_to_an_interface() -> None:
    from bench.execution.multi_worker import interface_of

    assert interface_of("127.0.0.1") == "lo"
    assert interface_of("203.0.113.9") == ""


def test_more_workers_than_the_machine_holds_are_refused(tmp_path: Path) -> None:
    path, results = tmp_path / "mixed.yaml", tmp_path / "results"
    path.write_text(MIXED)
    code, _, err = bench("run", path, "--set", "workers=300", "--results", results)
    assert code == 2
    assert err.startswith("error: trials of 300 workers (each with CPUs: 1) can never run here: there is room for ")
    assert "--set workers=1" in err
    assert not Ledger(results).records()


def test_without_ray_a_trial_has_one_worker(tmp_path: Path) -> None:
    path = tmp_path / "mixed.yaml"
    path.write_text(MIXED)
    code, _, err = bench("run", path, "--no-ray", "--results", tmp_path / "results")
    assert code == 2
    assert err.startswith("error: --no-ray trains in this process alone; trials with several workers: 1\n")
