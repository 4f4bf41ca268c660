"""A ledger's home, a folder or a URL: what the ledger asks of the place where it lies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.ledger.entry import Entry
from bench.ledger.owner import Owner
from bench.suite.errors import UserError

Location = Path | str
"""A file of a ledger, or the ledger itself: a path on this machine's disks, a URL elsewhere."""
State = tuple[int, int | None]
"""The size of a file in bytes, and a number that differs when it was changed; None where its store tells none."""
Written = tuple[Entry, State]
"""An entry and the state of its file."""


class AwayError(UserError):
    """A home that cannot be reached or written just now; nothing of what it holds is in doubt."""


class Stat(Protocol):
    """What tells a changed file from the same one; `os.stat_result` has it."""

    @property
    def st_size(self) -> int: ...
    @property
    def st_ctime_ns(self) -> int | None: ...


class File(Protocol):
    """A listed file; `os.DirEntry` is one."""

    @property
    def path(self) -> str: ...
    def stat(self) -> Stat: ...


def state_of(file: File) -> State:
    """The state of a listed file. Raises OSError."""
    stat = file.stat()
    return stat.st_size, stat.st_ctime_ns


@dataclass(frozen=True, slots=True)
class Listing:
    """The files within ``entries``: those named as an entry and lying where it should, and other ``.npz`` files."""

    entries: dict[str, File]
    strangers: list[Location]


STRANGE = "not named as an entry, in the wrong folder, or no file"
"""Why one of `Listing.strangers` is passed over."""


@dataclass(frozen=True, slots=True)
class Indexed:
    """What an index knows of the files that it was asked about.

    The files of `same` are as they were when their lines were written. Those of `moved`, by name, have the size they
    had and were touched since, as copying does: what their lines say holds if the digest in their names does.
    """

    same: list[Entry]
    moved: dict[str, Entry]


class Home(Protocol):
    """A place for entries, their index and claims: `bench.ledger.disk.Disk` or `bench.ledger.remote.Remote`.

    `root` is its name for people. `local` is a folder of this machine for what need not be shared: checkpoints, and
    entries that could not be sent. Any method may raise UserError; of a `Remote`, AwayError.
    """

    @property
    def root(self) -> Location: ...
    @property
    def local(self) -> Path: ...
    def check(self) -> bool:
        """Whether a ledger is here already; UserError where this is, or clearly holds, something else."""

    def check_writable(self) -> None:
        """UserError where entries or claims cannot be written; nothing is left behind."""

    def location(self, name: str) -> Location:
        """Where the entry `name` lies."""

    def listing(self) -> Listing:
        """What there is; nothing where there is no ledger yet."""

    def of_key(self, key: str) -> Iterable[str]:
        """The names of a key's entries, at a cost that does not grow with the ledger."""

    def read(self, name: str) -> bytes:
        """An entry's bytes; FileNotFoundError or another OSError where that cannot be."""

    def read_all(self, files: Iterable[tuple[str, File]]) -> Iterator[tuple[str, bytes | OSError]]:
        """The bytes of many, by name, or why one cannot be read."""

    def put(self, name: str, data: bytes) -> Location:
        """Store an entry, whole or not at all, in place of a damaged one of that name."""

    def read_index(self, files: dict[str, File]) -> Indexed:
        """What the index knows of `files`."""

    def published(self, entry: Entry) -> None:
        """Let the index know of an entry that was just put."""

    def opened(self, entries: list[Written], everything: Callable[[], Iterable[Written]]) -> None:
        """Let the index know of entries that it lacked; `everything` gives all of them."""

    def doubt(self, name: str) -> None:
        """Let no index speak for an entry that proved damaged."""

    def take(self, key: str, me: Owner) -> bool:
        """Claim a key; False where another driver is at work on it."""

    def holder(self, key: str) -> Owner | None:
        """Who has claimed a key; None where that is not known."""

    def renew(self, key: str, me: Owner) -> None:
        """Show that the claim is alive, if it is mine."""

    def drop(self, key: str, me: Owner) -> None:
        """End the claim, if it is mine."""
