"""What tests of several packages share."""

from __future__ import annotations

import pytest

from bench.data import Dataset, load


@pytest.fixture(scope="session")
def fashion_mnist() -> Dataset:
    """The real Fashion-MNIST, fetched first where this machine does not have it."""
    return load("fashion_mnist")
