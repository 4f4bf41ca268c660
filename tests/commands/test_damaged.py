"""Ledgers that were damaged: commands name what they pass over, and go on."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_ledger import Ledger as Made
from made_ledger import config

from bench.ledger.entries import LedgerEntry
from bench.ledger.index import add_published
from bench.ledger.ledger import Ledger
from bench.ledger.store import open_store

ADAM, SGD = config(), config(optimizer={"name": "sgd", "lr": 0.1})


@pytest.fixture
def made() -> Made:
    made = Made()
    made.add(ADAM, [0.9, 0.91], config_key="a" * 20)
    made.add(SGD, [0.8, 0.81], config_key="b" * 20)
    return made


def entry_of(folder: Path, number: int) -> Path:
    (path,) = folder.glob(f"entries/*/{number:020x}-*.npz")
    return path


def flip(path: Path) -> None:
    """Change one bit; the size stays."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def without_a_trace(folder: Path, made: Made, number: int) -> Path:
    """Change one bit of an entry, and let the index know its file so, as when a disk forgets by itself."""
    path = entry_of(folder, number)
    flip(path)
    add_published(open_store(folder), LedgerEntry(path.name, made.records[number]))
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ("report",),
        ("report", "--csv", "--out", "-"),
        ("report", "--html"),
        ("compare", "optimizer=adam", "optimizer=sgd"),
        ("show", "00000000000000000000"),
    ],
)
def test_one_changed_bit_stops_no_command(bench, stored, made, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    folder = stored(made)
    path = entry_of(folder, 1)
    flip(path)
    found = bench(*arguments, "--results", folder)
    assert found.code in (0, 1, 3), found.err
    assert f"skipped {path}: truncated or changed" in found.err
    assert "unexpectedly" not in found.err


@pytest.mark.parametrize("arguments", [("report",), ("compare", "optimizer=adam", "optimizer=sgd")])
def test_damage_without_a_trace_stops_no_command_and_is_named(bench, stored, made, arguments):
    folder = stored(made)
    paths = [without_a_trace(folder, made, number) for number in (1, 3)]
    assert len(Ledger(folder).records()) == 4, "the index speaks for them"
    found = bench(*arguments, "--results", folder)
    assert found.code in (0, 1, 3), found.err
    for path in paths:
        assert f"skipped {path}: truncated or changed" in found.err
    assert len(Ledger(folder).records()) == 2, "both run again"


def test_a_changed_bit_is_mended_by_merging_a_whole_copy(bench, stored, made):
    whole, folder = stored(made, "whole"), stored(made)
    path = entry_of(folder, 2)
    flip(path)
    assert bench("report", "--results", folder).err.startswith(f"skipped {path}")
    assert "1 copied, 3 there already" in bench("merge", whole, "--results", folder).out
    assert bench("report", "--results", folder).err == ""
    assert path.read_bytes() == entry_of(whole, 2).read_bytes()


def test_one_changed_digit_in_the_index_changes_no_leaderboard(bench, stored, made):
    folder = stored(made)
    before = bench("report", "--csv", "--out", "-", "--results", folder).out
    index = folder / "index.jsonl"
    assert '"accuracy":0.8' in index.read_text()
    index.write_text(index.read_text().replace('"accuracy":0.8', '"accuracy":0.9'))
    assert bench("report", "--csv", "--out", "-", "--results", folder).out == before


def test_the_name_of_a_file_reaches_no_terminal_as_it_is(bench, stored, made):
    folder = stored(made)
    (folder / "entries" / "zz").mkdir()
    (folder / "entries" / "zz" / "\x1b]0;owned\x07\udce9.npz").touch()
    found = bench("report", "--results", folder)
    assert r"zz/\x1b]0;owned\x07\udce9.npz: not named as an entry" in found.err
    assert "\x1b" not in found.err


def test_a_failure_is_shown_and_obeyed_by_no_terminal(bench, stored, made):
    made.add_ended(
        ADAM, 5, "failed", 1, config_key="a" * 20, failure={"kind": "E", "message": r"\x1b[2J", "traceback": ""}
    )
    folder = stored(made)
    assert r"\x1b[2J" in bench("show", f"{4:020x}", "--results", folder).out


def test_a_ledger_that_cannot_be_written_is_told_before_data_are_loaded(bench, tmp_path):
    suite = tmp_path / "suite.yaml"
    suite.write_text("name: s\ngrid: {model: mlp, dataset: cifar10}\n")
    found = bench("run", suite, "--results", "/sys/results", "--data-dir", tmp_path)
    assert found.code == 2
    assert "error: cannot write /sys/results/entries: " in found.err
    assert "cifar" not in found.err
