"""A ledger in a bucket, on a real S3 server of this machine's loopback."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import fsspec
import numpy as np
import pytest
from bucket import Bucket, opened
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import known_implementations

from bench.errors import UserError
from bench.execution.pruning import Rung
from bench.execution.shared_rungs import SharedRungs
from bench.ledger import ledger as ledger_module
from bench.ledger import url_store
from bench.ledger.leases import LEASE_SECONDS, Clock, Leases, owner_bytes, this_process
from bench.ledger.ledger import Ledger, MissingEntryError
from bench.ledger.merge import merge_ledgers
from bench.ledger.store import StoredFile, open_store
from bench.ledger.url_store import UrlStore
from bench.ledger.weights_files import list_weights, read_file

CLAIM = """
import json, sys
from bench.ledger.leases import Leases

leases = Leases(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps([key for key in json.loads(sys.argv[2]) if leases.acquire(key)]), flush=True)
sys.stdin.readline()
"""
PUBLISH = """
import json, sys
import numpy as np
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record
from bench.metrics import Predictions

classes, sure = np.zeros(4, np.uint8), np.ones(4, np.float32)
predictions = Predictions(classes, classes, sure, sure, classes)
ledger, record = Ledger(sys.argv[1]), Record.from_json(json.loads(sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(5):
    ledger.publish(record, predictions)
print("done", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def bucket(monkeypatch, tmp_path) -> Iterator[Bucket]:
    made = opened(monkeypatch, tmp_path / "state")
    monkeypatch.setattr(url_store, "RETRY_AFTER_SECONDS", 0.0)
    yield made
    made.go_away()


def together(children):
    """Lets all children begin at the same time; the line that each says at its end."""
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    return [child.stdout.readline() for child in children]


def write_claim(bucket, key, owner, number=0):
    bucket.fs.pipe_file(f"{bucket.name}/results/leases/{key}.{number}", owner_bytes(owner))


@pytest.fixture
def stranger():
    """A driver on another machine."""
    return replace(this_process(), host="another")


@pytest.fixture
def later(monkeypatch):
    """Moves the store's clock on by so many seconds, as this driver sees it."""

    def move(seconds):
        now = Clock.now
        monkeypatch.setattr(Clock, "now", lambda *arguments: now(*arguments) + seconds)

    return move


def test_a_record_and_its_predictions_come_back_from_a_bucket(bucket, make_record, predictions):
    assert Ledger(bucket.url).records() == []
    location = Ledger(bucket.url).publish(make_record(), predictions)
    again = Ledger(bucket.url)
    assert location.startswith(f"{bucket.url}/entries/ab/ab12cd34-")
    assert again.records() == [make_record()]
    np.testing.assert_array_equal(again.predictions("ab12").labels, predictions.labels)
    assert again.finished("ab12cd34", None) == make_record()


@pytest.fixture(params=["folder", "bucket", "memory"])
def stores(request, tmp_path):
    """Two stores of one ledger, as two drivers have them."""
    if request.param == "bucket":
        root = request.getfixturevalue("bucket").url
    else:
        root = tmp_path / "results" if request.param == "folder" else f"memory://{tmp_path.name}"
    return open_store(root), open_store(root)


def test_every_store_does_the_same(stores):
    one, other = stores
    assert (one.check(), one.list("entries"), one.list("rungs/g/3")) == (False, {}, {})
    one.write("entries/ab/file", b"old")
    with pytest.raises(FileExistsError):
        other.write("entries/ab/file", b"new", if_absent=True)
    assert other.read("entries/ab/file") == b"old"
    other.write("leases/file", b"old")
    other.write("leases/file", b"new!")
    assert one.read("leases/file") == b"new!"
    with pytest.raises(OSError, match="larger"):
        one.read("leases/file", max_bytes=3)
    one.write("rungs/g/3/ab12=0.5", b"", if_absent=True)
    one.write("rungs/g/3/ab12=0.5", b"")
    assert {path: file.size for path, file in other.list("rungs").items()} == {"rungs/g/3/ab12=0.5": 0}
    (path, file), (missing, error) = other.read_many([(path, StoredFile(3)) for path in ("entries/ab/file", "no/file")])
    assert (path, file, missing) == ("entries/ab/file", b"old", "no/file")
    assert isinstance(error, FileNotFoundError)
    written = one.list("leases")["leases/file"].modified
    assert written is not None and abs(written - time.time()) < 60
    one.delete("leases/file")
    one.delete("leases/file")
    assert other.list("leases") == {}
    with pytest.raises(FileNotFoundError):
        other.read("leases/file")
    assert other.check() is True


def test_a_file_that_was_written_again_has_another_state(stores):
    one, other = stores
    one.write("entries/ab/file", b"old")
    (before,) = other.list("entries").values()
    time.sleep(1.1)  # a bucket's times are in seconds
    one.write("entries/ab/file", b"new")
    (after,) = other.list("entries").values()
    assert before.state != after.state and before.modified < after.modified


def test_scores_of_pruning_are_lost_with_their_store_and_nothing_else(bucket):
    rungs, rung = SharedRungs(UrlStore(bucket.url)), Rung("group", 3)
    rungs.add(rung, "ab12", 0.5)
    assert SharedRungs(UrlStore(bucket.url)).scores(rung) == [("ab12", 0.5)]
    bucket.go_away()
    rungs.add(rung, "cd34", 1.0)
    assert SharedRungs(rungs.store).scores(rung) is None


def test_an_entry_has_the_same_name_and_bytes_as_on_a_disk(bucket, ledger, make_record, predictions):
    there = Ledger(bucket.url).publish(make_record(), predictions)
    here = ledger.publish(make_record(), predictions)
    assert there.endswith(f"entries/ab/{here.name}")
    assert bucket.fs.cat_file(there) == here.read_bytes()


def test_two_drivers_that_publish_the_same_entry_at_once_leave_one(bucket, make_record, start_child):
    text = json.dumps(make_record().to_json())
    assert together([start_child(PUBLISH, bucket.url, text) for _ in range(2)]) == ["done\n", "done\n"]
    assert len(bucket.paths("entries")) == 1
    assert Ledger(bucket.url).records() == [make_record()]


def test_what_two_drivers_found_of_one_key_is_kept_as_replicates(bucket, make_record, start_child):
    texts = [json.dumps(make_record(minute=minute).to_json()) for minute in (1, 2)]
    assert together([start_child(PUBLISH, bucket.url, text) for text in texts]) == ["done\n", "done\n"]
    again = Ledger(bucket.url)
    assert again.records() == [make_record(minute=1)]
    assert again.replicates("ab12cd34") == [make_record(minute=2)]


def test_a_half_written_upload_is_passed_over_told_and_mended(bucket, make_record, predictions):
    location = Ledger(bucket.url).publish(make_record(), predictions)
    bucket.fs.pipe_file(location, bucket.fs.cat_file(location)[:100])
    again = Ledger(bucket.url)
    assert again.records() == []
    assert again.damaged == [(location, "truncated or changed: the content does not match the digest in the name")]
    again.publish(make_record(), predictions)
    assert Ledger(bucket.url).records() == [make_record()]
    assert Ledger(bucket.url).damaged == []


def test_the_index_is_written_by_who_lacks_it_and_then_read(bucket, make_record, monkeypatch, predictions):
    for number in range(9):
        Ledger(bucket.url).publish(make_record(f"ab{number:02}"), predictions)
    assert "index.jsonl.gz" not in bucket.paths()
    records = Ledger(bucket.url).records()
    assert len(records) == 9
    lines = gzip.decompress(bucket.fs.cat_file(f"{bucket.url}/index.jsonl.gz")).splitlines()
    assert len(lines) == 9
    changed = b"\n".join(lines).replace(b"0.88", b"0.99")
    bucket.fs.pipe_file(f"{bucket.url}/index.jsonl.gz", gzip.compress(changed))
    assert Ledger(bucket.url).records() == records, "one changed digit changes no figure"
    texts = [line.replace(b"0.88", b"0.99").partition(b",")[2] for line in lines]
    signed = [b'{"sha256":"%b",%b' % (hashlib.sha256(text).hexdigest()[:12].encode(), text) for text in texts]
    bucket.fs.pipe_file(f"{bucket.url}/index.jsonl.gz", gzip.compress(b"\n".join(signed)))
    assert Ledger(bucket.url).record("ab00").result.test == {"accuracy": 0.99}, "no entry was opened"


def test_one_changed_bit_is_noticed_although_the_index_knows_the_entry_and_mended_by_merging(
    bucket, make_record, predictions, tmp_path
):
    for number in range(9):
        location = Ledger(bucket.url).publish(make_record(f"ab{number:02}"), predictions)
    merge_ledgers([bucket.url], tmp_path / "whole")
    assert len(Ledger(bucket.url).records()) == 9
    read = Ledger(bucket.url)
    assert len(read.records()) == 9
    data = bytearray(bucket.fs.cat_file(location))
    data[len(data) // 2] ^= 1
    bucket.fs.pipe_file(location, bytes(data))
    with pytest.raises(MissingEntryError, match="truncated or changed"):
        read.predictions("ab08")
    assert len(read.records()) == 8
    again = Ledger(bucket.url)
    assert "ab08" not in again.done(None)
    assert [damaged for damaged, _ in again.damaged] == [location]
    assert merge_ledgers([tmp_path / "whole"], bucket.url).copied == 1
    assert Ledger(bucket.url).damaged == []
    assert Ledger(bucket.url).predictions("ab08").labels.tolist() == [9, 2, 1, 1]


def test_a_damaged_object_is_replaced_by_the_whole_one_of_its_name(bucket, make_record, predictions):
    location = Ledger(bucket.url).publish(make_record(), predictions)
    whole = bucket.fs.cat_file(location)
    bucket.fs.pipe_file(location, whole[:-1] + b"x")
    Ledger(bucket.url).publish(make_record(), predictions)
    assert bucket.fs.cat_file(location) == whole


def test_a_bucket_that_may_be_read_and_not_written_is_told_before_anything_runs(bucket, monkeypatch):
    Ledger(bucket.url).check_writable()
    assert bucket.paths() == []
    url_store.fsspec.get_filesystem_class("s3").clear_instance_cache()

    def refuse(*arguments, **options):
        raise PermissionError("Access Denied")

    monkeypatch.setattr("s3fs.S3FileSystem.pipe_file", refuse)
    with pytest.raises(UserError, match=rf"^{bucket.url}: access was refused: Access Denied"):
        Ledger(bucket.url).check_writable()


@pytest.mark.parametrize(
    "index",
    [None, b"", b"no gzip", gzip.compress(b"no index\n"), gzip.compress(b"{}" * 99)[:-9]],
    ids=["lost", "empty", "no gzip", "no index", "cut short"],
)
def test_an_index_that_is_lost_or_damaged_costs_only_time(bucket, make_record, index, predictions):
    for number in range(9):
        Ledger(bucket.url).publish(make_record(f"ab{number:02}"), predictions)
    if index is not None:
        bucket.fs.pipe_file(f"{bucket.url}/index.jsonl.gz", index)
    assert len(Ledger(bucket.url).records()) == 9
    assert len(gzip.decompress(bucket.fs.cat_file(f"{bucket.url}/index.jsonl.gz")).splitlines()) == 9


def test_refresh_sees_what_came_and_what_was_removed(bucket, make_record, predictions):
    ledger, other = Ledger(bucket.url), Ledger(bucket.url)
    assert ledger.records() == []
    location = other.publish(make_record(), predictions)
    ledger.refresh()
    assert ledger.records() == [make_record()]
    bucket.fs.rm(location)
    ledger.refresh()
    assert ledger.records() == []


def test_a_key_is_claimed_by_one_driver_until_it_is_released(bucket):
    one, other = Leases(bucket.url), Leases(bucket.url)
    assert one.acquire("ab12")
    assert one.acquire("ab12")
    assert not other.acquire("ab12")
    other.release("ab12")
    assert not other.acquire("ab12")
    one.release_all()
    assert bucket.paths("leases") == ["leases/.clock"]
    assert other.acquire("ab12")


def test_two_processes_at_once_claim_each_key_exactly_once(bucket, start_child):
    keys = [f"{number:04x}" for number in range(6)]
    one, other = map(json.loads, together([start_child(CLAIM, bucket.url, json.dumps(keys)) for _ in range(2)]))
    assert sorted(one + other) == keys


def test_two_processes_at_once_take_over_each_dead_claim_exactly_once(bucket, start_child):
    keys = [f"{number:04x}" for number in range(6)]
    for key in keys:
        write_claim(bucket, key, replace(this_process(), started="1"))
    one, other = map(json.loads, together([start_child(CLAIM, bucket.url, json.dumps(keys)) for _ in range(2)]))
    assert sorted(one + other) == keys


def test_a_claim_of_another_machine_ends_by_its_age_only(bucket, stranger, later):
    write_claim(bucket, "ab12", stranger)
    later(LEASE_SECONDS - 30)
    assert not Leases(bucket.url).acquire("ab12")
    later(60)
    assert Leases(bucket.url).acquire("ab12")
    assert bucket.paths("leases") == ["leases/.clock", "leases/ab12.1"]


def test_a_claim_from_the_future_is_free_since_the_clock_was_set_back(bucket, stranger, later):
    write_claim(bucket, "ab12", stranger)
    later(-3600)
    assert Leases(bucket.url).acquire("ab12")


def test_a_driver_that_lost_its_claim_neither_renews_nor_releases_the_new_one(bucket, later):
    slow, quick = Leases(bucket.url), Leases(bucket.url)
    slow.acquire("ab12")
    write_claim(bucket, "ab12", replace(this_process(), host="another"))  # as another machine's
    later(LEASE_SECONDS + 30)
    assert quick.acquire("ab12")
    slow.renew_all()
    slow.release_all()
    assert bucket.paths("leases") == ["leases/.clock", "leases/ab12.1"]


def test_a_half_written_claim_ends_by_its_age(bucket, later):
    bucket.fs.pipe_file(f"{bucket.name}/results/leases/ab12.0", b'{"host": "')
    assert not Leases(bucket.url).acquire("ab12")
    later(LEASE_SECONDS + 30)
    assert Leases(bucket.url).acquire("ab12")


def test_a_server_that_goes_away_costs_no_finished_trial(bucket, make_record, predictions):
    ledger, leases = Ledger(bucket.url), Leases(bucket.url)
    ledger.publish(make_record("aa00"), predictions)
    bucket.go_away()
    assert leases.acquire("bb00")
    kept = ledger.publish(make_record("bb00"), predictions)
    assert Path(kept).is_file()
    assert "cannot be reached" in str(ledger.store_error)
    with pytest.raises(UserError, match=r"1 finished trials are pending in .*(.|\n)*bench merge"):
        ledger.flush_pending()
    with pytest.raises(UserError, match=r"cannot be reached(.|\n)*AWS_ENDPOINT_URL"):
        Ledger(bucket.url)
    bucket.come_back()
    assert Ledger(bucket.url).flush_pending() == 1
    assert [record.key for record in Ledger(bucket.url).records()] == ["aa00", "bb00"]
    assert Ledger(bucket.url).pending() == 0


def test_what_was_kept_goes_with_the_next_trial_that_gets_through(bucket, make_record, predictions):
    ledger = Ledger(bucket.url)
    bucket.go_away()
    ledger.publish(make_record("aa00"), predictions)
    bucket.come_back()
    ledger.publish(make_record("bb00"), predictions)
    assert ledger.store_error is None
    assert [record.key for record in Ledger(bucket.url).records()] == ["aa00", "bb00"]


def test_what_another_driver_adds_while_pending_entries_are_sent_stays(bucket, make_record, predictions, monkeypatch):
    one, other = Ledger(bucket.url), Ledger(bucket.url)
    bucket.go_away()
    one.publish(make_record("aa00"), predictions)
    merged = ledger_module.merge_ledgers

    def merge_late(sources, into):
        summary = merged(sources, into)
        bucket.go_away()
        other.publish(make_record("bb00"), predictions)
        bucket.come_back()
        return summary

    bucket.come_back()
    monkeypatch.setattr(ledger_module, "merge_ledgers", merge_late)
    assert one.flush_pending() == 1
    monkeypatch.setattr(ledger_module, "merge_ledgers", merged)
    assert one.flush_pending() == 1
    assert [record.key for record in Ledger(bucket.url).records()] == ["aa00", "bb00"]


def test_what_is_replaced_while_a_server_is_away_is_removed_when_it_is_back(bucket, make_record, predictions):
    ledger = Ledger(bucket.url)
    ledger.publish(make_record(minute=1), predictions, weights=b"old")
    assert ledger.records() == [make_record(minute=1)]
    bucket.go_away()
    ledger.publish(make_record(minute=2), predictions, weights=b"new", replaces=True)
    bucket.come_back()
    assert Ledger(bucket.url).records() == [make_record(minute=1)]
    assert ledger.flush_pending() == 1
    again = Ledger(bucket.url)
    assert again.records() == ledger.records() == [make_record(minute=2)]
    assert again.replicates("ab12cd34") == []
    (weights,) = list_weights(again.store)
    assert read_file(again.store, weights) == b"new"


def test_ledgers_merge_between_a_folder_and_a_bucket(bucket, ledger, make_record, predictions):
    ledger.publish(make_record("aa00", minute=1), predictions)
    Ledger(bucket.url).publish(make_record("aa00", minute=2), predictions)
    Ledger(bucket.url).publish(make_record("bb00"), predictions)
    assert merge_ledgers([ledger.root], bucket.url).copied == 1
    assert merge_ledgers([bucket.url], ledger.root).copied == 2
    assert merge_ledgers([bucket.url], ledger.root).copied == 0
    here, there = Ledger(ledger.root), Ledger(bucket.url)
    assert here.records() == there.records()
    assert here.replicates("aa00") == there.replicates("aa00") == [make_record("aa00", minute=2)]


def test_a_bucket_that_is_not_there_is_told(bucket):
    with pytest.raises(UserError, match=r"^s3://bench-nowhere/results: there is no such bucket; make it first"):
        Ledger("s3://bench-nowhere/results")


def test_missing_credentials_are_told(bucket, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    url_store.fsspec.get_filesystem_class("s3").clear_instance_cache()
    with pytest.raises(UserError, match="access was refused: Unable to locate credentials\n  for S3: log in, or set"):
        Ledger(bucket.url)


def test_a_reader_who_may_not_write_reads(bucket, make_record, monkeypatch, predictions):
    for number in range(9):
        Ledger(bucket.url).publish(make_record(f"ab{number:02}"), predictions)

    def refuse(*arguments, **options):
        raise PermissionError("Access Denied")

    monkeypatch.setattr("s3fs.S3FileSystem.pipe_file", refuse)
    monkeypatch.setattr(url_store, "RETRY_AFTER_SECONDS", 30.0)
    ledger = Ledger(bucket.url)
    assert len(ledger.records()) == 9
    ledger.refresh()
    assert ledger.damaged == []


@pytest.mark.parametrize("answers", [(OSError(errno.ENOSYS, ""), None), (OSError(errno.EBUSY, "conflict"), None)])
def test_a_server_that_knows_no_condition_or_asks_for_another_try_gets_the_entry(
    bucket, make_record, monkeypatch, answers, predictions
):
    put, left = url_store.fsspec.get_filesystem_class("s3").pipe_file, list(answers)

    def answer(fs, path, data, **options):
        if left and (error := left.pop(0)):
            raise error
        return put(fs, path, data, **options)

    monkeypatch.setattr("s3fs.S3FileSystem.pipe_file", answer)
    Ledger(bucket.url).publish(make_record(), predictions)
    assert Ledger(bucket.url).records() == [make_record()]


def test_a_place_of_other_things_is_no_ledger(bucket):
    bucket.fs.pipe_file(f"{bucket.name}/results/thesis.tex", b"")
    with pytest.raises(UserError, match=r"not a ledger: .* holds thesis\.tex"):
        Ledger(bucket.url)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s4://bucket/results", "unknown protocol 's4'; write it like s3://BUCKET/PATH, or name a folder"),
        ("s3://", "names no location; write it like s3://BUCKET/PATH"),
        ("gs://bucket/results", "the library for gs:// is not installed: "),
    ],
)
def test_a_url_that_cannot_be_a_ledger_is_told(url, told):
    with pytest.raises(UserError, match=f"^{url}: {told}"):
        Ledger(url)


def test_without_the_library_for_s3_the_message_says_how_to_get_it():
    code = (
        "import sys; sys.modules['s3fs'] = None\n"
        "from bench.ledger.ledger import Ledger\n"
        "try: Ledger('s3://bucket/results')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "UserError s3://bucket/results: the library for s3:// is not installed: pip install 'benchgrid[s3]'" in said


def test_any_other_file_system_of_fsspec_will_do(make_record, predictions):
    """Memory's has no conditional put of its own; fsspec looks whether the file is there."""
    ledger = Ledger("memory://results")
    ledger.publish(make_record(), predictions)
    leases = Leases("memory://results")
    assert leases.acquire("ab12")
    assert not Leases("memory://results").acquire("ab12")
    leases.release_all()
    assert Ledger("memory://results").records() == [make_record()]


class FoldersFileSystem(MemoryFileSystem):
    """As SFTP's: a file needs its folder, and `ls` takes no further options."""

    protocol = "folders"
    store: ClassVar = {}
    pseudo_dirs: ClassVar = [""]

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.replace("folders://", "memory://"))

    def pipe_file(self, path, value, mode="overwrite", **options):
        if not self.isdir(self._parent(path)):
            raise FileNotFoundError(path)
        return super().pipe_file(path, value, mode, **options)

    def ls(self, path, detail=True):
        return super().ls(path, detail)


def test_a_file_system_with_folders_gets_those_that_it_lacks(monkeypatch, tmp_path, make_record, predictions):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setitem(known_implementations, "folders", {})
    fsspec.register_implementation("folders", FoldersFileSystem, clobber=True)
    ledger = Ledger("folders://my-bucket/results")
    ledger.check_writable()
    assert ledger.store.list("rungs/g/3") == {}
    ledger.store.write("rungs/g/3/ab12=0.5", b"")
    assert list(ledger.store.list("rungs/g/3")) == ["rungs/g/3/ab12=0.5"]
    leases = Leases("folders://my-bucket/results")
    assert leases.acquire("ab12")
    ledger.publish(make_record(), predictions)
    assert (ledger.store_error, ledger.pending()) == (None, 0)
    assert Ledger("folders://my-bucket/results").records() == [make_record()]
    with pytest.raises(FileNotFoundError):  # and not that there is no such bucket
        ledger.store.read("entries/ab/ab12cd34-0123456789ab.npz")


def test_a_run_that_was_stopped_after_its_first_rung_leaves_a_ledger(make_record, predictions):
    """In a bucket no folder remains of its leases."""
    UrlStore("memory://stopped").write("rungs/g/3/ab12=0.5", b"")
    assert Ledger("memory://stopped").records() == []


def test_a_path_that_went_through_pathlib_still_means_the_bucket(bucket, make_record, predictions):
    Ledger(bucket.url).publish(make_record(), predictions)
    assert Ledger(Path(bucket.url)).records() == [make_record()]
