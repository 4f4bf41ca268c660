"""A store at any URL of fsspec: ``s3://bucket/path``, ``gs://``, ``az://``, ``sftp://``, ...

An entry is stored by a conditional put (``If-None-Match: *`` on S3), which object stores do completely or not at all.
Elsewhere a killed writer may leave half an entry; its digest detects that, it is reported, and its trial runs again.
The libraries configure clients and credentials: for S3 by ``AWS_*`` variables, ``~/.aws/`` or the machine's role.
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
from typing import Any, Literal

import fsspec
from platformdirs import user_state_path

from bench.errors import UserError, nearest
from bench.ledger.entries import MAX_ENTRY_BYTES, LedgerEntry, folder_of, is_entry_name, too_large
from bench.ledger.files import ENTRIES, LEASES, check_names
from bench.ledger.store import (
    LEASE_SECONDS,
    EntryState,
    IndexedFiles,
    LeaseOwner,
    StoredFile,
    StoreListing,
    StoreUnavailableError,
    index_line,
    is_dead,
    max_index_bytes,
    owner_bytes,
    owner_in,
    read_index,
)


def write(fs: Any, path: str, data: bytes, mode: Literal["overwrite", "create"] = "overwrite") -> None:
    """Write `data` to `path`, with the folders above it on file systems that have folders, such as SFTP."""
    try:
        fs.pipe_file(path, data, mode=mode)
    except FileNotFoundError as error:
        if _is_missing_bucket(error):  # some libraries would create it
            raise
        fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        fs.pipe_file(path, data, mode=mode)


def _is_missing_bucket(error: FileNotFoundError) -> bool:
    return _MISSING_BUCKET.search(str(error)) is not None


def write_if_absent(fs: Any, path: str, data: bytes) -> None:
    """Write `data` to `path` by a conditional put. Raises FileExistsError where the object exists, complete or not."""
    try:
        write(fs, path, data, "create")
    except (FileExistsError, FileNotFoundError, PermissionError):
        raise
    except OSError as error:
        # S3 answers "conflict" to some concurrent writers, and older s3fs raises another exception.
        if fs.exists(path):
            raise FileExistsError(path) from error
        write(fs, path, data, "overwrite" if error.errno == errno.ENOSYS else "create")  # ENOSYS: no conditional puts


CLOCK_SECONDS = 60.0
"""How long the store's clock is extrapolated from its last reading."""


@dataclass
class Clock:
    """The store's clock, which is read by writing an object; the machines' clocks are not used."""

    _looked: float = field(default=float("-inf"))
    _then: float = 0.0

    def now(self, fs: Any, folder: str) -> float:
        """Seconds since 1970."""
        if time.monotonic() - self._looked > CLOCK_SECONDS:
            write(fs, f"{folder}/.clock", b"")
            self._then, self._looked = _modified_time(fs, f"{folder}/.clock"), time.monotonic()
        return self._then + time.monotonic() - self._looked


def acquire_object(fs: Any, folder: str, key: str, owner: LeaseOwner, clock: Clock) -> bool:
    """Acquire the lease of `key` unless a living driver has it."""
    numbers = _lease_numbers(fs, folder, key)
    if numbers:
        newest = f"{folder}/{key}.{numbers[-1]}"
        holder = _read_owner(fs, newest)
        if holder == owner:
            return True
        if not (holder and is_dead(holder)):
            try:
                age = abs(clock.now(fs, folder) - _modified_time(fs, newest))
            except FileNotFoundError:  # released since it was listed
                age = LEASE_SECONDS + 1
            except NotImplementedError:  # a file system without times: leases expire with their process only
                age = 0.0
            # A store whose clock was set back has leases in the future, hence the absolute value.
            if age <= LEASE_SECONDS:
                return False
    try:
        write_if_absent(fs, f"{folder}/{key}.{numbers[-1] + 1 if numbers else 0}", owner_bytes(owner))
    except FileExistsError:
        return False
    _remove(fs, [f"{folder}/{key}.{number}" for number in numbers])
    return True


