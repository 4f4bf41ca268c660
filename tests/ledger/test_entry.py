"""One trial as one file."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from bench.ledger.entries import DamagedEntryError, LedgerEntry, decode, decode_classes, decode_predictions, encode
from bench.ledger.record import Result

FIELDS = {
    "labels": np.uint8,
    "predicted": np.uint8,
    "confidence": np.float32,
    "true_class_probability": np.float32,
    "true_rank": np.uint8,
}


def zipped(members, key="ab12cd34"):
    """An entry with other content, under the name that fits its bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    data = buffer.getvalue()
    return f"{key}-{hashlib.sha256(data).hexdigest()[:12]}.npz", data


def test_a_record_and_its_predictions_come_back_as_they_were(make_record, predictions):
    name, data = encode(make_record(), predictions)
    assert decode(name, data) == make_record()
    found = decode_predictions(LedgerEntry(name, make_record()), data)
    assert found is not None
    for field, array in vars(predictions).items():
        assert getattr(found, field).dtype == array.dtype
        np.testing.assert_array_equal(getattr(found, field), array)
    classes = decode_classes(LedgerEntry(name, make_record()), data)
    assert classes is not None
    np.testing.assert_array_equal(classes.labels, predictions.labels)
    np.testing.assert_array_equal(classes.predicted, predictions.predicted)
    changed = data[:-1] + bytes([data[-1] ^ 1])
    with pytest.raises(DamagedEntryError, match="truncated or changed"):
        decode_classes(LedgerEntry(name, make_record()), changed)


def test_a_trial_that_was_not_tested_has_no_predictions(make_record):
    record = make_record(status="failed")
    name, data = encode(record)
    assert decode_predictions(LedgerEntry(name, record), data) is None
    assert decode_classes(LedgerEntry(name, record), data) is None


def test_equal_content_gives_equal_bytes(make_record, predictions):
    record = make_record()
    reordered = replace(record, config=dict(reversed(record.config.items())))
    assert encode(record, predictions) == encode(reordered, predictions)
    assert encode(record, predictions) != encode(make_record(accuracy=0.9), predictions)


def test_the_time_of_writing_is_not_part_of_the_file(make_record, predictions):
    _, data = encode(make_record(), predictions)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_file_is_read_by_numpy_and_by_unzip(make_record, predictions, tmp_path):
    name, data = encode(make_record(), predictions)
    (tmp_path / name).write_bytes(data)
    with np.load(tmp_path / name, allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["predicted"], predictions.predicted)
        assert json.loads(arrays["record.json"])["key"] == "ab12cd34"
    with zipfile.ZipFile(tmp_path / name) as archive:
        assert archive.testzip() is None


def test_the_order_of_bytes_in_memory_does_not_matter(make_record, predictions):
    swapped = replace(predictions, confidence=predictions.confidence.astype(">f4"))
    assert encode(make_record(), swapped) == encode(make_record(), predictions)


@pytest.mark.parametrize("damage", [lambda d: d[:-1], lambda d: d[: len(d) // 2], lambda d: d[:0], lambda d: d + b"\0"])
def test_a_file_of_another_length_is_damaged(make_record, predictions, damage):
    name, data = encode(make_record(), predictions)
    with pytest.raises(DamagedEntryError, match="truncated or changed"):
        decode(name, damage(data))


def test_one_changed_bit_is_found(make_record, predictions):
    name, data = encode(make_record(), predictions)
    changed = bytearray(data)
    changed[len(data) // 2] ^= 1
    with pytest.raises(DamagedEntryError, match="truncated or changed"):
        decode_predictions(LedgerEntry(name, make_record()), bytes(changed))


def test_an_entry_under_another_key_is_damaged(make_record, predictions):
    name, data = encode(make_record(key="ab12cd34"), predictions)
    with pytest.raises(DamagedEntryError, match="another key, ab12cd34"):
        decode(name.replace("ab12", "cd12"), data)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"schema": 99}', "schema 99"),
        (b"\xff\xfe", "decode"),
        (b"{", "Expecting"),
        (b'{"schema": NaN}', "NaN"),
        (b"[" * 100_000, "recursion|depth|overflow"),
    ],
)
def test_a_whole_file_that_holds_no_record_is_damaged(content, reason):
    with pytest.raises(DamagedEntryError, match=reason):
        decode(*zipped({"record.json": content}))


def test_a_zip_without_a_record_is_damaged():
    with pytest.raises(DamagedEntryError, match=r"record\.json"):
        decode(*zipped({"other": b""}))


def test_pickled_predictions_are_never_loaded(make_record, predictions):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.array([{}], dtype=object))
    text = json.dumps(make_record().to_json())
    with pytest.raises(DamagedEntryError, match="allow_pickle"):
        decode(*zipped({"record.json": text, "labels.npy": buffer.getvalue()}))


