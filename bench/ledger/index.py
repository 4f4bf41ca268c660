"""The index: a cache of all records in one file, so that a ledger of 10,000 entries need not open 10,000 zips.

One line of JSON per entry: ``{"sha256": "0123456789ab", "entry": file name, "bytes": its size, "changed": when,
"record": {...}}``, where the digest is that of the text after it. In a folder it is appended to, one write per line, so
several drivers may share it; an object store's is compressed, and rewritten by a reader who finds that it lacks many
entries. A line that is broken, half written, changed, or about a missing file is ignored; an entry without a line is
read from its own file. An index larger than one can be is not read.
"""

from __future__ import annotations

import contextlib
import gc
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from io import BufferedIOBase

from bench.errors import UserError
from bench.ledger.entries import MAX_ENTRY_BYTES, LedgerEntry, digest, folder_of, parse_json
from bench.ledger.record import Record
from bench.ledger.store import ENTRIES, INDEX, AppendableStore, State, Store, StoredFile, entry_path

STALE_FRACTION = 0.1
"""An object store's index is rewritten where it lacks this fraction of the entries."""
MIN_NEW_ENTRIES = 8
"""And not for fewer new entries than this."""
BYTES_PER_ENTRY = 2**16
"""Room for a line; most have a tenth."""
_LINE = re.compile(rb'\{"sha256":"([0-9a-f]{12})",')

EntryState = tuple[LedgerEntry, State]
"""An entry and the state of its file."""


@dataclass(frozen=True, slots=True)
class IndexedFiles:
    """The entries of an index whose files exist.

    The files of `same` have not changed since their lines were written. Those of `moved`, by name, have the same size
    and were touched since, as by copying: their lines are valid if the digest in the name is.
    """

    same: list[LedgerEntry]
    moved: dict[str, LedgerEntry]


def read_index(store: Store, files: Mapping[str, StoredFile]) -> IndexedFiles:
    """The entries of the index whose file is among `files` (by name) with the size it had."""
    try:
        path = _path(store)
        file = io.BytesIO(store.read(path, max_index_bytes(files)))
        return parse_index(gzip.GzipFile(fileobj=file) if path.endswith(".gz") else file, files)
    except (OSError, EOFError, zlib.error):  # there is none, or it is no gzip
        return IndexedFiles([], {})


def parse_index(lines: BufferedIOBase, files: Mapping[str, StoredFile]) -> IndexedFiles:
    """As `read_index`; of one that unpacks to more than memory holds, as much is read as an index can have."""
    parsed_entries: dict[str, tuple[LedgerEntry, bool]] = {}
    remaining_bytes = max_index_bytes(files)
    with _garbage_collection_paused():
        while remaining_bytes > 0 and (line := lines.readline(remaining_bytes)):
            remaining_bytes -= len(line)
            if parsed := _parse(line, files):
                parsed_entries[parsed[0].name] = parsed
    return IndexedFiles(
        [entry for entry, same in parsed_entries.values() if same],
        {name: entry for name, (entry, same) in parsed_entries.items() if not same},
    )


def add_published(store: Store, entry: LedgerEntry) -> None:
    """Add an entry that was just stored; in an object store readers do."""
    if not isinstance(store, AppendableStore):
        return
    with contextlib.suppress(UserError, OSError):
        file = store.list(f"{ENTRIES}/{folder_of(entry.name)}").get(entry_path(entry.name))
        if file:
            store.append(INDEX, [_line(entry, file.state)])


def update_index(store: Store, new: Sequence[EntryState], all_entries: Sequence[EntryState]) -> None:
    """Add entries that the index lacks. A failure is ignored: it is only a cache."""
    if isinstance(store, AppendableStore):
        # Half of it new: rewritten, since appending would double the index of each copied ledger.
        if 2 * len(new) < len(all_entries):
            with contextlib.suppress(UserError, OSError):
                store.append(INDEX, [_line(entry, state) for entry, state in new])
            return
    elif len(new) < max(MIN_NEW_ENTRIES, STALE_FRACTION * len(all_entries)):
        return
    path, data = _path(store), b"".join(_line(entry, state) for entry, state in all_entries)
    with contextlib.suppress(UserError):  # a reader may have no permission to write
        store.write(path, gzip.compress(data, 1) if path.endswith(".gz") else data)


def forget_index(store: Store) -> None:
    """Have the next reader look at every file, since a line is about a damaged one.

    Needed where a file may be damaged without a change of its time; an object store's would have another number.
    """
    if isinstance(store, AppendableStore):
        with contextlib.suppress(UserError, OSError):
            store.delete(INDEX)


def max_index_bytes(files: Sized) -> int:
    """How large an index of so many entries can be."""
    return MAX_ENTRY_BYTES + BYTES_PER_ENTRY * len(files)


def _path(store: Store) -> str:
    return INDEX if isinstance(store, AppendableStore) else f"{INDEX}.gz"


@contextlib.contextmanager
def _garbage_collection_paused() -> Iterator[None]:
    """Records have no cycles: garbage collections took a third of the reading time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _line(entry: LedgerEntry, state: State) -> bytes:
    """An entry's line."""
    size, changed = state
    data = {"entry": entry.name, "bytes": size, "changed": changed, "record": entry.record.to_json()}
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))[1:].encode()
    return b'{"sha256":"%b",%b\n' % (digest(text).encode(), text)


def _parse(line: bytes, files: Mapping[str, StoredFile]) -> tuple[LedgerEntry, bool] | None:
    """The entry of a line, and whether its file has not changed since the line was written."""
    line = line.rstrip(b"\n")
    if not (match := _LINE.match(line)) or digest(memoryview(line)[match.end() :]) != match[1].decode():
        return None
    try:
        data = parse_json(line)
        name = data["entry"]
        size, changed = files[name].state
        if size != data["bytes"]:
            return None
        record = Record.from_json(data["record"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not name.startswith(f"{record.key}-"):
        return None
    return LedgerEntry(name, record), changed is not None and changed == data.get("changed")
