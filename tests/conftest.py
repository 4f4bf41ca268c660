"""What tests of several packages share."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from bench.data import Dataset, load

TESTS = Path(__file__).parent

# How long an example takes says more of what else the machine does than of the code.
settings.register_profile("bench", deadline=None)
settings.load_profile("bench")

# A shell's background jobs ignore Ctrl-C, and so would every command that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The workers of pytest-xdist are told how large a terminal is, as by some shells; what tests start writes to none.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)


@pytest.fixture(scope="session")
def fashion_mnist() -> Dataset:
    """The real Fashion-MNIST, fetched first where this machine does not have it."""
    return load("fashion_mnist")


FIRST = (
    "slurm/test_slurm.py",
    "cluster_namespaces/test_namespaces.py",
    "execution/test_runs.py",
    "cluster_namespaces/test_bare_hosts.py",
    "execution/test_user_code.py",
    "execution/test_workers.py",
    "execution/test_retries.py",
    "execution/test_placement.py",
    "execution/test_shared_runs.py",
    "execution/test_connect.py",
    "execution/test_stop.py",
    "test_python.py",
    "test_examples.py",
    "commands/test_keep.py",
    "commands/test_networks.py",
    "golden/test_trials.py",
)
"""The files that take longest, in the order in which pytest-xdist hands them out: one of two workers has the hosts."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files come first, so that no worker is left with one when the others have finished."""
    places = {TESTS / name: place for place, name in enumerate(FIRST)}
    assert all(path.is_file() for path in places)
    items.sort(key=lambda item: places.get(item.path, len(FIRST)))


def pytest_collection_finish() -> None:
    """What is imported by now is left out of garbage collections, which statsmodels asks for at every correction."""
    gc.collect()
    gc.freeze()
