"""Killed drivers, full disks: every finished publish stays, and nothing half-written is seen."""

from __future__ import annotations

import json
import os
import random
import time

import pytest

from bench.errors import UserError
from bench.ledger.ledger import Ledger

PUBLISH = """
import json, sys
from dataclasses import replace
from itertools import count
from pathlib import Path
import numpy as np
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record
from bench.metrics import Predictions

root, text, first = sys.argv[1:]
record = Record.from_json(json.loads(text))
numbers = np.arange(2000, dtype=np.uint16)
chances = np.linspace(0, 1, 2000, dtype=np.float32)
predictions = Predictions(numbers, numbers, chances, chances, numbers)
ledger = Ledger(Path(root))
for number in count(int(first)):
    key = f"{number:08x}"[::-1]
    ledger.publish(replace(record, key=key), predictions)
    print(key, flush=True)
"""

FULL_DISK = """
import json, resource, signal, sys
from pathlib import Path
import numpy as np
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record
from bench.metrics import Predictions
from bench.errors import UserError

root, text = sys.argv[1:3]
record = Record.from_json(json.loads(text))
noise = np.random.default_rng(0).random(10_000, dtype=np.float32)
numbers = np.zeros(10_000, np.uint8)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    if sys.argv[3:]:
        Ledger(Path(root)).check_writable()
    Ledger(Path(root)).publish(record, Predictions(numbers, numbers, noise, noise, numbers))
except UserError as error:
    print(error)
"""


def test_kill_9_at_any_moment_loses_no_finished_publish(ledger, make_record, start_child):
    text = json.dumps(make_record().to_json())
    moments = random.Random(0)
    finished: set[str] = set()
    for attempt in range(20):
        child = start_child(PUBLISH, ledger.root, text, attempt << 16)
        first = child.stdout.readline()
        time.sleep(moments.uniform(0, 0.03))
        child.kill()
        rest, _ = child.communicate()
        finished |= {line.strip() for line in (first + rest).splitlines(keepends=True) if line.endswith("\n")}

        after = Ledger(ledger.root)
        assert finished <= {record.key for record in after.records()}
        assert after.damaged == []
    assert len(finished) >= 20
    for record in after.records():
        assert after.predictions(record.key).labels.shape == (2000,)


def test_a_full_disk_is_one_clear_error_and_leaves_nothing_behind(ledger, make_record, start_child, predictions):
    ledger.publish(make_record("aa00"), predictions)
    child = start_child(FULL_DISK, ledger.root, json.dumps(make_record("bb00").to_json()))
    said, _ = child.communicate()
    assert child.returncode == 0
    assert f"cannot write {ledger.root}/entries/bb/bb00-" in said
    assert "File too large" in said
    assert list((ledger.root / "tmp").iterdir()) == []
    again = Ledger(ledger.root)
    assert [record.key for record in again.records()] == ["aa00"]
    assert again.damaged == []


def test_a_full_disk_is_told_before_anything_runs(ledger, make_record, start_child):
    said, _ = start_child(FULL_DISK, ledger.root, json.dumps(make_record().to_json()), "check first").communicate()
    assert f"cannot write {ledger.root}/entries: File too large" in said
    assert not ledger.root.exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path, make_record, predictions):
    (tmp_path / "entries").write_text("a file where a folder should be")
    with pytest.raises(UserError, match=rf"cannot write {tmp_path}/entries/ab/ab12cd34-\w+\.npz: .*\n  Look at"):
        Ledger(tmp_path).publish(make_record(), predictions)


def test_strays_of_dead_writers_are_swept_after_a_day(ledger, make_record, predictions):
    old, young = (ledger.root / "tmp" / name for name in ("old", "young"))
    old.parent.mkdir(parents=True)
    for path, hours in ((old, 25), (young, 1)):
        path.write_text("half")
        os.utime(path, (time.time() - hours * 3600,) * 2)
    ledger.publish(make_record(), predictions)
    assert not old.exists()
    assert young.exists()


def test_reading_changes_nothing_in_a_folder(ledger, make_record, predictions):
    ledger.publish(make_record(), predictions)
    before = {path: path.stat().st_mtime_ns for path in ledger.root.rglob("*")}
    Ledger(ledger.root).records()
    assert {path: path.stat().st_mtime_ns for path in ledger.root.rglob("*")} == before
