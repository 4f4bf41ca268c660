"""A suite of trials that take a fraction of a second, on real images or on a few made ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.data import Dataset
from bench.suite.suite import Suite, load_suite
from bench.suite.trial import Trial, trials


@pytest.fixture
def few_pictures() -> dict[str, Dataset]:
    """Two hundred training and one hundred test images of two classes that a linear net can tell apart."""
    rng = np.random.RandomState(0)
    labels = rng.randint(0, 2, 300)
    images = (rng.rand(300, 1, 28, 28) * 100 + labels[:, None, None, None] * 60).astype(np.uint8)
    data = Dataset(
        "fashion_mnist", ("dark", "light"), images[:200], labels[:200], images[200:], labels[200:], "made", Path("made")
    )
    return {'{"name":"fashion_mnist"}': data}


@pytest.fixture
def suite_of(tmp_path: Path) -> Callable[[str], Suite]:
    """From the lines of a grid to a loaded suite."""

    def load(text: str) -> Suite:
        path = tmp_path / "suite.yaml"
        path.write_text(f"name: made\n{text}")
        return load_suite(path)

    return load


def trials_of(suite: Suite) -> list[Trial]:
    return trials(suite, lambda _: "made", lambda _: None)


@pytest.fixture(name="trials_of")
def _trials_of() -> Callable[[Suite], list[Trial]]:
    return trials_of
