"""Bringing ledgers together: copying the entries that one lacks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bench.ledger.durable import place
from bench.ledger.entry import DamagedEntryError, decode
from bench.ledger.folder import ENTRIES, TEMPORARY, check_folder, entry_path, list_files
from bench.suite.errors import UserError


def merge(sources: Iterable[Path], into: Path) -> int:
    """Copy into the ledger `into` every entry of `sources` that it lacks, and return how many were copied.

    Entries are content-addressed and which one counts depends only on what they say, so the order does not matter
    and nothing already there changes. Damaged entries stay behind (`Ledger.damaged` names them); one in `into` that
    was cut off is mended from a whole one. Raises UserError where a source is no ledger or `into` cannot be written.
    """
    sources = list(sources)
    for source in sources:
        check_folder(source)
        if not (source / ENTRIES).is_dir():
            raise UserError(f"{source}: nothing to merge: there is no ledger here (no folder `{ENTRIES}`)")
    check_folder(into)
    sizes = {name: file.stat().st_size for name, file in list_files(into).entries.items()}
    copied = 0
    for source in sources:
        for name, file in list_files(source).entries.items():
            if file.stat().st_size == sizes.get(name):
                continue
            if data := _whole(Path(file.path)):
                place(data, entry_path(into, name), aside=into / TEMPORARY)
                sizes[name] = len(data)
                copied += 1
    return copied


def _whole(path: Path) -> bytes | None:
    """The file's bytes if it can be trusted."""
    try:
        data = path.read_bytes()
        decode(path.name, data)
    except (DamagedEntryError, OSError):
        return None
    return data
