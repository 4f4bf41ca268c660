"""A ledger as one file to send: a zip of its entries, which `merge_ledgers` takes as a source.

Equal ledgers give equal bytes. The entries are as they are in the ledger, so ``unzip`` makes a ledger's folder of it.
"""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bench.errors import UserError, escaped_line, shorten
from bench.ledger.entries import MAX_ENTRY_BYTES, DamagedEntryError, check_digest, is_entry_name, too_large, zip_member
from bench.ledger.file_store import cannot_write, temporary_beside
from bench.ledger.store import (
    ENTRIES,
    UNEXPECTED_REASON,
    EntrySource,
    Location,
    Store,
    StoredFile,
    entry_location,
    entry_path,
    is_url,
    list_entries,
    open_store,
    read_entries,
)
from bench.ledger.weights_files import list_weights, read_file, weights_file

MANIFEST = "bench-pack.json"
"""The first member: it says that the file is a pack, and how many entries are complete."""
FORMAT = {"format": "bench ledger", "version": 1}
MAX_MANIFEST_BYTES = 4096
CUT_SHORT = "is damaged or cut short"
_NAME_AT = 30
"""Where the name of a zip's first member begins."""


def open_source(source: Location | Store) -> EntrySource:
    """The store of a folder or URL, or the pack that a file is; UserError where it is neither."""
    if isinstance(source, str | Path) and not is_url(source) and Path(source).is_file():
        return Pack(Path(source))
    return open_store(source)


def write_pack(store: Store, path: Path) -> tuple[int, list[tuple[Location, str]]]:
    """Write all entries of a store, and their weights, into one file, completely or not at all.

    Returns
    -------
    int, list
        How many entries were written, and the damaged ones that were left out, with the reason.

    Raises
    ------
    UserError
        The store has no entry, `path` cannot be written, or is a file that is no pack, which would be lost.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder: give a file with -o, such as {path / 'results.zip'}")
    if path.exists():
        Pack(path).check()
    listing = list_entries(store)
    damaged = [(stranger, UNEXPECTED_REASON) for stranger in listing.unexpected_files]
    intact = []
    for name, data in read_entries(store, dict(sorted(listing.entries.items()))):
        try:
            if isinstance(data, OSError):
                raise data
            check_digest(name, data)
            intact.append(name)
        except (DamagedEntryError, OSError) as error:
            damaged.append((entry_location(store, name), str(error)))
    if not intact:
        raise UserError(f"{store.root}: nothing to pack: the ledger has no entry that can be read")
    try:
        with temporary_beside(path) as file, zipfile.ZipFile(file, "w") as archive:
            manifest = json.dumps({**FORMAT, "entries": len(intact)}, sort_keys=True)
            archive.writestr(zip_member(MANIFEST), manifest, zipfile.ZIP_STORED)
            for name in intact:  # one at a time: a ledger may be larger than the memory
                member = zip_member(entry_path(name))
                archive.writestr(member, store.read(entry_path(name)), zipfile.ZIP_STORED)
            for weights in sorted(list_weights(store), key=lambda weights: weights.name):
                if weights.entry_name not in intact:
                    continue
                try:
                    data = read_file(store, weights)
                except (DamagedEntryError, OSError) as error:
                    damaged.append((entry_location(store, weights.name), str(error)))
                    continue
                archive.writestr(zip_member(entry_path(weights.name)), data, zipfile.ZIP_STORED)
    except OSError as error:
        raise cannot_write(path, error) from error
    return len(intact), damaged


class Pack:
    """A file that `write_pack` wrote; see `EntrySource`. UserError where it is another file, damaged or cut short."""

    def __init__(self, path: Path) -> None:
        self.root = path

    def check(self) -> bool:
        self.list()
        return True

    def list(self, folder: str = ENTRIES) -> dict[str, StoredFile]:  # noqa: ARG002
        with self._opened() as archive:
            members = archive.infolist()
            expected = self._expected_entries(archive)
        entries: dict[str, StoredFile] = {}
        for info in members[1:]:
            name = info.filename.rpartition("/")[2]
            is_named = is_entry_name(name) or weights_file(name) is not None
            if not is_named or info.filename != entry_path(name) or info.filename in entries:
                raise self._wrong(f"holds {shorten(escaped_line(info.filename))}, which is no entry or is there twice")
            entries[info.filename] = StoredFile(info.file_size)
        n_entries = sum(is_entry_name(path.rpartition("/")[2]) for path in entries)
        if n_entries != expected:
            raise self._wrong(f"holds {n_entries:,} entries, and says that there are {expected:,}")
        return entries

    def read(self, path: str, max_bytes: int = MAX_ENTRY_BYTES) -> bytes:
        with self._opened() as archive:
            try:
                if archive.getinfo(path).file_size > max_bytes:
                    raise too_large()
                return archive.read(path)
            except OSError:
                raise
            except Exception as error:  # whatever `zipfile` makes of damaged bytes
                raise OSError(escaped_line(str(error)) or type(error).__name__) from error

    def read_many(self, files: Iterable[tuple[str, StoredFile]]) -> Iterator[tuple[str, bytes | OSError]]:
        with self._opened() as archive:
            for path, _ in files:
                try:
                    if archive.getinfo(path).file_size > MAX_ENTRY_BYTES:
                        raise too_large()
                    yield path, archive.read(path)
                except OSError as error:
                    yield path, error
                except Exception as error:  # whatever `zipfile` makes of damaged bytes
                    yield path, OSError(escaped_line(str(error)) or type(error).__name__)

    def _expected_entries(self, archive: zipfile.ZipFile) -> int:
        """The number of entries, as the manifest has it."""
        members = archive.infolist()
        if not members or members[0].filename != MANIFEST or members[0].file_size > MAX_MANIFEST_BYTES:
            raise self._wrong(CUT_SHORT)  # what was opened is the directory of an entry within
        try:
            manifest: Any = json.loads(archive.read(MANIFEST))
            count, others = manifest.pop("entries"), manifest
        except Exception as error:  # whatever `zipfile` and `json` make of such bytes
            raise self._wrong(CUT_SHORT) from error
        if others != FORMAT or type(count) is not int:
            raise self._wrong(f"is a pack of another version ({shorten(others)})")
        return count

    @contextlib.contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        try:
            with self.root.open("rb") as file:
                start = file.read(_NAME_AT + len(MANIFEST))
            if not start.startswith(b"PK\x03\x04") or start[_NAME_AT:] != MANIFEST.encode():
                raise self._wrong("was not written by `bench pack`")
            archive = zipfile.ZipFile(self.root)
        except OSError as error:
            raise UserError(f"{self.root} cannot be read: {error.strerror or error}") from error
        except zipfile.BadZipFile as error:
            raise self._wrong(CUT_SHORT) from error
        with archive:
            yield archive

    def _wrong(self, reason: str) -> UserError:
        return UserError(
            f"{self.root}: a file that {reason}\n"
            "  a ledger is a folder, a URL, or a file that `bench pack LEDGER` writes: have that sent again"
        )
