"""`bench report` asked for what is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize("writer", [(), ("--html",), ("--latex", "--out", "-")])
def test_a_mistyped_ledger_is_no_empty_report(writer: tuple[str, ...], bench: Any, tmp_path: Path) -> None:
    none = tmp_path / "rsults"
    ran = bench("report", "--results", none, *writer)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"error: {none}: there is no ledger here")


def test_a_ledger_without_trials_is_told_of(bench: Any, tmp_path: Path) -> None:
    (tmp_path / "results" / "entries").mkdir(parents=True)
    ran = bench("report", "--results", tmp_path / "results")
    assert (ran.code, "holds no trial" in ran.out) == (0, True)
