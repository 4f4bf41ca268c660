"""Commands run in this process as in a shell, and ledgers on disk for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Ran, bench_here
from made_ledger import Ledger as Made

from bench.ledger.ledger import Ledger

Bench = Callable[..., Ran]


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
