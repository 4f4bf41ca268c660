"""Whatever stands in a ledger's files, what is whole is read, the rest is told, and no exception gets out.

`BENCH_FUZZ=100 pytest tests/ledger/test_fuzz.py` looks longer.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from fuzzing import TIMES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.ledger.entries import DamagedEntryError, LedgerEntry, decode, decode_predictions, encode
from bench.ledger.leases import Leases, owner_bytes, this_process
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record, Result, RunInfo
from bench.metrics import Predictions
from bench.report.record_text import record_text

TRIES = settings(max_examples=100 * TIMES, suppress_health_check=[HealthCheck.too_slow], deadline=None)
KEY = "ab12cd34"
GOOD = Record(
    KEY,
    {"dataset": {"name": "fashion_mnist"}, "model": {"name": "mlp"}, "epochs": 3},
    0,
    "complete",
    Result({"val_accuracy": [0.8, None, 0.9]}, 3, 3, test={"accuracy": 0.9}, classes=["a", "b"]),
    RunInfo(parameters=10, versions={"torch": "2"}, finished="2025-03-01T12:00:00+00:00"),
    pruning={"rule": {"grace_period": 1}},
)
NUMBERS, CHANCES = np.array([1, 0, 1], np.uint8), np.array([0.5, 0.6, 0.7], np.float32)
PREDICTIONS = Predictions(NUMBERS, NUMBERS, CHANCES, CHANCES, NUMBERS)
NAME, DATA = encode(GOOD, PREDICTIONS)
with zipfile.ZipFile(io.BytesIO(DATA)) as archive:
    MEMBERS = {name: archive.read(name) for name in archive.namelist()}

changes = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 20), st.binary(max_size=8)), min_size=1, max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
places = st.sampled_from(
    [(name,) for name in GOOD.to_json()]
    + [("result", name) for name in GOOD.to_json()["result"]]
    + [("run_info", name) for name in GOOD.to_json()["run_info"]]
    + [("result", "curves", "val_accuracy"), ("result", "test", "accuracy"), ("run_info", "versions", "torch")]
)


def changed(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for at, length, new in edits:
        at %= len(data) + 1
        data = data[:at] + new + data[at + length :]
    return data


def named(data: bytes) -> str:
    """The name that fits the bytes, as somebody who means harm would give it."""
    return f"{KEY}-{hashlib.sha256(data).hexdigest()[:12]}.npz"


def packed(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, data in members.items():
            made.writestr(name, data)
    return buffer.getvalue()


def read(data: bytes) -> Record | None:
    """What an entry of these bytes gives; a DamagedEntryError is the one exception that may come."""
    name = named(data)
    try:
        record = decode(name, data)
    except DamagedEntryError as error:
        assert str(error)
        return None
    predictions = decode_predictions(LedgerEntry(name, record), data)
    assert predictions is None or all(array is None or array.dtype != object for array in vars(predictions).values())
    return record


@given(changes)
@TRIES
def test_bytes_changed_after_writing_are_found(edits: list[tuple[int, int, bytes]]) -> None:
    data = changed(DATA, edits)
    try:
        assert decode(NAME, data) == GOOD
        assert data == DATA
    except DamagedEntryError:
        assert data != DATA


@given(changes)
@TRIES
def test_any_bytes_under_a_fitting_name(edits: list[tuple[int, int, bytes]]) -> None:
    read(changed(DATA, edits))


@given(st.sampled_from(sorted(MEMBERS)), changes)
@TRIES
def test_any_bytes_within_the_zip(member: str, edits: list[tuple[int, int, bytes]]) -> None:
    read(packed({**MEMBERS, member: changed(MEMBERS[member], edits)}))


@given(st.lists(st.tuples(places, values), min_size=1, max_size=3))
@TRIES
def test_a_record_with_any_values_is_refused_or_can_be_shown(edits: list[tuple[tuple[str, ...], Any]]) -> None:
    data = deepcopy(GOOD.to_json())
    for (*path, last), value in edits:
        inner = data
        for part in path:
            inner = inner.get(part) if isinstance(inner, dict) else None
        if isinstance(inner, dict):
            inner[last] = value
    record = read(packed({**MEMBERS, "record.json": json.dumps(data).encode()}))
    if record is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder))
        ledger.publish(record, PREDICTIONS)
        again = Ledger(Path(folder))
        assert again.records() == ledger.records()
        assert set(again.done(None)) <= {record.key}
        record_text(again.records()[0], 0)


@given(changes, st.booleans())
@TRIES
def test_any_index_gives_the_same_records(edits: list[tuple[int, int, bytes]], cut: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Ledger(Path(folder)).publish(GOOD, PREDICTIONS)
        index = Path(folder, "index.jsonl")
        index.write_bytes(changed(index.read_bytes(), [(at, 20 * cut, new) for at, _, new in edits]))
        assert Ledger(Path(folder)).records() == [GOOD]


@given(st.binary(max_size=60) | changes.map(lambda edits: changed(owner_bytes(this_process()), edits)))
@TRIES
def test_any_claim_is_taken_or_waited_for(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        claim = Path(folder, "leases", f"{KEY}.0")
        claim.parent.mkdir()
        claim.write_bytes(data)
        leases = Leases(Path(folder))
        assert leases.acquire(KEY) in (True, False)
        leases.renew_all()
        leases.release_all()
