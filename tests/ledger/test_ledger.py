"""Publishing, reading, which entry counts, and what need not run again."""

from __future__ import annotations

import os
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.errors import UserError
from bench.ledger.entries import LedgerEntry
from bench.ledger.index import add_published
from bench.ledger.ledger import Ledger, MissingEntryError


def files(root: Path) -> set[str]:
    return {path.name for path in root.glob("entries/*/*")}


def test_a_published_trial_is_read_by_another_ledger(ledger, make_record, predictions):
    path = ledger.publish(make_record(), predictions)
    assert path.parent == ledger.root / "entries" / "ab"
    assert Ledger(ledger.root).records() == [make_record()]
    np.testing.assert_array_equal(Ledger(ledger.root).predictions("ab12cd34").labels, predictions.labels)


def test_a_missing_folder_reads_as_empty_and_stays_missing(ledger):
    assert ledger.records() == []
    assert ledger.done(None) == {}
    assert ledger.damaged == []
    assert not ledger.root.exists()


def test_publishing_the_same_again_changes_nothing(ledger, make_record, predictions):
    assert ledger.publish(make_record(), predictions) == ledger.publish(make_record(), predictions)
    assert len(files(ledger.root)) == 1
    assert ledger.replicates("ab12cd34") == []


def test_records_are_ordered_by_key(ledger, make_record, predictions):
    for key in ("ff00", "aa11", "aa00"):
        ledger.publish(make_record(key), predictions)
    assert [record.key for record in ledger.records()] == ["aa00", "aa11", "ff00"]


def test_of_finished_trials_the_first_counts_and_the_others_are_replicates(ledger, make_record, predictions):
    second = make_record(minute=2, accuracy=0.5)
    first = make_record(minute=1, status="diverged")
    third = make_record(minute=3)
    for record in (second, first, third):
        ledger.publish(record, predictions)
    assert ledger.record("ab12cd34") == first
    assert ledger.replicates("ab12cd34") == [second, third]


def test_times_are_compared_across_time_zones(ledger, make_record, predictions):
    def finished(at):
        record = make_record()
        return replace(record, run_info=replace(record.run_info, finished=at))

    ledger.publish(finished("2025-03-01T12:00:00+02:00"), predictions)
    ledger.publish(finished("2025-03-01T11:00:00Z"), predictions)
    assert ledger.record("ab12cd34").run_info.finished == "2025-03-01T12:00:00+02:00"


@pytest.mark.parametrize("status", ["pruned", "failed"])
def test_of_unfinished_trials_the_latest_counts(ledger, make_record, status, predictions):
    for minute in (1, 3, 2):
        ledger.publish(make_record(status=status, minute=minute), predictions)
    assert ledger.record("ab12cd34") == make_record(status=status, minute=3)
    assert ledger.replicates("ab12cd34") == []


def test_a_failed_trial_can_be_tried_again(ledger, make_record, predictions):
    ledger.publish(make_record(status="complete", minute=1), predictions)
    ledger.publish(make_record(status="failed", minute=2), predictions)
    ledger.publish(make_record(status="pruned", minute=3), predictions)
    assert ledger.record("ab12cd34").status == "complete"
    assert ledger.replicates("ab12cd34") == []


def test_what_counts_does_not_depend_on_the_order_of_publishing(make_record, tmp_path, predictions):
    records = [make_record(status=s, minute=m) for s in ("complete", "diverged", "pruned", "failed") for m in (1, 1, 2)]
    standings = set()
    for attempt in range(5):
        random.Random(attempt).shuffle(records)
        ledger = Ledger(tmp_path / str(attempt))
        for record in records:
            ledger.publish(record, predictions)
        assert Ledger(ledger.root).records() == ledger.records()
        standings.add(str((ledger.records(), ledger.replicates("ab12cd34"))))
    assert len(standings) == 1


def test_complete_and_diverged_trials_are_done_and_failed_ones_are_not(ledger, make_record, predictions):
    for key, status in [("aa", "complete"), ("bb", "diverged"), ("cc", "failed"), ("dd", "pruned")]:
        ledger.publish(make_record(key, status=status, rule={"eta": 3}), predictions)
    assert ledger.done(None).keys() == {"aa", "bb"}


def test_a_pruned_trial_is_done_under_the_same_rule_only(ledger, make_record, predictions):
    ledger.publish(make_record(status="pruned", minute=1, rule={"eta": 3, "rungs": [1, 3]}), predictions)
    ledger.publish(make_record(status="pruned", minute=2, rule={"eta": 4, "rungs": [1, 4]}), predictions)
    assert ledger.done({"eta": 3, "rungs": (1, 3)})["ab12cd34"].run_info.finished.startswith("2025-03-01T12:01")
    assert ledger.done({"eta": 4, "rungs": [1, 4]}).keys() == {"ab12cd34"}
    assert ledger.done({"eta": 5, "rungs": [1, 5]}) == {}
    assert ledger.done(None) == {}