def object_holder(fs: Any, folder: str, key: str) -> LeaseOwner | None:
    """Who has the lease of `key`; None where nobody has, or it is half written."""
    numbers = _lease_numbers(fs, folder, key)
    return _read_owner(fs, f"{folder}/{key}.{numbers[-1]}") if numbers else None


def renew_object(fs: Any, folder: str, key: str, owner: LeaseOwner) -> None:
    """Renew the lease, if `owner` has it."""
    if path := _own_lease(fs, folder, key, owner):
        fs.pipe_file(path, owner_bytes(owner))


def release_object(fs: Any, folder: str, key: str, owner: LeaseOwner) -> None:
    """Release the lease, if `owner` has it."""
    if path := _own_lease(fs, folder, key, owner):
        _remove(fs, [path])


def _own_lease(fs: Any, folder: str, key: str, owner: LeaseOwner) -> str | None:
    numbers = _lease_numbers(fs, folder, key)
    newest = f"{folder}/{key}.{numbers[-1]}" if numbers else ""
    return newest if newest and _read_owner(fs, newest) == owner else None


def _lease_numbers(fs: Any, folder: str, key: str) -> list[int]:
    """The numbers of a key's leases, lowest first."""
    numbers = [path.rpartition(".")[2] for path in fs.glob(f"{folder}/{key}.*")]
    return sorted(int(number) for number in numbers if number.isdecimal())


def _read_owner(fs: Any, path: str) -> LeaseOwner | None:
    try:
        return owner_in(fs.cat_file(path))
    except FileNotFoundError:
        return None


def _modified_time(fs: Any, path: str) -> float:
    moment: datetime = fs.modified(path)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _remove(fs: Any, paths: list[str]) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            fs.rm_file(path)


INDEX = "index.jsonl.gz"
"""The index; objects cannot be appended to, so readers rewrite it where it lacks many entries."""
STALE_INDEX_FRACTION = 0.1
"""The index is rewritten where it lacks this fraction of the entries."""
MIN_NEW_ENTRIES = 8
"""The index is not rewritten for fewer new entries than this."""
BATCH_SIZE = 128
"""Entries that are read concurrently; some 280 kB each for 10,000 test images of 10 classes."""
RETRY_AFTER_SECONDS = 30.0
"""How long an unavailable store is not tried again: each attempt takes seconds."""

