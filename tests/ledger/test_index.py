"""The index is a cache: it may be lost, cut off or wrong, and the ledger reads the same."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import shutil
import time

import pytest

from bench.ledger.index import parse_index
from bench.ledger.ledger import Ledger

KEYS = ["aa00", "bb00", "cc00"]


@pytest.fixture
def index(ledger, make_record, predictions):
    """The index of a ledger with an entry for each of KEYS."""
    for key in KEYS:
        ledger.publish(make_record(key), predictions)
    return ledger.root / "index.jsonl"


def keys(ledger):
    return [record.key for record in Ledger(ledger.root).records()]


def test_it_has_one_line_per_entry(index):
    assert len(index.read_text().splitlines()) == len(KEYS)


def signed(line: bytes) -> bytes:
    """The line with the digest that fits it."""
    text = line.rstrip(b"\n").partition(b",")[2]
    return b'{"sha256":"%b",%b\n' % (hashlib.sha256(text).hexdigest()[:12].encode(), text)


def test_records_come_from_it_without_opening_the_entries(ledger, index):
    lines = [signed(line.replace(b"0.88", b"0.99")) for line in index.read_bytes().splitlines()]
    index.write_bytes(b"".join(lines))
    assert Ledger(ledger.root).record("aa00").result.test == {"accuracy": 0.99}


def test_one_changed_digit_changes_no_figure(ledger, index, make_record):
    index.write_text(index.read_text().replace("0.88", "0.99"))
    assert Ledger(ledger.root).records() == [make_record(key) for key in KEYS]


@pytest.mark.parametrize("seed", range(40))
def test_one_changed_bit_changes_no_record(ledger, index, make_record, seed):
    chance, data = random.Random(seed), bytearray(index.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    index.write_bytes(data)
    assert Ledger(ledger.root).records() == [make_record(key) for key in KEYS]
    assert Ledger(ledger.root).damaged == []


def test_a_copy_is_read_by_its_index_once_the_digests_agree(ledger, index, make_record, tmp_path):
    shutil.copytree(ledger.root, tmp_path / "copy")
    (entry,) = (tmp_path / "copy").glob("entries/bb/*")
    flip(entry)
    again = Ledger(tmp_path / "copy")
    assert again.records() == [make_record("aa00"), make_record("cc00")]
    assert [path for path, _ in again.damaged] == [entry]
    copied = tmp_path / "copy" / "index.jsonl"
    assert len(copied.read_bytes().splitlines()) == 2, "written anew, for the copies"
    before = copied.read_bytes()
    assert keys(again) == ["aa00", "cc00"]
    assert copied.read_bytes() == before


def flip(path, place=0.5):
    """Change one bit; the size stays."""
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 1
    path.write_bytes(data)


def test_an_index_that_is_a_pipe_is_not_waited_for(ledger, index, make_record, predictions):
    index.unlink()
    os.mkfifo(index)
    assert keys(ledger) == KEYS
    ledger.publish(make_record("dd00"), predictions)


def test_it_is_written_anew_when_it_was_deleted(ledger, index):
    before = index.read_text()
    index.unlink()
    assert keys(ledger) == KEYS
    assert sorted(index.read_text().splitlines()) == sorted(before.splitlines())


@pytest.mark.parametrize("rest", [1, 20, 200])
def test_half_a_line_is_passed_over_and_does_not_swallow_the_next(ledger, index, make_record, rest, predictions):
    lines = index.read_bytes().splitlines(keepends=True)
    index.write_bytes(b"".join(lines[:-1]) + lines[-1][:rest])
    ledger.publish(make_record("dd00"), predictions)
    assert json.loads(index.read_bytes().splitlines()[-1])["record"]["key"] == "dd00"
    assert keys(ledger) == [*KEYS, "dd00"]
    index_after = index.read_bytes()
    assert keys(ledger) == [*KEYS, "dd00"]
    assert index.read_bytes() == index_after, "every entry has its line by now"


@pytest.mark.parametrize(
    "line", ["", "null", "[]", '{"entry": "x"}', '{"entry": {}, "bytes": 1}', "\0\0", "[" * 100_000]
)
def test_a_line_of_something_else_is_passed_over(ledger, index, line):
    index.write_text(f"{line}\n{index.read_text()}")
    assert keys(ledger) == KEYS


def test_a_line_whose_entry_is_gone_is_passed_over(ledger, index):
    for path in ledger.root.glob("entries/bb/*"):
        path.unlink()
    assert keys(ledger) == ["aa00", "cc00"]


def test_an_index_that_can_be_neither_read_nor_written_costs_only_time(ledger, index, make_record, predictions):
    index.unlink()
    index.mkdir()
    ledger.publish(make_record("dd00"), predictions)
    assert keys(ledger) == [*KEYS, "dd00"]


def test_a_line_repeated_by_two_drivers_counts_once(ledger, index):
    index.write_text(index.read_text() * 2)
    assert keys(ledger) == KEYS
    assert Ledger(ledger.root).replicates("aa00") == []


def test_no_more_of_it_is_read_than_an_index_can_have(ledger, index, make_record):
    os.truncate(index, 2**36)  # a file with a hole in it, of 64 GiB
    started = time.perf_counter()
    assert Ledger(ledger.root).records() == [make_record(key) for key in KEYS]
    assert time.perf_counter() - started < 5


def test_nor_is_more_unpacked_of_a_remote_one(monkeypatch):
    monkeypatch.setattr("bench.ledger.index.MAX_ENTRY_BYTES", 10_000)
    bomb = io.BytesIO(gzip.compress(bytes(10_000_000)))
    with gzip.GzipFile(fileobj=bomb) as unpacked:
        assert parse_index(unpacked, {}).same == []
        assert unpacked.tell() == 10_000
