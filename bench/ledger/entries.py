"""One trial as one file: a zip of ``record.json`` and, where the trial was tested, an ``.npy`` per prediction array.

Where there is a validation part that the tested network did not train on, ``validation_probabilities.npy`` has its
class probabilities, for calibration afterwards, and ``validation_labels.npy`` its labels.

The file is named ``<key>-<first 12 hex digits of its SHA-256>.npz``, so a damaged file is detected,
and ledgers merge by copying. Equal content gives equal bytes (on one version of zlib; a difference
would only make a second entry of the same trial). ``unzip`` and ``numpy.load`` read it; nothing is ever pickled.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import re
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib import format as npy

from bench.errors import escaped
from bench.ledger.record import Record
from bench.metrics import PREDICTION_COLUMNS, LabelledProbabilities, PredictedClasses, Predictions

_KEY = re.compile(r"[0-9a-f]{2,128}")
_NAME = re.compile(r"([0-9a-f]{2,128})-([0-9a-f]{12})\.npz")
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold; with the actual time equal content would differ."""

MAX_ENTRY_BYTES = 2**28
"""Largest size of an entry, and of an unpacked member of one.

A record of 100,000 epochs, or the probabilities of 100,000 images and 100 classes, has far less.
"""


PROBABILITIES = "probabilities"
VALIDATION_LABELS, VALIDATION_PROBABILITIES = "validation_labels", "validation_probabilities"
MAX_PROBABILITY = 1 + 1e-3
"""Rounding in half precision may lead to probabilities above 1, but not above this."""


class DamagedEntryError(Exception):
    """A file that is named as an entry and is not a valid one; the message is the reason."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A record and the name of the file that holds it."""

    name: str
    record: Record


def check_key(key: str) -> str:
    """The key itself; ValueError where it could not be part of a file name."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"a key is 2 to 128 lower-case hexadecimal digits, not {key!r}")
    return key


def too_large() -> OSError:
    """Why a file of more than `MAX_ENTRY_BYTES` is not read."""
    return OSError(errno.EFBIG, f"larger than an entry can be, {MAX_ENTRY_BYTES:,} bytes")


def is_entry_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def folder_of(name: str) -> str:
    """The folder within ``entries`` for an entry's name (or a key)."""
    return name[:2]


def encode(
    record: Record, predictions: Predictions | None = None, validation: LabelledProbabilities | None = None
) -> tuple[str, bytes]:
    """The name and the bytes of the entry for a trial; `validation` are the validation part's probabilities.

    Raises ValueError or TypeError where the record has values that JSON cannot represent (NaN, infinity, arrays), or
    that `decode` would reject.
    """
    check_key(record.key)
    try:
        text = json.dumps(record.to_json(), sort_keys=True, allow_nan=False)
    except ValueError as error:
        raise ValueError(f"record {record.key}: {error}; a value that is not finite is stored as None") from error
    try:
        checked = Record.from_json(parse_json(text))
        _check_predictions(checked, predictions)
        _check_validation(checked, validation)
    except (ValueError, DamagedEntryError) as error:
        raise ValueError(f"record {record.key}: {error}") from error
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zip_member("record.json"), text.encode())
        if predictions:
            for name in PREDICTION_COLUMNS:
                archive.writestr(zip_member(f"{name}.npy"), _npy(getattr(predictions, name)))
            if predictions.probabilities is not None:
                _write_probabilities(archive, PROBABILITIES, predictions.probabilities)
        if validation:
            archive.writestr(zip_member(f"{VALIDATION_LABELS}.npy"), _npy(validation.labels))
            _write_probabilities(archive, VALIDATION_PROBABILITIES, validation.probabilities)
    data = buffer.getvalue()
    return f"{record.key}-{digest(data)}.npz", data


def _write_probabilities(archive: zipfile.ZipFile, name: str, values: np.ndarray[Any, Any]) -> None:
    # Compression would save a fifth and take some 10 ms.
    archive.writestr(zip_member(f"{name}.npy"), _npy(values.astype(np.float16, copy=False)), zipfile.ZIP_STORED)


def decode(name: str, data: bytes) -> Record:
    """The record in an entry's bytes, which hold the predictions that belong to it.

    DamagedEntryError where the bytes do not match the digest in the name, or are not a valid entry.
    """
    with _open_archive(name, data) as archive:
        record = _record(archive)
        predictions, validation = _predictions(archive), _validation(archive)
    if record.key != name.partition("-")[0]:
        raise DamagedEntryError(f"holds the record of another key, {record.key}")
    _check_predictions(record, predictions)
    _check_validation(record, validation)
    return record


def decode_predictions(entry: LedgerEntry, data: bytes) -> Predictions | None:
    """The predictions in an entry's bytes, None where there are none; DamagedEntryError as in `decode`."""
    with _open_archive(entry.name, data) as archive:
        predictions = _predictions(archive)
    _check_predictions(entry.record, predictions)
    return predictions


def decode_classes(entry: LedgerEntry, data: bytes) -> PredictedClasses | None:
    """As `decode_predictions`, of labels and predicted classes alone, in a third of its time."""
    with _open_archive(entry.name, data) as archive:
        if not _has_predictions(archive):
            return None
        try:
            return PredictedClasses(_array(archive, "labels"), _array(archive, "predicted"))
        except Exception as error:  # whatever zipfile and numpy make of such bytes
            raise DamagedEntryError(_reason(error)) from error


def decode_validation(stored: LedgerEntry, data: bytes) -> LabelledProbabilities | None:
    """The validation part's probabilities in an entry's bytes, None where there are none; errors as in `decode`."""
    with _open_archive(stored.name, data) as archive:
        validation = _validation(archive)
    _check_validation(stored.record, validation)
    return validation