_EXTRAS = {"s3": "s3", "s3a": "s3"}
_MISSING_BUCKET = re.compile(r"NoSuchBucket|(bucket|container) does not exist", re.IGNORECASE)
"""In an error's text; a path may have the word too."""
_CREDENTIAL_ERRORS = ("Credential", "Token", "SSO", "Unauthorized", "Forbidden")
"""Parts of the names of exceptions about credentials (botocore's have no common base class)."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A listed object; see `bench.ledger.store.StoredFile`."""

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
        # Reports read predictions several times. The cache is a temporary folder; entries never change.
        self._once = fsspec.filesystem("simplecache", fs=self._fs)
        name = re.sub(r"[^A-Za-z0-9]+", "-", self.root)[:60].strip("-")
        digest = hashlib.sha256(self.root.encode()).hexdigest()[:12]
        self.local = user_state_path("bench", appauthor=False) / "ledgers" / f"{name}-{digest}"
        self._clock = Clock()
        self._unavailable_until: tuple[float, StoreUnavailableError] | None = None

    def check(self) -> bool:
        with self._reaching():
            try:
                names = {path.rstrip("/").rpartition("/")[2] for path in self._fs.ls(self._path, detail=False)}
            except FileNotFoundError:
                # No ledger yet, or no such bucket: only listing distinguishes the two.
                names = {ENTRIES} if self._fs.find(f"{self._path}/{ENTRIES}") else set()
        return check_names(self.root, names)

    def check_writable(self) -> None:
        probe = f"{self._path}/{ENTRIES}/.probe"
        with self._reaching():
            write(self._fs, probe, b"")
            self._fs.rm_file(probe)

    def location(self, name: str) -> str:
        return f"{self.root}/{ENTRIES}/{folder_of(name)}/{name}"

    def listing(self) -> StoreListing:
        with self._reaching():
            objects = self._fs.find(f"{self._path}/{ENTRIES}", detail=True)
        listing = StoreListing({}, [])
        for path, info in objects.items():
            *_, folder, name = path.split("/")
            if is_entry_name(name) and folder == folder_of(name):
                listing.entries[name] = RemoteFile(path, int(info["size"]), _change_number(info))
            elif name.endswith(".npz"):
                listing.unexpected_files.append(f"{self.root}{path.removeprefix(self._path)}")
        return listing

    def names_of(self, key: str) -> Iterable[str]:
        with self._reaching():
            paths = self._fs.glob(f"{self._path}/{ENTRIES}/{folder_of(key)}/{key}-*")
        return [name for path in paths if is_entry_name(name := path.rpartition("/")[2])]

    def read(self, name: str) -> bytes:
        with self._reaching():
            return bytes(self._once.cat_file(self._object(name)))

    def read_all(self, files: Iterable[tuple[str, StoredFile]]) -> Iterator[tuple[str, bytes | OSError]]:
        remaining = iter(files)
        while listed := list(islice(remaining, BATCH_SIZE)):
            batch = []
            for name, file in listed:
                if file.stat().st_size > MAX_ENTRY_BYTES:
                    yield name, too_large()
                else:
                    batch.append((name, file))
            whole_file = [None] * len(batch)
            with self._reaching():
                # `cat` would check each file's existence, one after the other.
                contents = self._fs.cat_ranges(
                    [file.path for _, file in batch], whole_file, whole_file, on_error="return"
                )
                for data in contents:
                    if isinstance(data, Exception) and not isinstance(data, FileNotFoundError):
                        raise data
            yield from ((name, data) for (name, _), data in zip(batch, contents, strict=True))

    def put(self, name: str, data: bytes) -> str:
        path = self._object(name)
        with self._reaching():
            try:
                write_if_absent(self._fs, path, data)
            except FileExistsError:
                # The name has a digest of the content, which is equal unless it was damaged.
                if self._fs.cat_file(path) != data:
                    self._fs.pipe_file(path, data)
        return self.location(name)

    def read_index(self, files: dict[str, StoredFile]) -> IndexedFiles:
        with self._reaching():
            try:
                path = f"{self._path}/{INDEX}"
                if self._fs.size(path) > max_index_bytes(files):
                    return IndexedFiles([], {})
                with gzip.GzipFile(fileobj=io.BytesIO(self._fs.cat_file(path))) as index:
                    return read_index(index, files)
            except (FileNotFoundError, gzip.BadGzipFile, EOFError, zlib.error):
                return IndexedFiles([], {})

    def add_to_index(self, entry: LedgerEntry) -> None:
        """Nothing: readers rewrite the index."""

    def update_index(self, entries: list[EntryState], everything: Callable[[], Iterable[EntryState]]) -> None:
        all_entries = list(everything())
        if len(entries) < max(MIN_NEW_ENTRIES, STALE_INDEX_FRACTION * len(all_entries)):
            return
        lines = b"".join(index_line(entry, state) for entry, state in all_entries)
        with contextlib.suppress(StoreUnavailableError), self._reaching():  # a reader may have no permission to write
            self._fs.pipe_file(f"{self._path}/{INDEX}", gzip.compress(lines, 1))

    def distrust(self, name: str) -> None:  # noqa: ARG002
        # The index needs no change: the store's change number of a damaged object differs from that in its line.
        self._once.clear_cache()

    def acquire(self, key: str, owner: LeaseOwner) -> bool:
        with self._reaching():
            return acquire_object(self._fs, f"{self._path}/{LEASES}", key, owner, self._clock)

    def holder(self, key: str) -> LeaseOwner | None:
        with contextlib.suppress(StoreUnavailableError), self._reaching():
            return object_holder(self._fs, f"{self._path}/{LEASES}", key)
        return None

    def renew(self, key: str, owner: LeaseOwner) -> None:
        # Where this or `release` fails, the lease expires.
        with contextlib.suppress(StoreUnavailableError), self._reaching():
            renew_object(self._fs, f"{self._path}/{LEASES}", key, owner)

    def release(self, key: str, owner: LeaseOwner) -> None:
        with contextlib.suppress(StoreUnavailableError), self._reaching():
            release_object(self._fs, f"{self._path}/{LEASES}", key, owner)

    def mark(self, folder: str, name: str) -> None:
        with contextlib.suppress(StoreUnavailableError), self._reaching():
            write(self._fs, f"{self._path}/{folder}/{name}", b"")

    def marks(self, folder: str) -> list[str]:
        with contextlib.suppress(StoreUnavailableError, FileNotFoundError), self._reaching():
            paths = self._fs.ls(f"{self._path}/{folder}", detail=False)
            return [path.rpartition("/")[2] for path in paths]
        return []

    def _object(self, name: str) -> str:
        return f"{self._path}/{ENTRIES}/{folder_of(name)}/{name}"

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turn exceptions of libraries into a StoreUnavailableError that says what to do."""
        if self._unavailable_until and time.monotonic() < self._unavailable_until[0]:
            raise self._unavailable_until[1]
        try:
            yield
        except UserError:
            raise
        except FileNotFoundError as error:
            if not _is_missing_bucket(error):
                raise
            raise StoreUnavailableError(
                f"{self.root}: there is no such bucket; make it first, or name another"
            ) from error
        except Exception as error:
            away = _unavailable(self.root, error)
            if not _is_refusal(error):  # which is reported at once, and may concern writing only
                self._unavailable_until = time.monotonic() + RETRY_AFTER_SECONDS, away
            raise away from error
        self._unavailable_until = None


def _file_system(url: str) -> tuple[Any, str]:
    """fsspec's file system for a URL, without a cache of listings, and the path within."""
    protocol, _, location = url.lower().partition(":")
    if not location.strip("/"):
        raise UserError(f"{url}: names no location; write it like s3://BUCKET/PATH")
    protocols = fsspec.available_protocols()
    if protocol not in protocols:
        hint = nearest(protocol, protocols) or "write it like s3://BUCKET/PATH, or name a folder"
        raise UserError(f"{url}: unknown protocol {protocol!r}; {hint}")
    try:
        fs, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        extra = _EXTRAS.get(protocol)
        advice = f"pip install 'bench[{extra}]'" if extra else str(error)
        raise UserError(f"{url}: the library for {protocol}:// is not installed: {advice}") from error
    except Exception as error:  # whatever a library raises for its URLs
        raise UserError(f"{url}: not a ledger's URL: {error or type(error).__name__}") from error
    return fs, str(path)


def _unavailable(url: str, error: Exception) -> StoreUnavailableError:
    reason = str(error) or type(error).__name__
    if isinstance(error, NotImplementedError):
        return StoreUnavailableError(
            f"{url}: a ledger cannot be stored there: {reason}; s3://BUCKET/PATH or a folder can"
        )
    if _is_refusal(error):
        hint = "log in, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        return StoreUnavailableError(
            f"{url}: access was refused: {reason}\n  for S3: {hint}; see `aws sts get-caller-identity`"
        )
    return StoreUnavailableError(
        f"{url}: cannot be reached: {reason}\n  is the address right (AWS_ENDPOINT_URL), and the network up?"
    )


def _is_refusal(error: Exception) -> bool:
    return isinstance(error, PermissionError) or any(word in type(error).__name__ for word in _CREDENTIAL_ERRORS)


def _change_number(info: dict[str, Any]) -> int | None:
    """A number that changes when an object is rewritten, from its attributes; None where there are none."""
    attributes = [str(info.get(name, "")) for name in ("ETag", "etag", "LastModified", "mtime", "updated", "created")]
    if not any(attributes):
        return None
    return int.from_bytes(hashlib.sha256("".join(attributes).encode()).digest()[:7], "big")
