"""A ledger's home at a URL that fsspec knows: ``s3://bucket/path``, ``gs://``, ``az://``, ``sftp://``, ...

An entry is put by a conditional put (``If-None-Match: *`` on S3), which an object store makes whole or not at all.
Where a file system has neither, a writer that is killed may leave half an entry; its digest gives it away, it is
passed over and told, and its trial runs again. Clients and credentials are the library's own affair: for S3 what
``AWS_*`` variables, ``~/.aws/`` or the machine's role say.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import io
import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import fsspec
from platformdirs import user_state_path

from bench.errors import UserError, nearest
from bench.ledger.entries import LARGEST, LedgerEntry, folder_of, is_entry_name, too_large
from bench.ledger.files import ENTRIES, LEASES, check_names
from bench.ledger.store import (
    LEASE_SECONDS,
    IndexedFiles,
    LeaseOwner,
    StoredFile,
    StoreListing,
    StoreUnavailableError,
    Written,
    index_line,
    is_dead,
    most_bytes,
    owner_bytes,
    owner_in,
    read_index,
)


def create(fs: Any, path: str, data: bytes) -> None:
    """Write `data` to `path` by a conditional put. Raises FileExistsError where something is there, whole or not."""
    try:
        fs.pipe_file(path, data, mode="create")
    except (FileExistsError, FileNotFoundError, PermissionError):
        raise
    except OSError as error:
        # S3 answers "conflict, try again" to some of those who write at once, and older s3fs has another exception.
        if fs.exists(path):
            raise FileExistsError(path) from error
        if error.errno == errno.ENOSYS:  # a server without conditional puts
            fs.pipe_file(path, data)
        else:
            fs.pipe_file(path, data, mode="create")


LOOK_SECONDS = 60.0
"""How long the store's clock is reckoned from the last look at it."""


@dataclass
class Clock:
    """The store's own time, so that no machine's clock matters; looked up by writing an object."""

    _looked: float = field(default=float("-inf"))
    _then: float = 0.0

    def now(self, fs: Any, folder: str) -> float:
        """Seconds since 1970."""
        if time.monotonic() - self._looked > LOOK_SECONDS:
            fs.pipe_file(f"{folder}/.clock", b"")
            self._then, self._looked = _written(fs, f"{folder}/.clock"), time.monotonic()
        return self._then + time.monotonic() - self._looked


def acquire_object(fs: Any, folder: str, key: str, me: LeaseOwner, clock: Clock) -> bool:
    """Claim `key` unless a living driver has it."""
    there = _claims(fs, folder, key)
    if there:
        newest = f"{folder}/{key}.{there[-1]}"
        owner = _owner(fs, newest)
        if owner == me:
            return True
        if not (owner and is_dead(owner)):
            try:
                age = abs(clock.now(fs, folder) - _written(fs, newest))
            except FileNotFoundError:  # ended since it was listed
                age = LEASE_SECONDS + 1
            except NotImplementedError:  # a file system without times; then claims end only with their process
                age = 0.0
            # A store whose clock was set back has claims in the future, hence the absolute value.
            if age <= LEASE_SECONDS:
                return False
    try:
        create(fs, f"{folder}/{key}.{there[-1] + 1 if there else 0}", owner_bytes(me))
    except FileExistsError:
        return False
    _remove(fs, [f"{folder}/{key}.{number}" for number in there])
    return True


def object_holder(fs: Any, folder: str, key: str) -> LeaseOwner | None:
    """Who has claimed `key`; None where nobody has, or the claim is half written."""
    there = _claims(fs, folder, key)
    return _owner(fs, f"{folder}/{key}.{there[-1]}") if there else None


def renew_object(fs: Any, folder: str, key: str, me: LeaseOwner) -> None:
    """Show that the claim is alive, if it is mine."""
    if mine := _mine(fs, folder, key, me):
        fs.pipe_file(mine, owner_bytes(me))


def release_object(fs: Any, folder: str, key: str, me: LeaseOwner) -> None:
    """End the claim, if it is mine."""
    if mine := _mine(fs, folder, key, me):
        _remove(fs, [mine])


def _mine(fs: Any, folder: str, key: str, me: LeaseOwner) -> str | None:
    there = _claims(fs, folder, key)
    newest = f"{folder}/{key}.{there[-1]}" if there else ""
    return newest if newest and _owner(fs, newest) == me else None


def _claims(fs: Any, folder: str, key: str) -> list[int]:
    """The numbers of a key's claims, lowest first."""
    numbers = [path.rpartition(".")[2] for path in fs.glob(f"{folder}/{key}.*")]
    return sorted(int(number) for number in numbers if number.isdecimal())


def _owner(fs: Any, path: str) -> LeaseOwner | None:
    try:
        return owner_in(fs.cat_file(path))
    except FileNotFoundError:
        return None


def _written(fs: Any, path: str) -> float:
    moment: datetime = fs.modified(path)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _remove(fs: Any, paths: list[str]) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            fs.rm_file(path)


