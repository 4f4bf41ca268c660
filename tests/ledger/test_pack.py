"""A ledger as one file: written, sent, merged, and what of it may be wrong."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.ledger.ledger import Ledger
from bench.ledger.merge import merge_ledgers
from bench.ledger.packed_ledger import MANIFEST, Pack, write_pack


@pytest.fixture
def ledger(tmp_path, make_record, predictions) -> Ledger:
    made = Ledger(tmp_path / "made")
    made.publish(make_record("aa00"), predictions)
    made.publish(make_record("aa00", minute=5), predictions)
    made.publish(make_record("bb00", status="failed"), predictions)
    return made


@pytest.fixture
def packed(ledger, tmp_path) -> Path:
    assert write_pack(ledger.store, tmp_path / "made.zip") == (3, [])
    return tmp_path / "made.zip"


def test_a_packed_ledger_is_merged_as_its_folder_is(ledger, packed, tmp_path):
    summary = merge_ledgers([packed], tmp_path / "other")
    assert (summary.copied, summary.damaged) == (3, [])
    assert Ledger(tmp_path / "other").records() == ledger.records()
    assert merge_ledgers([str(packed), ledger.root], tmp_path / "other").copied == 0


def test_equal_ledgers_give_equal_bytes(ledger, packed, tmp_path):
    shutil.copytree(ledger.root / "entries", tmp_path / "copy" / "entries")
    write_pack(Ledger(tmp_path / "copy").store, tmp_path / "copy.zip")
    assert (tmp_path / "copy.zip").read_bytes() == packed.read_bytes()


def test_unpacked_by_another_program_it_is_a_ledger(packed, ledger, tmp_path):
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert Ledger(tmp_path / "unpacked").records() == ledger.records()


def test_damaged_entries_are_left_out_and_named(ledger, tmp_path):
    (damaged,) = ledger.root.glob("entries/bb/*")
    damaged.write_bytes(damaged.read_bytes()[:50])
    count, left = write_pack(ledger.store, tmp_path / "some.zip")
    assert count == 2 and [location for location, _ in left] == [damaged]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def with_member(path: Path, name: str) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"text")


def without_entry(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {info: archive.read(info) for info in archive.infolist()[:-1]}
    with zipfile.ZipFile(path, "w") as archive:
        for info, data in members.items():
            archive.writestr(info, data)


WRONG = {
    "is damaged or cut short": cut,
    "'../../evil.npz', which is no entry": lambda path: with_member(path, "../../evil.npz"),
    "'/etc/passwd', which is no entry": lambda path: with_member(path, "/etc/passwd"),
    "2 entries, and says that there are 3": without_entry,
    "was not written by `bench pack`": lambda path: path.write_text("name: quick"),
    "was not written by `bench pack` ": lambda path: path.write_bytes(b""),
    "was not written by `bench pack`\n": lambda path: (path.unlink(), with_member(path, "notes.txt")),
    "is a pack of another version": lambda path: (
        path.unlink(),
        zipfile.ZipFile(path, "w").writestr(MANIFEST, '{"format": "bench ledger", "version": 9, "entries": 0}'),
    ),
}


@pytest.mark.parametrize("message", WRONG)
def test_a_wrong_file_is_refused_with_one_message(message, packed, tmp_path):
    WRONG[message](packed)
    with pytest.raises(UserError) as raised:
        merge_ledgers([packed], tmp_path / "other")
    text = str(raised.value)
    assert text.startswith(f"{packed}: ") and message.strip() in text and "bench pack LEDGER" in text
    assert not (tmp_path / "other").exists()


def test_an_entry_that_was_changed_on_the_way_is_left(packed, tmp_path):
    data = bytearray(packed.read_bytes())
    data[len(data) // 2] ^= 1
    packed.write_bytes(data)
    summary = merge_ledgers([packed], tmp_path / "other")
    assert (summary.copied, len(summary.damaged)) == (2, 1)


def test_another_file_is_not_replaced_and_nothing_half_written_stays(ledger, tmp_path, monkeypatch):
    (tmp_path / "thesis.zip").write_text("years of work")
    with pytest.raises(UserError, match="was not written by `bench pack`"):
        write_pack(ledger.store, tmp_path / "thesis.zip")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(UserError, match="The disk is full"):
        write_pack(ledger.store, tmp_path / "full.zip")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "thesis.zip"]
    with pytest.raises(UserError, match="nothing to pack"):
        write_pack(Ledger(tmp_path / "none").store, tmp_path / "none.zip")


def test_the_ledger_packs_itself_anew_over_an_older_pack(ledger, packed, make_record, predictions):
    ledger.publish(make_record("cc00"), predictions)
    assert write_pack(ledger.store, packed)[0] == 4
    assert len(Pack(packed).list()) == 4
