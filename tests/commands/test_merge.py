"""`bench merge` as a user runs it, and what names in a ledger or on the command line cannot do."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bucket import Bucket, opened
from configuration import DEFAULTS
from predicted import RIGHT

from bench.ledger.ledger import Ledger
from bench.ledger.record import Record, Result, RunInfo


def bench(*arguments: object) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "bench", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def publish(folder: Path, *numbers: int, minute: int = 0) -> None:
    for number in numbers:
        measured = RunInfo(finished=f"2025-03-01T12:{minute:02}:00+00:00")
        record = Record(
            f"ab0{number}", DEFAULTS, number, "complete", Result({}, 1, 1, test={"accuracy": 0.8}), measured
        )
        Ledger(folder).publish(record, RIGHT)


@pytest.fixture
def one(tmp_path: Path) -> Path:
    publish(tmp_path / "one", 1, 2)
    return tmp_path / "one"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A ledger of three trials, one of which `one` has too."""
    publish(tmp_path / "other", 2, 3, 4, minute=5)
    return tmp_path / "other"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Bucket]:
    made = opened(monkeypatch, tmp_path / "state")
    yield made
    made.go_away()


def test_two_ledgers_become_one_and_what_both_ran_is_a_replicate(one: Path, other: Path, tmp_path: Path) -> None:
    into = tmp_path / "all"
    code, out, err = bench("merge", one, other, "--results", into)
    assert (code, err) == (0, "")
    assert out == f"5 copied, 0 there already\n{into}: 4 trials, 1 replicate beside them\n"
    assert [record.key for record in Ledger(into).records()] == ["ab01", "ab02", "ab03", "ab04"]
    assert len(Ledger(into).replicates("ab02")) == 1


def test_merging_again_copies_nothing(one: Path, other: Path) -> None:
    assert bench("merge", other, "--results", one)[1].startswith("3 copied, 0 there already\n")
    code, out, err = bench("merge", other, "--results", one)
    assert (code, err) == (0, "")
    assert out.startswith("0 copied, 3 there already\n")


def test_a_damaged_entry_is_told_and_left(one: Path, other: Path) -> None:
    (damaged,) = other.glob("entries/*/ab03-*")
    damaged.write_bytes(damaged.read_bytes()[:100])
    code, out, err = bench("merge", other, "--results", one)
    assert code == 0
    assert err == f"left {damaged}: truncated or changed: the content does not match the digest in the name\n"
    assert out.startswith("2 copied, 0 there already, 1 damaged left\n")
    assert damaged.exists()


def test_folders_and_buckets_merge_into_each_other(one: Path, other: Path, bucket: Bucket) -> None:
    assert bench("merge", one, "--results", bucket.url)[:2] == (
        0,
        f"2 copied, 0 there already\n{bucket.url}: 2 trials, 0 replicates beside them\n",
    )
    code, out, _ = bench("merge", bucket.url, "--results", other)
    assert (code, out.splitlines()[0]) == (0, "2 copied, 0 there already")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("nowhere", "nowhere: nothing to merge: there is no ledger here (no folder `entries`)"),
        ("s3://bench-nowhere/results", "s3://bench-nowhere/results: there is no such bucket; make it first"),
        ("nosuch://bucket/results", "nosuch://bucket/results: unknown protocol 'nosuch'"),
    ],
)
def test_a_source_that_is_no_ledger_is_told(source: str, told: str, one: Path, bucket: Bucket) -> None:
    code, out, err = bench("merge", source, "--results", one)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {told}")


def test_a_ledger_is_packed_sent_and_merged(one: Path, tmp_path: Path) -> None:
    code, out, err = bench("pack", one, "-o", tmp_path / "one.zip")
    assert (code, err) == (0, "") and out.startswith(f"wrote {tmp_path / 'one.zip'}: 2 entries, ")
    code, out, err = bench("merge", tmp_path / "one.zip", "--results", tmp_path / "all")
    assert (code, err) == (0, "") and out.startswith("2 copied, 0 there already\n")
    (tmp_path / "one.zip").write_bytes((tmp_path / "one.zip").read_bytes()[:1000])
    code, out, err = bench("merge", tmp_path / "one.zip", "--results", tmp_path / "all")
    assert (code, out) == (2, "") and "is damaged or cut short" in err
    assert bench("pack", tmp_path / "nowhere")[0] == 2


def test_the_commands_on_packs_in_the_docs(one: Path, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/in_and_out.md").read_text(encoding="utf-8")
    section = page.partition("\n## Out: a ledger as one file\n")[2].partition("\n## ")[0]
    commands = [shlex.split(line)[1:] for line in re.findall(r"^    (bench .*)$", section, re.M)]
    assert [words[0] for words in commands] == ["pack", "merge"]
    one.rename(tmp_path / "results")
    for words in commands:
        done = subprocess.run([sys.executable, "-m", "bench", *words], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert Ledger(tmp_path / "elsewhere").records() == Ledger(tmp_path / "results").records()
