"""Publishing, reading, which entry counts, and what need not run again."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.ledger.ledger import Ledger
from bench.suite.errors import UserError


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


def test_publishing_the_same_again_changes_nothing(ledger, make_record):
    assert ledger.publish(make_record()) == ledger.publish(make_record())
    assert len(files(ledger.root)) == 1
    assert ledger.replicates("ab12cd34") == []


def test_records_are_ordered_by_key(ledger, make_record):
    for key in ("ff00", "aa11", "aa00"):
        ledger.publish(make_record(key))
    assert [record.key for record in ledger.records()] == ["aa00", "aa11", "ff00"]


def test_of_finished_trials_the_first_counts_and_the_others_are_replicates(ledger, make_record):
    second = make_record(minute=2, accuracy=0.5)
    first = make_record(minute=1, status="diverged")
    third = make_record(minute=3)
    for record in (second, first, third):
        ledger.publish(record)
    assert ledger.record("ab12cd34") == first
    assert ledger.replicates("ab12cd34") == [second, third]


def test_times_are_compared_across_time_zones(ledger, make_record):
    def finished(at):
        record = make_record()
        return replace(record, measured=replace(record.measured, finished=at))

    ledger.publish(finished("2025-03-01T12:00:00+02:00"))
    ledger.publish(finished("2025-03-01T11:00:00Z"))
    assert ledger.record("ab12cd34").measured.finished == "2025-03-01T12:00:00+02:00"


@pytest.mark.parametrize("status", ["pruned", "failed"])
def test_of_unfinished_trials_the_latest_counts(ledger, make_record, status):
    for minute in (1, 3, 2):
        ledger.publish(make_record(status=status, minute=minute))
    assert ledger.record("ab12cd34") == make_record(status=status, minute=3)
    assert ledger.replicates("ab12cd34") == []


def test_a_failed_trial_can_be_tried_again(ledger, make_record):
    ledger.publish(make_record(status="complete", minute=1))
    ledger.publish(make_record(status="failed", minute=2))
    ledger.publish(make_record(status="pruned", minute=3))
    assert ledger.record("ab12cd34").status == "complete"
    assert ledger.replicates("ab12cd34") == []


def test_what_counts_does_not_depend_on_the_order_of_publishing(make_record, tmp_path):
    records = [make_record(status=s, minute=m) for s in ("complete", "diverged", "pruned", "failed") for m in (1, 1, 2)]
    standings = set()
    for attempt in range(5):
        random.Random(attempt).shuffle(records)
        ledger = Ledger(tmp_path / str(attempt))
        for record in records:
            ledger.publish(record)
        assert Ledger(ledger.root).records() == ledger.records()
        standings.add(str((ledger.records(), ledger.replicates("ab12cd34"))))
    assert len(standings) == 1


def test_complete_and_diverged_trials_are_done_and_failed_ones_are_not(ledger, make_record):
    for key, status in [("aa", "complete"), ("bb", "diverged"), ("cc", "failed"), ("dd", "pruned")]:
        ledger.publish(make_record(key, status=status, rule={"eta": 3}))
    assert ledger.done(None).keys() == {"aa", "bb"}


def test_a_pruned_trial_is_done_under_the_same_rule_only(ledger, make_record):
    ledger.publish(make_record(status="pruned", minute=1, rule={"eta": 3, "rungs": [1, 3]}))
    ledger.publish(make_record(status="pruned", minute=2, rule={"eta": 4, "rungs": [1, 4]}))
    assert ledger.done({"eta": 3, "rungs": (1, 3)})["ab12cd34"].measured.finished.startswith("2025-03-01T12:01")
    assert ledger.done({"eta": 4, "rungs": [1, 4]}).keys() == {"ab12cd34"}
    assert ledger.done({"eta": 5, "rungs": [1, 5]}) == {}
    assert ledger.done(None) == {}


def test_a_prefix_finds_its_record(ledger, make_record):
    ledger.publish(make_record("ab12cd34"))
    ledger.publish(make_record("ab120000"))
    assert ledger.record("ab12c").key == "ab12cd34"


def test_a_key_that_begins_another_is_found_by_itself(ledger, make_record):
    ledger.publish(make_record("ab12"))
    ledger.publish(make_record("ab1234"))
    assert ledger.record("ab12").key == "ab12"


def test_an_ambiguous_prefix_lists_the_matches(ledger, make_record):
    ledger.publish(make_record("ab12cd34"))
    ledger.publish(make_record("ab120000"))
    with pytest.raises(UserError, match=r"2 keys begin with 'ab12'(.|\n)*ab120000\n  ab12cd34"):
        ledger.record("ab12")


def test_an_unknown_key_gets_the_nearest(ledger, make_record):
    ledger.publish(make_record("ab12cd34"))
    with pytest.raises(UserError, match="did you mean 'ab12cd'"):
        ledger.record("ab12dd")


def test_an_empty_ledger_says_so(ledger):
    with pytest.raises(UserError, match="the ledger is empty; run a suite first"):
        ledger.record("ab12")


def test_an_empty_key_names_no_trial(ledger, make_record):
    ledger.publish(make_record())
    with pytest.raises(UserError, match="give a trial's key, or its first digits"):
        ledger.record("")


def test_a_trial_without_predictions_says_so(ledger, make_record):
    ledger.publish(make_record(status="pruned"))
    with pytest.raises(UserError, match="the trial was not tested"):
        ledger.predictions("ab12cd34")


def test_predictions_are_those_of_the_record_that_counts(ledger, make_record, predictions):
    ledger.publish(make_record(minute=1), predictions)
    ledger.publish(make_record(minute=2))
    assert ledger.predictions("ab12cd34").labels.tolist() == [9, 2, 1, 1]


def test_refresh_picks_up_what_another_driver_published(ledger, make_record):
    assert ledger.records() == []
    Ledger(ledger.root).publish(make_record())
    assert ledger.records() == []
    ledger.refresh()
    assert ledger.records() == [make_record()]


def test_refresh_forgets_what_was_removed(ledger, make_record):
    first = ledger.publish(make_record(minute=1))
    ledger.publish(make_record(minute=2))
    assert ledger.record("ab12cd34") == make_record(minute=1)
    first.unlink()
    ledger.refresh()
    assert ledger.record("ab12cd34") == make_record(minute=2)


@pytest.mark.parametrize("cut", [0, 10, -1])
def test_a_truncated_entry_never_counts_and_is_named(ledger, make_record, cut):
    ledger.publish(make_record("aa00"))
    path = ledger.publish(make_record("bb00"))
    path.write_bytes(path.read_bytes()[:cut])
    again = Ledger(ledger.root)
    assert [record.key for record in again.records()] == ["aa00"]
    assert again.damaged == [(path, "truncated or changed: the content does not match the digest in the name")]


def test_a_damaged_entry_counts_once_it_is_whole_again(ledger, make_record):
    path = ledger.publish(make_record())
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    again = Ledger(ledger.root)
    assert again.records() == []
    path.write_bytes(whole)
    again.refresh()
    assert again.records() == [make_record()]
    assert again.damaged == []


def test_publishing_mends_a_damaged_entry(ledger, make_record):
    path = ledger.publish(make_record())
    path.write_bytes(b"")
    Ledger(ledger.root).publish(make_record())
    assert Ledger(ledger.root).records() == [make_record()]


def test_predictions_damaged_after_reading_are_an_error_and_not_a_wrong_figure(ledger, make_record, predictions):
    path = ledger.publish(make_record(), predictions)
    path.write_bytes(path.read_bytes()[:-20] + bytes(20))
    with pytest.raises(UserError, match=r"ab12cd34-\w+\.npz: cannot be read: truncated or changed"):
        ledger.predictions("ab12cd34")


def test_entries_with_a_wrong_name_or_folder_are_named(ledger, make_record):
    path = ledger.publish(make_record())
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


def test_an_empty_folder_may_become_a_ledger(tmp_path, make_record):
    (tmp_path / ".gitkeep").write_text("")
    Ledger(tmp_path).publish(make_record())
    assert Ledger(tmp_path).records() == [make_record()]


def test_finished_sees_what_another_driver_published_for_one_key(tmp_path, make_record):
    mine, theirs = Ledger(tmp_path), Ledger(tmp_path)
    record = make_record()
    assert mine.finished(record.key, None) is None
    theirs.publish(record)
    assert mine.finished(record.key, None) == record