def test_a_value_that_is_not_finite_is_refused_with_the_reason(make_record, predictions):
    record = replace(make_record(), result=Result({"train_loss": [float("nan")]}, 1))
    with pytest.raises(ValueError, match="not finite is stored as None"):
        encode(record, predictions)


def test_a_text_that_a_terminal_obeys_is_refused_when_written_and_when_read(make_record):
    for text in (b"caf\xe9".decode(errors="surrogateescape"), "\x1b[2J", "a\u202eb", "\uffff"):
        record = replace(make_record(status="failed"), failure={"message": text})
        with pytest.raises(ValueError, match="control character"):
            encode(record)
        with pytest.raises(DamagedEntryError, match="control character"):
            decode(*zipped({"record.json": json.dumps(record.to_json())}))


def array(values, dtype):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(values, dtype), allow_pickle=False)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"labels.npy": b"\x93NUMPY no header"}, "."),
        ({"labels.npy": array([[1]], np.uint8)}, "one length"),
        (
            {f"{name}.npy": array([], dtype) for name, dtype in FIELDS.items()} | {"probabilities.npy": None},
            "predictions of no image",
        ),
        ({"predicted.npy": array([9, 2, 1, 10], np.uint8)}, "class 10, and names 10 classes"),
        ({"confidence.npy": array([0.9, 0.8, 7, 0.6], np.float32)}, "confidence that is no probability"),
        ({"true_class_probability.npy": array([0.9, 0.8, -np.inf, 0.6], np.float32)}, "that is no probability"),
        ({"true_rank.npy": None}, "true_rank"),
        (
            {"probabilities.npy": array([[0.5] * 10] * 3, np.float16)},
            "expected floating numbers of shape \\(4, classes\\)",
        ),
        ({"probabilities.npy": array([[0.5] * 9] * 4, np.float16)}, "probabilities of 9 classes"),
        ({"probabilities.npy": array([[-0.5] + [0.5] * 9] * 4, np.float16)}, "outside of \\[0, 1\\]"),
        ({"probabilities.npy": array([[np.nan] + [0.5] * 9] * 4, np.float16)}, "outside of \\[0, 1\\]"),
        (dict.fromkeys((f"{name}.npy" for name in FIELDS), None), "complete trial and no predictions"),
    ],
)
def test_predictions_that_the_trial_could_not_leave_make_the_whole_entry_damaged(
    make_record, predictions, change, reason
):
    record = make_record()
    record = replace(record, result=replace(record.result, classes=list("abcdefghij")))
    _, data = encode(record, predictions)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()} | change
    name, data = zipped({name: data for name, data in members.items() if data is not None})
    with pytest.raises(DamagedEntryError, match=reason):
        decode(name, data)


@pytest.mark.parametrize("key", ["", "../../etc", "AB12", "ab/12"])
def test_a_key_that_is_no_file_name_is_refused(make_record, predictions, key):
    with pytest.raises(ValueError, match="hexadecimal"):
        encode(make_record(key=key), predictions)


def test_a_complete_trial_without_predictions_is_refused(make_record):
    with pytest.raises(ValueError, match="complete trial and no predictions"):
        encode(make_record())
