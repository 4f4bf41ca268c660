"""`confirm: N` as a user runs it: the grid, then what validation selected and its rivals with fresh seeds."""

from __future__ import annotations

import json
from pathlib import Path

from bands import write_bands
from commands import bench

from bench.ledger.ledger import Ledger

SUITE = """
name: confirmed
confirm: 2
grid:
  dataset: {name: npz, path: bands.npz}
  model: {name: mlp, hidden: [8]}
  optimizer: {name: adam, lr: {grid: [0.01, 0.011, 0.00001]}}
  batch_size: 32
  epochs: 3
  seeds: 3
"""


def test_the_selected_one_and_its_rivals_are_trained_again_and_judge(tmp_path: Path) -> None:
    write_bands(tmp_path / "bands.npz")
    suite, results = tmp_path / "confirmed.yaml", tmp_path / "results"
    suite.write_text(SUITE)
    code, out, err = bench("run", suite, "--no-ray", "--results", results)
    assert (code, err) == (0, ""), err
    assert "confirm: 2 configurations, selected on validation and rivals, with 2 fresh seeds" in out
    assert "Confirmed with fresh seeds" in out
    assert "judged by fresh seeds alone" in " ".join(out.split())
    seeds: dict[float, list[int]] = {}
    for record in Ledger(results).records():
        seeds.setdefault(record.config["optimizer"]["lr"], []).append(record.seed)
    assert {rate: sorted(found) for rate, found in seeds.items()} == {
        0.01: [0, 1, 2, 3, 4],
        0.011: [0, 1, 2, 3, 4],
        0.00001: [0, 1, 2],
    }
    assert "nothing to run" in bench("run", suite, "--no-ray", "--results", results)[1]
    plan = json.loads(bench("plan", suite, "--results", results, "--json")[1])
    assert plan["confirm"] == {"seeds": 2, "at_most": 6, "trials": 4, "to_run": 0}
