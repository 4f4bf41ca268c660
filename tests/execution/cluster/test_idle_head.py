"""A head that has nothing to do is powered off, when the last of its runs has ended; `sudo` is a stand-in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.execution.cluster.driver import head_stays_on

SUDO = """#!/bin/sh
printf '%s\\n' "$*" >> {0}/asked
test ! -e {0}/forbidden
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of what `sudo` was asked for."""
    (tmp_path / "sudo").write_text(SUDO.format(tmp_path))
    (tmp_path / "sudo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "asked").touch()
    return tmp_path / "asked"


def test_the_last_run_to_end_powers_the_head_off_and_the_next_one_calls_it_off(asked: Path) -> None:
    notes: list[str] = []
    with head_stays_on(asked.parent, 60, notes.append):
        with head_stays_on(asked.parent, 60, notes.append):
            pass
        assert asked.read_text() == "-n shutdown -c\n" * 2
    assert asked.read_text().splitlines()[2:] == ["-n shutdown -h +60"]
    assert notes == []


def test_without_the_setting_nothing_is_done(asked: Path) -> None:
    with head_stays_on(asked.parent, None, print):
        pass
    assert asked.read_text() == ""


def test_where_it_may_not_be_powered_off_the_run_says_so(asked: Path) -> None:
    (asked.parent / "forbidden").touch()
    notes: list[str] = []
    with head_stays_on(asked.parent, 0.5, notes.append):
        pass
    assert "`sudo -n shutdown -h +1` failed on the head, which stays on" in notes[-1]
