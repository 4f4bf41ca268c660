"""A ledger's home in a folder of this machine, or one that it mounts."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bench.ledger import disk_claims
from bench.ledger.durable import cannot_write, place, sweep
from bench.ledger.entry import Entry, folder_of, is_entry_name
from bench.ledger.folder import CLAIMS, ENTRIES, INDEX, TEMPORARY, check_folder, entry_path, list_files
from bench.ledger.home import File, Listing, Sized
from bench.ledger.index import append_index, read_index
from bench.ledger.owner import Owner


class Disk:
    """See `bench.ledger.home.Home`; an entry is put by writing aside, syncing and renaming."""

    def __init__(self, root: Path) -> None:
        self.root = self.local = root
        self._swept = False

    def check(self) -> bool:
        return check_folder(self.root)

    def location(self, name: str) -> Path:
        return entry_path(self.root, name)

    def listing(self) -> Listing:
        return list_files(self.root)

    def of_key(self, key: str) -> Iterable[str]:
        with contextlib.suppress(FileNotFoundError):
            for file in os.scandir(self.root / ENTRIES / folder_of(key)):
                if file.name.startswith(f"{key}-") and is_entry_name(file.name):
                    yield file.name

    def read(self, name: str) -> bytes:
        return self.location(name).read_bytes()

    def read_all(self, files: Iterable[tuple[str, File]]) -> Iterator[tuple[str, bytes | OSError]]:
        for name, file in files:
            try:
                yield name, Path(file.path).read_bytes()
            except OSError as error:
                yield name, error

    def put(self, name: str, data: bytes) -> Path:
        path = place(data, self.location(name), aside=self.root / TEMPORARY)
        if not self._swept:
            sweep(self.root / TEMPORARY, newest=path)
            self._swept = True
        return path

    def read_index(self, files: dict[str, File]) -> list[Entry]:
        with contextlib.suppress(OSError), (self.root / INDEX).open("rb") as lines:
            return read_index(lines, files)
        return []

    def published(self, entry: Entry, size: int) -> None:
        append_index(self.root / INDEX, [(entry, size)])

    def opened(self, entries: list[Sized], everything: Callable[[], Iterable[Sized]]) -> None:  # noqa: ARG002
        append_index(self.root / INDEX, entries)

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