INDEX = "index.jsonl.gz"
"""The index; an object cannot be appended to, so readers write it anew where it lacks much."""
LACKING = 0.1
"""The index is written anew when it lacked this share of the entries: what is transferred stays in proportion."""
LEAST = 8
"""And not for fewer entries than this, which are read about as fast by themselves."""
AT_ONCE = 128
"""Entries that are read at once; some 60 kB each for 10,000 test images."""
PAUSE_SECONDS = 30.0
"""How long a home that did not answer is left alone: each attempt takes seconds, and the run has trials to end."""

_EXTRAS = {"s3": "s3", "s3a": "s3"}
_DENIED = ("Credential", "Token", "SSO", "Unauthorized", "Forbidden")
"""What the names of libraries' exceptions about credentials have in common (botocore's have no common base)."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """An object as a listing has it; see `bench.ledger.store.StoredFile`."""

    path: str
    st_size: int
    st_ctime_ns: int | None

    def stat(self) -> RemoteFile:
        return self


class UrlStore:
    """See `bench.ledger.store.Store`."""

    def __init__(self, url: str) -> None:
        self.root = url.rstrip("/")
        self._fs, path = _file_system(url)
        self._path = path.rstrip("/")
        # A report reads predictions several times. In a temporary folder, removed at the end; entries never change.
        self._once = fsspec.filesystem("simplecache", fs=self._fs)
        name = re.sub(r"[^A-Za-z0-9]+", "-", self.root)[:60].strip("-")
        digest = hashlib.sha256(self.root.encode()).hexdigest()[:12]
        self.local = user_state_path("bench", appauthor=False) / "ledgers" / f"{name}-{digest}"
        self._clock = Clock()
        self._away: tuple[float, StoreUnavailableError] | None = None

    def check(self) -> bool:
        with self._reaching():
            try:
                names = {path.rstrip("/").rpartition("/")[2] for path in self._fs.ls(self._path, detail=False)}
            except FileNotFoundError:
                # Nothing there yet, or no such bucket, which only listing tells.
                names = {ENTRIES} if self._fs.find(f"{self._path}/{ENTRIES}") else set()
        return check_names(self.root, names)

    def check_writable(self) -> None:
        probe = f"{self._path}/{ENTRIES}/.probe"
        with self._reaching():
            self._fs.pipe_file(probe, b"")
            self._fs.rm_file(probe)

    def location(self, name: str) -> str:
        return f"{self.root}/{ENTRIES}/{folder_of(name)}/{name}"

    def listing(self) -> StoreListing:
        with self._reaching():
            found = self._fs.find(f"{self._path}/{ENTRIES}", detail=True)
        listing = StoreListing({}, [])
        for path, info in found.items():
            *_, folder, name = path.split("/")
            if is_entry_name(name) and folder == folder_of(name):
                listing.entries[name] = RemoteFile(path, int(info["size"]), _changed(info))
            elif name.endswith(".npz"):
                listing.unexpected_files.append(f"{self.root}{path.removeprefix(self._path)}")
        return listing

    def names_of(self, key: str) -> Iterable[str]:
        with self._reaching():
            found = self._fs.glob(f"{self._path}/{ENTRIES}/{folder_of(key)}/{key}-*")
        return [name for path in found if is_entry_name(name := path.rpartition("/")[2])]

    def read(self, name: str) -> bytes:
        with self._reaching():
            return bytes(self._once.cat_file(self._object(name)))

    def read_all(self, files: Iterable[tuple[str, StoredFile]]) -> Iterator[tuple[str, bytes | OSError]]:
        left = iter(files)
        while listed := list(islice(left, AT_ONCE)):
            batch = []
            for name, file in listed:
                if file.stat().st_size > LARGEST:
                    yield name, too_large()
                else:
                    batch.append((name, file))
            nothing = [None] * len(batch)
            with self._reaching():
                # Whole files; `cat` would ask for each, one after the other, whether it is there.
                found = self._fs.cat_ranges([file.path for _, file in batch], nothing, nothing, on_error="return")
                for data in found:
                    if isinstance(data, Exception) and not isinstance(data, FileNotFoundError):
                        raise data
            yield from ((name, data) for (name, _), data in zip(batch, found, strict=True))

    def put(self, name: str, data: bytes) -> str:
        path = self._object(name)
        with self._reaching():
            try:
                create(self._fs, path, data)
            except FileExistsError:
                # The name has a digest of the content: the same, unless it was damaged.
                if self._fs.cat_file(path) != data:
                    self._fs.pipe_file(path, data)
        return self.location(name)

    def read_index(self, files: dict[str, StoredFile]) -> IndexedFiles:
        with self._reaching():
            try:
                path = f"{self._path}/{INDEX}"
                if self._fs.size(path) > most_bytes(files):
                    return IndexedFiles([], {})
                with gzip.GzipFile(fileobj=io.BytesIO(self._fs.cat_file(path))) as index:
                    return read_index(index, files)
            except (FileNotFoundError, gzip.BadGzipFile, EOFError, zlib.error):
                return IndexedFiles([], {})

    def add_to_index(self, entry: LedgerEntry) -> None:
        """Nothing: the next reader whom enough is lacking writes the index."""

    def update_index(self, entries: list[Written], everything: Callable[[], Iterable[Written]]) -> None:
        known = list(everything())
        if len(entries) < max(LEAST, LACKING * len(known)):
            return
        lines = b"".join(index_line(entry, state) for entry, state in known)
        with contextlib.suppress(StoreUnavailableError), self._reaching():  # a reader who may not write does without
            self._fs.pipe_file(f"{self._path}/{INDEX}", gzip.compress(lines, 1))

    def distrust(self, name: str) -> None:  # noqa: ARG002
        # The index needs no word: a store that says when an object was changed also says so of one that was damaged.
        self._once.clear_cache()

    def acquire(self, key: str, me: LeaseOwner) -> bool:
        with self._reaching():
            return acquire_object(self._fs, f"{self._path}/{LEASES}", key, me, self._clock)

    def holder(self, key: str) -> LeaseOwner | None:
        with contextlib.suppress(StoreUnavailableError), self._reaching():
            return object_holder(self._fs, f"{self._path}/{LEASES}", key)
        return None

    def renew(self, key: str, me: LeaseOwner) -> None:
        # Where this fails, and where `drop` does, the claim ends by its age.
        with contextlib.suppress(StoreUnavailableError), self._reaching():
            renew_object(self._fs, f"{self._path}/{LEASES}", key, me)

    def release(self, key: str, me: LeaseOwner) -> None:
        with contextlib.suppress(StoreUnavailableError), self._reaching():
            release_object(self._fs, f"{self._path}/{LEASES}", key, me)

    def mark(self, folder: str, name: str) -> None:
        with contextlib.suppress(StoreUnavailableError), self._reaching():
            self._fs.pipe_file(f"{self._path}/{folder}/{name}", b"")

    def marks(self, folder: str) -> list[str]:
        with contextlib.suppress(StoreUnavailableError, FileNotFoundError), self._reaching():
            paths = self._fs.ls(f"{self._path}/{folder}", detail=False, refresh=True)
            return [path.rpartition("/")[2] for path in paths]
        return []

    def _object(self, name: str) -> str:
        return f"{self._path}/{ENTRIES}/{folder_of(name)}/{name}"

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turn whatever a library raises into an AwayError that says what to do."""
        if self._away and time.monotonic() < self._away[0]:
            raise self._away[1]
        try:
            yield
        except UserError:
            raise
        except FileNotFoundError as error:
            if "bucket" not in str(error).lower():
                raise
            raise StoreUnavailableError(
                f"{self.root}: there is no such bucket; make it first, or name another"
            ) from error
        except Exception as error:
            away = _unavailable(self.root, error)
            if not _is_refusal(error):  # that is told at once, and may be of writing only
                self._away = time.monotonic() + PAUSE_SECONDS, away
            raise away from error
        self._away = None


