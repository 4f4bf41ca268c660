"""Data sets that are arrays in this process, as `bench.Dataset.from_arrays` takes them.

A configuration names them by a title and the beginning of their checksum; the arrays themselves are here only.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.components.datasets import IN_MEMORY
from bench.data import npz
from bench.errors import UserError
from bench.jsonutil import JsonObject

if TYPE_CHECKING:
    from bench.data.dataset import Dataset

DIGITS = 12
"""Of the checksum, in a configuration; all of it is in the key."""

_TITLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_datasets: dict[str, Dataset] = {}
"""By the beginning of the checksum."""


def checked(arrays: Mapping[str, Any], classes: Sequence[str] | None, title: str) -> npz.SourceArrays:
    """The fields of a `Dataset` except its name; errors as in `bench.Dataset.from_arrays`."""
    what = "Dataset.from_arrays"
    if not isinstance(title, str) or not _TITLE.fullmatch(title):
        raise UserError(f"{what}: name is {title!r}; allowed are 1 to 64 letters, digits, '_', '-' and '.'")
    copies = {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in arrays.items()}
    fields = npz.from_arrays(what, {**copies, **({} if classes is None else {npz.CLASSES: list(classes)})})
    return {**fields, "sha256": _checksum(fields), "source": Path()}


def _checksum(fields: npz.DataArrays) -> str:
    """SHA-256 (hex) over classes, shapes and values."""
    digest = hashlib.sha256("\0".join(fields["classes"]).encode())
    for key in (key for key in (*npz.ARRAYS, *npz.VALIDATION) if key in fields):
        array = fields[key]  # type: ignore[literal-required]
        digest.update(f"{key} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def add(data: Dataset) -> JsonObject:
    """Remember the data in this process; the component that names them."""
    prefix = data.sha256[:DIGITS]
    _datasets[prefix] = data
    return {"name": IN_MEMORY, "title": data.name, "sha256": prefix}


def find(component: Mapping[str, Any]) -> Dataset:
    """The data that a component names; UserError where this process does not have them."""
    data = _datasets.get(component["sha256"])
    if data is None:
        raise UserError(
            f"dataset {component['title']!r}: these arrays ({component['sha256']}) are in no file: a Python session "
            "gave them\n  give the same arrays to bench.Dataset.from_arrays there, or write them to an .npz file "
            "(numpy.savez) and name that: {name: npz, path: FILE}"
        )
    return data
