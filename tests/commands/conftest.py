"""Commands run in this process as in a shell, and ledgers on disk for them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from made_ledger import Ledger as Made

from bench.__main__ import main
from bench.ledger.ledger import Ledger


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Bench = Callable[..., Ran]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    """``bench("compare", base, new)``: what the command line would do, its exit code and what it prints."""

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        code = end.value.code
        return Ran(code if isinstance(code, int) else 0 if code is None else 1, *capsys.readouterr())

    return run


@pytest.fixture
def stored(tmp_path: Path) -> Callable[[Made, str], Path]:
    """Writes a ledger that was made up to a folder, and names it."""

    def store(made: Made, name: str = "results") -> Path:
        ledger = Ledger(tmp_path / name)
        for record in made.records:
            ledger.publish(record, made.stored.get(record.key))
        return tmp_path / name

    return store
