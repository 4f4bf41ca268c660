"""The arithmetic that stands between what benchmarks measure and the figures that are quoted from them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

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