def test_a_prefix_finds_its_record(ledger, make_record, predictions):
    ledger.publish(make_record("ab12cd34"), predictions)
    ledger.publish(make_record("ab120000"), predictions)
    assert ledger.record("ab12c").key == "ab12cd34"


def test_a_key_that_begins_another_is_found_by_itself(ledger, make_record, predictions):
    ledger.publish(make_record("ab12"), predictions)
    ledger.publish(make_record("ab1234"), predictions)
    assert ledger.record("ab12").key == "ab12"


def test_an_ambiguous_prefix_lists_the_matches(ledger, make_record, predictions):
    ledger.publish(make_record("ab12cd34"), predictions)
    ledger.publish(make_record("ab120000"), predictions)
    with pytest.raises(UserError, match=r"2 keys begin with 'ab12'(.|\n)*ab120000\n  ab12cd34"):
        ledger.record("ab12")


def test_an_unknown_key_gets_the_nearest(ledger, make_record, predictions):
    ledger.publish(make_record("ab12cd34"), predictions)
    with pytest.raises(UserError, match="did you mean 'ab12cd'"):
        ledger.record("ab12dd")


def test_an_empty_ledger_says_so(ledger):
    with pytest.raises(UserError, match="the ledger is empty; run a suite first"):
        ledger.record("ab12")


def test_an_empty_key_names_no_trial(ledger, make_record, predictions):
    ledger.publish(make_record(), predictions)
    with pytest.raises(UserError, match="give a trial's key, or its first digits"):
        ledger.record("")


def test_a_trial_without_predictions_says_so(ledger, make_record):
    ledger.publish(make_record(status="pruned"))
    with pytest.raises(UserError, match="the trial was not tested"):
        ledger.predictions("ab12cd34")


def test_predictions_are_those_of_the_record_that_counts(ledger, make_record, predictions):
    ledger.publish(make_record(minute=1), predictions)
    ledger.publish(make_record(minute=2), predictions)
    assert ledger.predictions("ab12cd34").labels.tolist() == [9, 2, 1, 1]


def test_refresh_picks_up_what_another_driver_published(ledger, make_record, predictions):
    assert ledger.records() == []
    Ledger(ledger.root).publish(make_record(), predictions)
    assert ledger.records() == []
    ledger.refresh()
    assert ledger.records() == [make_record()]


def test_refresh_forgets_what_was_removed(ledger, make_record, predictions):
    first = ledger.publish(make_record(minute=1), predictions)
    ledger.publish(make_record(minute=2), predictions)
    assert ledger.record("ab12cd34") == make_record(minute=1)
    first.unlink()
    ledger.refresh()
    assert ledger.record("ab12cd34") == make_record(minute=2)


@pytest.mark.parametrize("cut", [0, 10, -1])
def test_a_truncated_entry_never_counts_and_is_named(ledger, make_record, cut, predictions):
    ledger.publish(make_record("aa00"), predictions)
    path = ledger.publish(make_record("bb00"), predictions)
    path.write_bytes(path.read_bytes()[:cut])
    again = Ledger(ledger.root)
    assert [record.key for record in again.records()] == ["aa00"]
    assert again.damaged == [(path, "truncated or changed: the content does not match the digest in the name")]


def test_a_damaged_entry_counts_once_it_is_whole_again(ledger, make_record, predictions):
    path = ledger.publish(make_record(), predictions)
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    again = Ledger(ledger.root)
    assert again.records() == []
    path.write_bytes(whole)
    again.refresh()
    assert again.records() == [make_record()]
    assert again.damaged == []


def test_publishing_mends_a_damaged_entry(ledger, make_record, predictions):
    path = ledger.publish(make_record(), predictions)
    path.write_bytes(b"")
    Ledger(ledger.root).publish(make_record(), predictions)
    assert Ledger(ledger.root).records() == [make_record()]


def flip(path: Path, place: float = 0.5) -> None:
    """Change one bit; the size stays."""
    data = bytearray(path.read_bytes())
    data[int((len(data) - 1) * place)] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("place", [0, 0.2, 0.5, 0.8, 1])
def test_one_changed_bit_in_an_entry_is_noticed_although_the_index_knows_it(ledger, make_record, predictions, place):
    ledger.publish(make_record("aa00"), predictions)
    path = ledger.publish(make_record("bb00"), predictions)
    assert len(Ledger(ledger.root).records()) == 2
    flip(path, place)
    again = Ledger(ledger.root)
    assert [record.key for record in again.records()] == ["aa00"]
    assert again.done(None).keys() == {"aa00"}, "its trial runs again"
    assert again.damaged == [(path, "truncated or changed: the content does not match the digest in the name")]


def test_predictions_damaged_after_reading_are_an_error_and_not_a_wrong_figure(ledger, make_record, predictions):
    path = ledger.publish(make_record(), predictions)
    assert len(ledger.records()) == 1
    flip(path)
    with pytest.raises(MissingEntryError, match=r"ab12cd34-\w+\.npz: cannot be read: truncated or changed"):
        ledger.predictions("ab12cd34")
    assert ledger.records() == []
    assert [damaged for damaged, _ in ledger.damaged] == [path]


