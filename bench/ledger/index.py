"""The index: a cache of all records in one file, so that a ledger of 10,000 entries need not open 10,000 zips.

One line of JSON per entry: ``{"entry": file name, "bytes": its size, "record": {...}}``. Only ever appended to, one
write per line, so several drivers may share it. A line that is broken, half written or about a file that is gone is
passed over; an entry without a line is read from its own file and gets one.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from bench.ledger.entry import Entry
from bench.ledger.home import File, Sized
from bench.ledger.record import Record


def read_index(lines: Iterable[bytes], files: Mapping[str, File]) -> list[Entry]:
    """The entries of an index whose file is among `files` (by name) with the size it had.

    The size tells a file that was cut off after it was indexed, without reading it.
    """
    found: dict[str, Entry] = {}
    with _uncollected():
        for line in lines:
            entry = _parse(line, files)
            if entry:
                found[entry.name] = entry
    return list(found.values())


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Records are kept and hold no cycles: looking for garbage among them took a third of the reading's time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def append_index(path: Path, entries: Iterable[Sized]) -> None:
    """Add a line for each entry and its size in bytes; a failure is ignored, since the index is only a cache."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            # A writer that was killed may have left half a line, which must not swallow this one.
            end = os.lseek(descriptor, 0, os.SEEK_END)
            if end and os.pread(descriptor, 1, end - 1) != b"\n":
                os.write(descriptor, b"\n")
            for entry, size in entries:
                os.write(descriptor, index_line(entry, size))
        finally:
            os.close(descriptor)


def index_line(entry: Entry, size: int) -> bytes:
    """An entry's line."""
    data = {"entry": entry.name, "bytes": size, "record": entry.record.to_json()}
    return (json.dumps(data, sort_keys=True, separators=(",", ":")) + "\n").encode()


def _parse(line: bytes, files: Mapping[str, File]) -> Entry | None:
    try:
        data = json.loads(line)
        name = data["entry"]
        if files[name].stat().st_size != data["bytes"]:
            return None
        record = Record.from_json(data["record"])
    except (ValueError, TypeError, KeyError, OSError, RecursionError):
        return None
    return Entry(name, record) if name.startswith(f"{record.key}-") else None
