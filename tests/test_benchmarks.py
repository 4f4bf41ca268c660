"""The arithmetic that stands between what benchmarks measure and the figures that are quoted from them."""

from __future__ import annotations

import importlib.util
import json
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.data import Dataset

FOLDER = Path(__file__).parents[1] / "benchmarks"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tested_{Path(name).stem}", FOLDER / name)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


def test_a_short_sweep_is_carried_to_the_time_that_the_whole_one_takes() -> None:
    """10 s to start and end, 2 s to begin each trial, 3 s an epoch of one: 27 trials of 30 epochs are 2,494 s."""
    timing = script("peers/timing.py")

    def run(trials: int, epochs: int) -> object:
        body = trials * (2 + 3 * epochs)
        return timing.Run(10 + body, body, trials, epochs, {}, [])

    per_epoch = timing.slope(run(9, 1), run(9, 3))
    assert per_epoch == 27
    assert timing.carried(run(9, 3), per_epoch, 27, 30) == 10 + 27 * (2 + 3 * 30)


def test_what_grows_with_the_size_has_exponent_one_and_with_its_square_two() -> None:
    exponent = script("figures.py").exponent
    sizes = [100, 300, 1000]
    assert exponent(sizes, [0.5 * size for size in sizes]) == pytest.approx(1)
    assert exponent(sizes, [size**2 for size in sizes]) == pytest.approx(2)


def test_the_sections_for_a_gpu_run_on_a_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fashion_mnist: Dataset
) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setenv("TORCHINDUCTOR_FORCE_DISABLE_CACHES", "1")  # which a script sets for good
    gpu = script("gpu.py")
    wanted = {"correctness": "mlp", "synchronization": "step", "throughput": "lab E"}
    for name, only in wanted.items():
        result = gpu.measured(name, "cpu", True, only, tmp_path, tmp_path)
        assert result["status"] == "complete", result
        assert json.loads((tmp_path / f"{name}.json").read_text()) == result
    gpu.write_tables(tmp_path)
    assert gpu.holds(tmp_path, list(wanted))
    tables = (tmp_path / "tables.md").read_text()
    for text in ("| model mlp ", "| mlp, dropout, flip ", "| step standard ", "| lab E: MLP 784-128-64-10 | airbench "):
        assert text in tables


def test_a_wait_in_every_batch_and_a_difference_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fashion_mnist: Dataset
) -> None:
    import torch

    from bench.training import fit

    monkeypatch.syspath_prepend(str(FOLDER))
    gpu, train_batch, runs = script("gpu.py"), fit.train_batch, []

    def waits(*given: Any) -> None:
        warnings.warn("called a synchronizing CUDA operation", stacklevel=1)
        runs.append(given)
        with torch.no_grad():
            next(given[0].model.parameters()).add_(1e-3 * len(runs))
        train_batch(*given)

    monkeypatch.setattr(fit, "train_batch", waits)
    for name in ("correctness", "synchronization"):
        (row,) = gpu.measured(name, "cpu", True, "optimizer sgd", tmp_path, tmp_path)["rows"]
        assert row["holds"] == "NO"
    assert row["later"] == row["batches"] / 2
    assert not gpu.holds(tmp_path, ["synchronization"])
