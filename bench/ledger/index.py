"""The index: a cache of all records in one file, so that a ledger of 10,000 entries need not open 10,000 zips.

One line of JSON per entry: ``{"sha256": "0123456789ab", "entry": file name, "bytes": its size, "changed": when,
"record": {...}}``, where the digest is that of the text after it. Only ever appended to, one write per line, so several
drivers may share it. A line that is broken, half written, changed, or about a file that is gone is passed over; an
entry without a line is read from its own file and gets one. What comes after more bytes than an index can have is not
read.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sized
from io import BufferedIOBase
from pathlib import Path

from bench.ledger.entry import LARGEST, Entry, digest, parse_json
from bench.ledger.home import File, Indexed, State, Written, state_of
from bench.ledger.record import Record

BYTES_PER_ENTRY = 2**16
"""Most lines have a tenth."""
_LINE = re.compile(rb'\{"sha256":"([0-9a-f]{12})",')


def most_bytes(files: Sized) -> int:
    """How large an index of so many entries can be."""
    return LARGEST + BYTES_PER_ENTRY * len(files)


def read_index(index: BufferedIOBase, files: Mapping[str, File]) -> Indexed:
    """The entries of an index whose file is among `files` (by name) with the size it had.

    What others made may be endless, or unpack to more than memory holds: no more of it is read than an index can have.
    """
    found: dict[str, tuple[Entry, bool]] = {}
    left = most_bytes(files)
    with _uncollected():
        while left > 0 and (line := index.readline(left)):
            left -= len(line)
            if parsed := _parse(line, files):
                found[parsed[0].name] = parsed
    return Indexed(
        [entry for entry, same in found.values() if same],
        {name: entry for name, (entry, same) in found.items() if not same},
    )


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


def append_index(path: Path, entries: Iterable[Written]) -> None:
    """Add a line for each entry and its file's state; a failure is ignored, since the index is only a cache."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o666)
        try:
            # A writer that was killed may have left half a line, which must not swallow this one.
            end = os.lseek(descriptor, 0, os.SEEK_END)
            if end and os.pread(descriptor, 1, end - 1) != b"\n":
                os.write(descriptor, b"\n")
            for entry, state in entries:
                os.write(descriptor, index_line(entry, state))
        finally:
            os.close(descriptor)


def index_line(entry: Entry, state: State) -> bytes:
    """An entry's line."""
    size, changed = state
    data = {"entry": entry.name, "bytes": size, "changed": changed, "record": entry.record.to_json()}
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))[1:].encode()
    return b'{"sha256":"%b",%b\n' % (digest(text).encode(), text)


def _parse(line: bytes, files: Mapping[str, File]) -> tuple[Entry, bool] | None:
    """The entry of a line, and whether its file is in the state that the line was written of."""
    line = line.rstrip(b"\n")
    if not (found := _LINE.match(line)) or digest(memoryview(line)[found.end() :]) != found[1].decode():
        return None
    try:
        data = parse_json(line)
        name = data["entry"]
        size, changed = state_of(files[name])
        if size != data["bytes"]:
            return None
        record = Record.from_json(data["record"])
    except (ValueError, TypeError, KeyError, OSError, RecursionError):
        return None
    if not name.startswith(f"{record.key}-"):
        return None
    return Entry(name, record), changed is not None and changed == data.get("changed")