def test_a_replicate_stands_in_for_an_entry_that_proves_damaged(ledger, make_record, predictions):
    path = ledger.publish(make_record(minute=1), predictions)
    ledger.publish(make_record(minute=2), predictions)
    assert ledger.record("ab12cd34") == make_record(minute=1)
    flip(path)
    with pytest.raises(MissingEntryError):
        ledger.predictions("ab12cd34")
    assert ledger.record("ab12cd34") == make_record(minute=2)
    assert ledger.predictions("ab12cd34").labels.tolist() == [9, 2, 1, 1]


def test_what_a_disk_damaged_without_a_trace_is_found_by_reading_and_then_no_index_speaks_for_it(
    ledger, make_record, predictions
):
    path = ledger.publish(make_record(), predictions)
    name = path.name
    flip(path)
    (ledger.root / "index.jsonl").unlink()
    add_published(
        ledger.store, LedgerEntry(name, make_record())
    )  # as if the file had been so when its line was written
    again = Ledger(ledger.root)
    assert again.records() == [make_record()]
    with pytest.raises(MissingEntryError):
        again.predictions("ab12cd34")
    assert Ledger(ledger.root).done(None) == {}


def test_reading_all_files_passes_over_whatever_is_damaged(ledger, make_record, predictions):
    for key in ("aa00", "bb00", "cc00"):
        path = ledger.publish(make_record(key), predictions)
    assert len(ledger.records()) == 3
    flip(path)
    ledger.reread()
    assert [record.key for record in ledger.records()] == ["aa00", "bb00"]
    assert [damaged for damaged, _ in ledger.damaged] == [path]


def test_what_is_no_file_is_named_and_not_waited_for(ledger, make_record, predictions, tmp_path):
    path = ledger.publish(make_record(), predictions)
    for number, make in enumerate(
        (os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero"), lambda path: path.symlink_to(path))
    ):
        make(path.with_name(f"ab12cd34-{number:012x}.npz"))
    os.truncate(ledger.root / "index.jsonl", 0)
    again = Ledger(ledger.root)
    assert again.records() == [make_record()]
    assert {reason for _, reason in again.damaged} == {"not named as an entry, in the wrong folder, or no file"}
    assert again.finished("ab12cd34", None) == make_record()


def test_a_file_larger_than_any_entry_is_not_read(ledger, make_record, predictions):
    path = ledger.publish(make_record(), predictions)
    huge = path.with_name("ab12cd34-000000000000.npz")
    huge.touch()
    os.truncate(huge, 2**40)
    again = Ledger(ledger.root)
    assert again.records() == [make_record()]
    assert [damaged for damaged, _ in again.damaged] == [huge]


def test_a_ledger_that_cannot_be_written_says_so_before_anything_runs(tmp_path):
    with pytest.raises(UserError, match="cannot write /sys/results/entries: "):
        Ledger("/sys/results").check_writable()
    for name in ("entries", "leases", "tmp"):
        root = tmp_path / name
        root.mkdir()
        (root / name).write_text("a file where a folder should be")
        with pytest.raises(UserError, match=f"cannot write {root / name}: "):
            Ledger(root).check_writable()
    Ledger(tmp_path / "new" / "results").check_writable()
    assert not (tmp_path / "new").exists(), "nothing is left behind"


def test_entries_with_a_wrong_name_or_folder_are_named(ledger, make_record, predictions):
    path = ledger.publish(make_record(), predictions)
    (ledger.root / "entries" / "ff").mkdir()
    moved = path.rename(ledger.root / "entries" / "ff" / path.name)
    renamed = Path(shutil.copy(moved, path.with_name("copy.npz")))
    again = Ledger(ledger.root)
    assert again.records() == []
    assert [path for path, reason in again.damaged] == [renamed, moved]


def test_a_file_is_no_ledger(tmp_path):
    (tmp_path / "results").write_text("")
    with pytest.raises(UserError, match="a ledger is a folder, and this is a file"):
        Ledger(tmp_path / "results")


def test_a_folder_of_other_things_is_no_ledger(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(UserError, match=r"not a ledger: .* holds thesis\.tex"):
        Ledger(tmp_path)


def test_an_empty_folder_may_become_a_ledger(tmp_path, make_record, predictions):
    (tmp_path / ".gitkeep").write_text("")
    Ledger(tmp_path).publish(make_record(), predictions)
    assert Ledger(tmp_path).records() == [make_record()]


def test_trackers_may_write_before_the_first_entry(tmp_path, make_record, predictions):
    """As TensorBoard's files of a run on a cluster, whose entries come home later."""
    (tmp_path / "tensorboard").mkdir()
    Ledger(tmp_path).publish(make_record(), predictions)
    assert Ledger(tmp_path).records() == [make_record()]


def test_finished_sees_what_another_driver_published_for_one_key(tmp_path, make_record, predictions):
    mine, theirs = Ledger(tmp_path), Ledger(tmp_path)
    record = make_record()
    assert mine.finished(record.key, None) is None
    theirs.publish(record, predictions)
    assert mine.finished(record.key, None) == record