def check_digest(name: str, data: bytes) -> None:
    """DamagedEntryError where the bytes do not match the digest in the name; takes a hundredth of `decode`'s time."""
    if digest(data) != name.removesuffix(".npz").rpartition("-")[2]:
        raise DamagedEntryError("truncated or changed: the content does not match the digest in the name")


def digest(data: bytes | memoryview) -> str:
    """The first 12 hex digits of the SHA-256."""
    return hashlib.sha256(data).hexdigest()[:12]


def parse_json(text: str | bytes) -> Any:
    """JSON as records are written; ValueError (RecursionError where it is nested deeply) for anything else."""
    return _DECODER.decode(text if isinstance(text, str) else text.decode())


def _record(archive: zipfile.ZipFile) -> Record:
    try:
        return Record.from_json(parse_json(_read_member(archive, "record.json")))
    except Exception as error:  # whatever zipfile and json make of such bytes
        raise DamagedEntryError(_reason(error)) from error


def _has_predictions(archive: zipfile.ZipFile) -> bool:
    return f"{PREDICTION_COLUMNS[0]}.npy" in archive.namelist()


def _predictions(archive: zipfile.ZipFile) -> Predictions | None:
    if not _has_predictions(archive):
        return None
    try:
        arrays = {name: _array(archive, name) for name in PREDICTION_COLUMNS}
        if f"{PROBABILITIES}.npy" in archive.namelist():
            arrays[PROBABILITIES] = _array(archive, PROBABILITIES)
        return Predictions(**arrays)
    except Exception as error:  # whatever zipfile and numpy make of such bytes
        raise DamagedEntryError(_reason(error)) from error


def _validation(archive: zipfile.ZipFile) -> LabelledProbabilities | None:
    if f"{VALIDATION_LABELS}.npy" not in archive.namelist():
        return None
    try:
        return LabelledProbabilities(
            labels=_array(archive, VALIDATION_LABELS), probabilities=_array(archive, VALIDATION_PROBABILITIES)
        )
    except Exception as error:  # whatever zipfile and numpy make of such bytes
        raise DamagedEntryError(_reason(error)) from error


def _check_validation(record: Record, validation: LabelledProbabilities | None) -> None:
    """DamagedEntryError where the validation part's probabilities do not fit the record."""
    if validation is not None:
        _check_classes(record, validation.probabilities, int(validation.labels.max()))
        _check_range(validation.probabilities)


def _check_predictions(record: Record, predictions: Predictions | None) -> None:
    """DamagedEntryError where the predictions do not fit the record."""
    if predictions is None:
        if record.status == "complete":
            raise DamagedEntryError("holds a complete trial and no predictions")
        return
    if not len(predictions.labels):
        raise DamagedEntryError("holds predictions of no image")
    highest = max(int(predictions.labels.max()), int(predictions.predicted.max()))
    if record.result.classes and highest >= len(record.result.classes):
        classes = len(record.result.classes)
        raise DamagedEntryError(f"holds predictions of class {highest}, and names {classes} classes")
    for name in ("confidence", "true_class_probability"):
        values = getattr(predictions, name)
        if not ((values >= 0) & (values <= MAX_PROBABILITY) | np.isnan(values)).all():
            raise DamagedEntryError(f"holds a {name} that is no probability")
    if predictions.probabilities is not None:
        _check_classes(record, predictions.probabilities, highest)
        _check_range(predictions.probabilities)


def _check_classes(record: Record, probabilities: np.ndarray[Any, Any], highest: int) -> None:
    n_classes = probabilities.shape[1]
    if n_classes <= highest or (record.result.classes and n_classes != len(record.result.classes)):
        raise DamagedEntryError(f"holds probabilities of {n_classes} classes, and the trial has another number")


def _check_range(probabilities: np.ndarray[Any, Any]) -> None:
    # The bit patterns of nonnegative numbers are in their order; a sign, an infinity or nan lies above.
    patterns = np.ascontiguousarray(probabilities, np.float16).view(np.uint16)
    if patterns.max() > np.float16(MAX_PROBABILITY).view(np.uint16):
        raise DamagedEntryError("holds probabilities outside of [0, 1]")


def _open_archive(name: str, data: bytes) -> zipfile.ZipFile:
    check_digest(name, data)
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except Exception as error:  # whatever zipfile, json and numpy make of such bytes
        raise DamagedEntryError(_reason(error)) from error


def _read_member(archive: zipfile.ZipFile, member: str) -> bytes:
    """A member's bytes; ValueError where it would unpack to more than `MAX_ENTRY_BYTES`."""
    if archive.getinfo(member).file_size > MAX_ENTRY_BYTES:
        raise ValueError(f"{member} would unpack to {archive.getinfo(member).file_size:,} bytes")
    return archive.read(member)


def _reject_constant(constant: str) -> None:
    raise ValueError(f"record.json holds {constant}, which JSON has no form for")


_DECODER = json.JSONDecoder(parse_constant=_reject_constant)


def _reason(error: Exception) -> str:
    return escaped(str(error)) or type(error).__name__


def zip_member(name: str) -> zipfile.ZipInfo:
    """A member of a zip whose bytes depend on its name and content alone."""
    info = zipfile.ZipInfo(name, date_time=_EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3  # Unix, on every platform
    info.external_attr = 0o644 << 16
    return info


def _npy(array: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    little_endian = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    npy.write_array(buffer, little_endian, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray[Any, Any]:
    array: np.ndarray[Any, Any] = npy.read_array(io.BytesIO(_read_member(archive, f"{name}.npy")), allow_pickle=False)
    return array