def _file_system(url: str) -> tuple[Any, str]:
    """fsspec's file system for a URL, without a cache of listings, and the path within."""
    protocol, _, place = url.lower().partition(":")
    if not place.strip("/"):
        raise UserError(f"{url}: names no place; write it like s3://BUCKET/PATH")
    known = fsspec.available_protocols()
    if protocol not in known:
        hint = nearest(protocol, known) or "write it like s3://BUCKET/PATH, or name a folder"
        raise UserError(f"{url}: unknown protocol {protocol!r}; {hint}")
    try:
        fs, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        extra = _EXTRAS.get(protocol)
        advice = f"pip install 'bench[{extra}]'" if extra else str(error)
        raise UserError(f"{url}: the library for {protocol}:// is not installed: {advice}") from error
    except Exception as error:  # what a library makes of a URL of its own
        raise UserError(f"{url}: not a ledger's URL: {error or type(error).__name__}") from error
    return fs, str(path)


def _unavailable(url: str, error: Exception) -> StoreUnavailableError:
    reason = str(error) or type(error).__name__
    if isinstance(error, NotImplementedError):
        return StoreUnavailableError(
            f"{url}: a ledger cannot be kept there: {reason}; s3://BUCKET/PATH or a folder can"
        )
    if _is_refusal(error):
        advice = "log in, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        return StoreUnavailableError(
            f"{url}: access was refused: {reason}\n  for S3: {advice}; see `aws sts get-caller-identity`"
        )
    return StoreUnavailableError(
        f"{url}: cannot be reached: {reason}\n  is the address right (AWS_ENDPOINT_URL), and the network up?"
    )


def _is_refusal(error: Exception) -> bool:
    return isinstance(error, PermissionError) or any(word in type(error).__name__ for word in _DENIED)


def _changed(info: dict[str, Any]) -> int | None:
    """A number that differs when an object was written anew, from what the store tells; None where that is nothing."""
    told = [str(info.get(name, "")) for name in ("ETag", "etag", "LastModified", "mtime", "updated", "created")]
    if not any(told):
        return None
    return int.from_bytes(hashlib.sha256("".join(told).encode()).digest()[:7], "big")
