"""Two machines' ledgers become one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.ledger import merge
from bench.ledger.ledger import Ledger
from bench.ledger.merge import merge_ledgers
from bench.ledger.weights_files import read_file, weights_name


@pytest.fixture
def two(tmp_path, make_record, predictions) -> tuple[Path, Path]:
    """Two ledgers that have the key aa00 in common."""
    here, there = Ledger(tmp_path / "here"), Ledger(tmp_path / "there")
    here.publish(make_record("aa00", minute=5), predictions)
    here.publish(make_record("bb00", status="failed", minute=1), predictions)
    there.publish(make_record("aa00", minute=4), predictions)
    there.publish(make_record("bb00", status="pruned", minute=2), predictions)
    there.publish(make_record("cc00"), predictions)
    return here.root, there.root


def contents(root: Path):
    ledger = Ledger(root)
    return ledger.records(), [ledger.replicates(record.key) for record in ledger.records()]


def test_both_orders_give_the_same_ledger(two, tmp_path, make_record):
    here, there = two
    assert merge_ledgers([here, there], tmp_path / "one").copied == 5
    assert merge_ledgers([there, here], tmp_path / "other").copied == 5
    assert contents(tmp_path / "one") == contents(tmp_path / "other")
    merged = Ledger(tmp_path / "one")
    assert [record.status for record in merged.records()] == ["complete", "pruned", "complete"]
    assert merged.record("aa00") == make_record("aa00", minute=4)
    assert merged.replicates("aa00") == [make_record("aa00", minute=5)]


def test_copying_with_cp_gives_the_same_as_merging(two, tmp_path):
    here, there = two
    merge_ledgers([here, there], tmp_path / "merged")
    shutil.copytree(there, here, dirs_exist_ok=True)  # over everything, index and all
    assert contents(here) == contents(tmp_path / "merged")


def test_merging_again_copies_nothing(two):
    here, there = two
    assert merge_ledgers([there], here).copied == 3
    assert merge_ledgers([there, here], here).copied == 0


def weights_of(root: Path) -> list[Path]:
    return sorted(root.glob("entries/*/*.safetensors"))


def test_weights_go_with_their_entries_and_none_is_read_that_the_source_lacks(
    tmp_path, make_record, predictions, monkeypatch
):
    here, there = Ledger(tmp_path / "here"), Ledger(tmp_path / "there")
    here.publish(make_record("aa00"), predictions, weights=b"large")
    there.publish(make_record("bb00"), predictions, weights=b"small")
    (mine,), (theirs,) = weights_of(here.root), weights_of(there.root)
    of_a_killed_run = weights_name(f"bb00-{'0' * 12}.npz", b"no entry", candidate=False)
    theirs.with_name(of_a_killed_run).write_bytes(b"no entry")
    read = []
    monkeypatch.setattr(merge, "read_file", lambda store, file: read.append(file.name) or read_file(store, file))
    assert merge_ledgers([there.root], here.root).weights == 1
    assert merge_ledgers([there.root], here.root).weights == 0
    assert read == [theirs.name] * 2
    assert [path.name for path in weights_of(here.root)] == [mine.name, theirs.name]


def test_a_damaged_entry_stays_behind(two):
    here, there = two
    (damaged,) = there.glob("entries/cc/*")
    damaged.write_bytes(damaged.read_bytes()[:50])
    assert merge_ledgers([there], here).copied == 2
    assert Ledger(here).damaged == []


def test_a_copy_that_was_cut_off_is_mended(two):
    here, there = two
    merge_ledgers([there], here)
    (cut,) = here.glob("entries/cc/*")
    cut.write_bytes(cut.read_bytes()[:50])
    assert merge_ledgers([there], here).copied == 1
    assert Ledger(here).record("cc00") == Ledger(there).record("cc00")


def test_a_changed_bit_is_mended_from_a_whole_copy(two):
    here, there = two
    merge_ledgers([there], here)
    (path,) = here.glob("entries/cc/*")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert [record.key for record in Ledger(here).records()] == ["aa00", "bb00"]
    merged = merge_ledgers([there], here)
    assert (merged.copied, merged.present, merged.damaged) == (1, 2, [])
    assert Ledger(here).record("cc00") == Ledger(there).record("cc00")
    assert Ledger(here).damaged == []


def test_of_two_damaged_copies_none_is_taken(two):
    here, there = two
    merge_ledgers([there], here)
    for root in two:
        (path,) = root.glob("entries/cc/*")
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert merge_ledgers([there], here).copied == 0
    assert len(Ledger(here).records()) == 2


def test_a_source_that_is_no_ledger_is_refused_before_anything_is_copied(two, tmp_path):
    here, there = two
    with pytest.raises(UserError, match="nowhere: nothing to merge"):
        merge_ledgers([there, tmp_path / "nowhere"], here)
    assert len(Ledger(here).records()) == 2
