"""The entries of files, folders and packs, and which of them are copies of others or of a ledger's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bench.errors import UserError
from bench.ledger.entries import MAX_ENTRY_BYTES, is_entry_name
from bench.ledger.ledger import Ledger, MissingEntryError
from bench.ledger.packed_ledger import open_source
from bench.ledger.store import ENTRIES, UNEXPECTED_REASON, is_url, list_entries, read_entries
from bench.metrics import Predictions
from bench.verification.check_entry import EntryCheck


def read_submissions(sources: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The name and the bytes of each entry, every name once.

    A source is an entry's file, a file of `bench pack`, a ledger's folder or URL, or a folder with any of these in it.

    Raises
    ------
    UserError
        A source is not there, or holds no entry.
    """
    names: set[str] = set()
    for source in sources:
        count = 0
        for name, data in _read_source(source):
            count += 1
            if name not in names:
                names.add(name)
                yield name, data
        if not count:
            raise UserError(f"{source}: holds no entry; name an entry's .npz file, a ledger, or a file of `bench pack`")


def _read_source(source: str) -> Iterator[tuple[str, bytes]]:
    path = Path(source)
    if not is_url(source) and path.is_file() and path.suffix == ".npz":
        yield _read_file(path)
    elif is_url(source) or path.is_file() or (path / ENTRIES).is_dir():
        yield from _read_store(source)
    elif path.is_dir():
        folders = [entries.parent for entries in sorted(path.rglob(ENTRIES)) if entries.is_dir()]
        packs = sorted(path.rglob("*.zip"))
        for ledger in [*folders, *packs]:
            yield from _read_store(str(ledger))
        for file in sorted(path.rglob("*.npz")):
            if not any(file.is_relative_to(folder) for folder in folders):
                yield _read_file(file)
    else:
        raise UserError(f"{source}: there is no such file, folder or ledger")


def _read_store(source: str) -> Iterator[tuple[str, bytes]]:
    store = open_source(source)
    listing = list_entries(store)
    if listing.unexpected_files:
        raise UserError(f"{listing.unexpected_files[0]}: {UNEXPECTED_REASON}")
    for name, data in read_entries(store, dict(sorted(listing.entries.items()))):
        if isinstance(data, OSError):
            raise UserError(f"{source}: {name} cannot be read: {data.strerror or data}") from data
        yield name, data


def _read_file(path: Path) -> tuple[str, bytes]:
    if not is_entry_name(path.name):
        raise UserError(
            f"{path}: not named as an entry, KEY-DIGEST.npz\n"
            "  predictions of another framework become one: bench import FILE --name NAME --dataset DATASET"
        )
    if path.stat().st_size > MAX_ENTRY_BYTES:
        raise UserError(f"{path}: larger than an entry can be, {MAX_ENTRY_BYTES:,} bytes")
    return path.name, path.read_bytes()


class Copies:
    """Which predictions are known, so that those that appear under a second key are noticed."""

    def __init__(self, against: Ledger | None = None) -> None:
        self.keys: dict[str, str] = {}
        """Digest of predictions to the key that they were first seen under."""
        self.known: set[str] = set()
        """Keys of the ledger that is compared with."""
        for record in against.records() if against else ():
            self.known.add(record.key)
            if against and record.status == "complete":
                try:
                    self.keys.setdefault(_digest(against.predictions(record.key)), record.key)
                except MissingEntryError:
                    continue

    def check(self, check: EntryCheck) -> None:
        """Note in an entry's check whether its predictions stand under another key, or its key in the ledger."""
        if check.record is None or check.predictions is None:
            return
        key = check.record.key
        first_key = self.keys.setdefault(_digest(check.predictions), key)
        check.add("duplicates", [f"its predictions are those of {first_key}"] if first_key != key else [])
        if key in self.known:
            check.checked.append("replicate of a trial of the ledger")


def _digest(predictions: Predictions) -> str:
    arrays: Iterable[bytes] = (predictions.predicted.tobytes(), predictions.confidence.tobytes())
    return hashlib.sha256(b"".join(arrays)).hexdigest()
