"""Commands run in this process as in a shell, and ledgers on disk for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from commands import Ran, bench_here
from made_ledger import Ledger as Made

from bench.ledger.ledger import Ledger

Bench = Callable[..., Ran]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """What is computed here has the bits of a trial on one CPU, whatever other tests have set."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def bench() -> Bench:
    """``bench("compare", base, new)``: what the command line would do, its exit code and what it prints."""
    return bench_here


@pytest.fixture
def stored(tmp_path: Path) -> Callable[[Made, str], Path]:
    """Writes a ledger that was made up to a folder, and names it."""

    def store(made: Made, name: str = "results") -> Path:
        ledger = Ledger(tmp_path / name)
        for record in made.records:
            ledger.publish(record, made.stored.get(record.key))
        return tmp_path / name

    return store
