"""A ledger's home in a folder of this machine, or one that it mounts."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bench.ledger import disk_claims
from bench.ledger.durable import cannot_write, check_writable, place, sweep
from bench.ledger.entry import LARGEST, Entry, folder_of, is_entry_name, too_large
from bench.ledger.folder import CLAIMS, ENTRIES, INDEX, TEMPORARY, check_folder, entry_path, is_file, list_files
from bench.ledger.home import File, Indexed, Listing, Written
from bench.ledger.index import append_index, index_line, read_index
from bench.ledger.owner import Owner
from bench.suite.errors import UserError


class Disk:
    """See `bench.ledger.home.Home`; an entry is put by writing aside, syncing and renaming."""

    def __init__(self, root: Path) -> None:
        self.root = self.local = root
        self._swept = False

    def check(self) -> bool:
        return check_folder(self.root)

    def check_writable(self) -> None:
        for name in (ENTRIES, CLAIMS, TEMPORARY):
            check_writable(self.root / name)

    def location(self, name: str) -> Path:
        return entry_path(self.root, name)

    def listing(self) -> Listing:
        return list_files(self.root)

    def of_key(self, key: str) -> Iterable[str]:
        with contextlib.suppress(FileNotFoundError):
            for file in os.scandir(self.root / ENTRIES / folder_of(key)):
                if file.name.startswith(f"{key}-") and is_entry_name(file.name) and is_file(file):
                    yield file.name

    def read(self, name: str) -> bytes:
        return _read(self.location(name))

    def read_all(self, files: Iterable[tuple[str, File]]) -> Iterator[tuple[str, bytes | OSError]]:
        for name, file in files:
            try:
                yield name, _read(Path(file.path))
            except OSError as error:
                yield name, error

    def put(self, name: str, data: bytes) -> Path:
        path = place(data, self.location(name), aside=self.root / TEMPORARY)
        if not self._swept:
            sweep(self.root / TEMPORARY, newest=path)
            self._swept = True
        return path

    def read_index(self, files: dict[str, File]) -> Indexed:
        path = self.root / INDEX
        with contextlib.suppress(OSError):
            if path.is_file():  # a pipe would be waited for
                with path.open("rb") as lines:
                    return read_index(lines, files)
        return Indexed([], {})

    def published(self, entry: Entry) -> None:
        with contextlib.suppress(OSError):
            stat = self.location(entry.name).stat()
            append_index(self.root / INDEX, [(entry, (stat.st_size, stat.st_ctime_ns))])

    def opened(self, entries: list[Written], everything: Callable[[], Iterable[Written]]) -> None:
        known = list(everything())
        if 2 * len(entries) < len(known) or not (self.root / INDEX).exists():
            append_index(self.root / INDEX, entries)
            return
        # Anew, or each copy of a ledger would double it.
        lines = b"".join(index_line(entry, state) for entry, state in known)
        with contextlib.suppress(UserError):
            place(lines, self.root / INDEX, aside=self.root / TEMPORARY)

    def doubt(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.utime(self.location(name))  # so that it was touched since its line was written

    def take(self, key: str, me: Owner) -> bool:
        path = self.root / CLAIMS / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return disk_claims.take(path, me)
        except OSError as error:
            raise cannot_write(path, error) from error

    def holder(self, key: str) -> Owner | None:
        return disk_claims.holder(self.root / CLAIMS / key)

    def renew(self, key: str, me: Owner) -> None:
        # Where this fails, and where `drop` does, the claim ends by its age.
        with contextlib.suppress(OSError):
            disk_claims.renew(self.root / CLAIMS / key, me)

    def drop(self, key: str, me: Owner) -> None:
        with contextlib.suppress(OSError):
            disk_claims.drop(self.root / CLAIMS / key, me)


def _read(path: Path) -> bytes:
    if path.stat().st_size > LARGEST:
        raise too_large()
    return path.read_bytes()
