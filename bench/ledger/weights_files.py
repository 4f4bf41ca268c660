"""Weights of trials: a safetensors file next to the entry whose trial they are of.

``<entry>-<first 12 hex digits of its SHA-256>.safetensors``, where ``<entry>`` is the name of the entry without
``.npz``: so a file belongs to one run of a trial, a damaged one is detected, and ledgers merge by copying. The weights
of a candidate of ``--keep best``, which may be dropped when a better configuration is complete, end in
``.best.safetensors``. This package reads no tensors.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.errors import UserError
from bench.ledger.entries import DamagedEntryError, digest, folder_of
from bench.ledger.store import ENTRIES, EntrySource, Store, entry_location, entry_path

if TYPE_CHECKING:
    from bench.ledger.ledger import Ledger
    from bench.ledger.record import Record

_NAME = re.compile(r"(([0-9a-f]{2,128})-[0-9a-f]{12})-([0-9a-f]{12})(\.best)?\.safetensors")

MAX_WEIGHTS_BYTES = 2**32
"""Largest size of a file; a ViT of 300 million parameters has 1.2 GB."""


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A file's name and what it says: the entry it belongs to, its trial's key, whether it may be dropped."""

    name: str
    entry_name: str
    key: str
    digest: str
    candidate: bool


def weights_name(entry_name: str, data: bytes, candidate: bool) -> str:
    """The name of the file for the weights of the run that the entry `entry_name` holds."""
    return f"{entry_name.removesuffix('.npz')}-{digest(data)}{'.best' if candidate else ''}.safetensors"


def weights_file(name: str) -> WeightsFile | None:
    """What a file's name says; None where it is not named as weights."""
    match = _NAME.fullmatch(name)
    return WeightsFile(name, f"{match[1]}.npz", match[2], match[3], bool(match[4])) if match else None


def permanent_name(file: WeightsFile) -> str:
    """The name of the same weights when no run may drop them any more."""
    return file.name.replace(".best.", ".")


def list_weights(source: EntrySource, folder: str = ENTRIES) -> list[WeightsFile]:
    """All files with weights in the folder of entries, or one below it."""
    files = []
    for path, stored in source.list(folder).items():
        file = weights_file(path.rpartition("/")[2])
        if file and stored.regular and path == entry_path(file.name):
            files.append(file)
    return files


def weights_in(store: Store, key: str) -> list[WeightsFile]:
    """The files with weights of a key's runs, at a cost that hardly grows with the ledger."""
    return [file for file in list_weights(store, f"{ENTRIES}/{folder_of(key)}") if file.key == key]


def read_file(source: EntrySource, file: WeightsFile) -> bytes:
    """The bytes of weights; OSError where they cannot be read, DamagedEntryError where they are others."""
    data = source.read(entry_path(file.name), MAX_WEIGHTS_BYTES)
    if digest(data) != file.digest:
        raise DamagedEntryError("truncated or changed: the content does not match the digest in the name")
    return data


def remove_weights(store: Store, file: WeightsFile) -> None:
    """Remove a file, if there is one and it can be removed: the next run that decides tries again."""
    with contextlib.suppress(UserError):
        store.delete(entry_path(file.name))


TRAIN_AGAIN = "`bench run SUITE --keep all --force AXIS=VALUE` trains what matches again, with them"


def weights_of(ledger: Ledger, key: str) -> list[WeightsFile]:
    """The files with weights of a trial's complete runs, those of the record that counts first."""
    return order_weights(ledger, key, weights_in(ledger.store, key))


def order_weights(ledger: Ledger, key: str, files: Iterable[WeightsFile]) -> list[WeightsFile]:
    """As `weights_of`, of all files with a key's weights."""
    names = [run.name for run in ledger.entries_of(key) if run.record.status == "complete"]
    of_complete = [file for file in files if file.entry_name in names]
    return sorted(of_complete, key=lambda file: (names.index(file.entry_name), file.candidate))


def read_weights(ledger: Ledger, key_or_prefix: str) -> tuple[Record, bytes]:
    """The record of a trial's run and its weights, the bytes of a safetensors file.

    The run is the one that counts, unless only a repetition has weights.

    Raises
    ------
    UserError
        No trial has such a key, none of its runs has weights, or they are damaged.
    """
    counting = ledger.record(key_or_prefix)
    key = counting.key
    if counting.status != "complete":
        raise UserError(f"{key}: has no weights: the trial was not trained to its end ({counting.status})")
    files = weights_of(ledger, key)
    if not files:
        raise UserError(
            f"{key}: {ledger.root} has no weights of this trial; `bench run` saves them with --keep best or all\n"
            f"  {TRAIN_AGAIN}"
        )
    problems = []
    for file in files:
        try:
            data = read_file(ledger.store, file)
        except (DamagedEntryError, OSError) as error:
            problems.append(f"{entry_location(ledger.store, file.name)}: cannot be read: {error}")
            continue
        return next(run.record for run in ledger.entries_of(key) if run.name == file.entry_name), data
    advice = f"`bench merge` mends it from a whole copy; without one, {TRAIN_AGAIN}"
    raise UserError("\n".join(problems) + f"\n  {advice}")
