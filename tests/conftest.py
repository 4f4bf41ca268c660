"""What tests of several packages share."""

from __future__ import annotations

import signal

import pytest
from hypothesis import settings

from bench.data import Dataset, load

# How long an example takes says more of what else the machine does than of the code.
settings.register_profile("bench", deadline=None)
settings.load_profile("bench")

# A shell's background jobs ignore Ctrl-C, and so would every command that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def fashion_mnist() -> Dataset:
    """The real Fashion-MNIST, fetched first where this machine does not have it."""
    return load("fashion_mnist")
