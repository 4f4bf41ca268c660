"""A store at any URL of fsspec: ``s3://bucket/path``, ``gs://``, ``az://``, ``sftp://``, ...

A file is written by one put, on condition that there is none (``If-None-Match: *`` on S3) where asked, which object
stores do completely or not at all. Elsewhere a killed writer may leave half an entry; its digest detects that, it is
reported, and its trial runs again. The libraries configure clients and credentials: for S3 by ``AWS_*`` variables,
``~/.aws/`` or the machine's role.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import re
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Literal

import fsspec
from platformdirs import user_state_path

from bench.errors import UserError, nearest
from bench.jsonutil import JsonObject
from bench.ledger.entries import MAX_ENTRY_BYTES, DamagedEntryError, check_digest, too_large
from bench.ledger.store import ENTRIES, StoredFile, StoreUnavailableError, check_names

BATCH_SIZE = 128
"""Files that are read concurrently; an entry has some 280 kB for 10,000 test images of 10 classes."""
RETRY_AFTER_SECONDS = 30.0
"""How long an unavailable store is not tried again: each attempt takes seconds."""

_EXTRAS = {"s3": "s3", "s3a": "s3"}
_MISSING_BUCKET = re.compile(r"NoSuchBucket|(bucket|container) does not exist", re.IGNORECASE)
"""In an error's text; a path may have the word too."""
_CREDENTIAL_ERRORS = ("Credential", "Token", "SSO", "Unauthorized", "Forbidden")
"""Parts of the names of exceptions about credentials (botocore's have no common base class)."""
_CHANGE_ATTRIBUTES = ("ETag", "etag", "LastModified", "mtime", "updated", "created")
_TIME_ATTRIBUTES = ("LastModified", "mtime", "updated", "last_modified", "modified", "created")
"""What file systems of fsspec call the time of the latest write."""


class UrlStore:
    """See `bench.ledger.store.Store`."""

    def __init__(self, url: str) -> None:
        self.root = url.rstrip("/")
        self._fs, path = _file_system(url)
        self._path = path.rstrip("/")
        # Reports read predictions several times. The cache is a temporary folder; entries never change.
        self._cached = fsspec.filesystem("simplecache", fs=self._fs)
        name = re.sub(r"[^A-Za-z0-9]+", "-", self.root)[:60].strip("-")
        digest = hashlib.sha256(self.root.encode()).hexdigest()[:12]
        self.local = user_state_path("bench", appauthor=False) / "ledgers" / f"{name}-{digest}"
        self._unavailable_until: tuple[float, StoreUnavailableError] | None = None

    def check(self, writable: bool = False) -> bool:
        with self._reaching():
            try:
                names = {path.rstrip("/").rpartition("/")[2] for path in self._fs.ls(self._path, detail=False)}
            except FileNotFoundError:
                # No ledger yet, or no such bucket: only listing distinguishes the two.
                names = {ENTRIES} if self._fs.find(f"{self._path}/{ENTRIES}") else set()
        exists = check_names(self.root, names)
        if writable:
            self.write(f"{ENTRIES}/.probe", b"")
            self.delete(f"{ENTRIES}/.probe")
        return exists

    def list(self, folder: str) -> dict[str, StoredFile]:
        with contextlib.suppress(FileNotFoundError), self._reaching():
            files = self._fs.find(self._full(folder), detail=True)
            return {path.removeprefix(self._full("")): _stored_file(info) for path, info in files.items()}
        return {}

    def read(self, path: str, max_bytes: int = MAX_ENTRY_BYTES) -> bytes:
        with self._reaching():
            if path.startswith(f"{ENTRIES}/") and path.endswith(".npz"):  # not weights, which are large and read once
                return self._read_cached(path)
            if self._fs.size(self._full(path)) <= max_bytes:
                return bytes(self._fs.cat_file(self._full(path)))
        raise too_large()

    def read_many(self, files: Iterable[tuple[str, StoredFile]]) -> Iterator[tuple[str, bytes | OSError]]:
        remaining = iter(files)
        while listed := list(islice(remaining, BATCH_SIZE)):
            yield from ((path, too_large()) for path, file in listed if file.size > MAX_ENTRY_BYTES)
            batch = [path for path, file in listed if file.size <= MAX_ENTRY_BYTES]
            whole_file = [None] * len(batch)
            with self._reaching():
                # `cat` would check each file's existence, one after the other.
                contents = self._fs.cat_ranges(
                    [self._full(path) for path in batch], whole_file, whole_file, on_error="return"
                )
                for data in contents:
                    if isinstance(data, Exception) and not isinstance(data, FileNotFoundError):
                        raise data
            yield from zip(batch, contents, strict=True)

    def write(self, path: str, data: bytes, if_absent: bool = False) -> None:
        with self._reaching():
            if if_absent:
                _create(self._fs, self._full(path), data)
            else:
                _put(self._fs, self._full(path), data)

    def delete(self, path: str) -> None:
        with self._reaching(), contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._full(path))

    def _full(self, path: str) -> str:
        return f"{self._path}/{path}"

    def _read_cached(self, path: str) -> bytes:
        data = bytes(self._cached.cat_file(self._full(path)))
        try:
            check_digest(path.rpartition("/")[2], data)
        except DamagedEntryError:
            self._cached.clear_cache()  # it may be mended meanwhile
        return data

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turn exceptions of libraries into a StoreUnavailableError that says what to do."""
        if self._unavailable_until and time.monotonic() < self._unavailable_until[0]:
            raise self._unavailable_until[1]
        try:
            yield
        except (UserError, FileExistsError):
            raise
        except FileNotFoundError as error:
            if not _is_missing_bucket(error):
                raise
            raise StoreUnavailableError(
                f"{self.root}: there is no such bucket; make it first, or name another"
            ) from error
        except Exception as error:
            unavailable = _unavailable(self.root, error)
            if not _is_refusal(error):  # which is reported at once, and may concern writing only
                self._unavailable_until = time.monotonic() + RETRY_AFTER_SECONDS, unavailable
            raise unavailable from error
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
        advice = f"pip install 'benchgrid[{extra}]'" if extra else str(error)
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


def _put(fs: Any, path: str, data: bytes, mode: Literal["overwrite", "create"] = "overwrite") -> None:
    """Write `data` to `path`, with the folders above it on file systems that have folders, such as SFTP."""
    try:
        fs.pipe_file(path, data, mode=mode)
    except FileNotFoundError as error:
        if _is_missing_bucket(error):  # some libraries would create it
            raise
        fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        fs.pipe_file(path, data, mode=mode)


def _create(fs: Any, path: str, data: bytes) -> None:
    """Write `data` to `path` by a conditional put. Raises FileExistsError where the object exists, complete or not."""
    try:
        _put(fs, path, data, "create")
    except (FileExistsError, FileNotFoundError, PermissionError):
        raise
    except OSError as error:
        # S3 answers "conflict" to some concurrent writers, and older s3fs raises another exception.
        if fs.exists(path):
            raise FileExistsError(path) from error
        _put(fs, path, data, "overwrite" if error.errno == errno.ENOSYS else "create")  # ENOSYS: no conditional puts


def _is_missing_bucket(error: FileNotFoundError) -> bool:
    return _MISSING_BUCKET.search(str(error)) is not None


def _stored_file(info: JsonObject) -> StoredFile:
    """What a listing's attributes say of an object."""
    attributes = "".join(str(info.get(name, "")) for name in _CHANGE_ATTRIBUTES)
    digest = hashlib.sha256(attributes.encode()).digest()
    changed = int.from_bytes(digest[:7], "big") if attributes else None
    modified = next((info[name] for name in _TIME_ATTRIBUTES if info.get(name)), None)
    if isinstance(modified, str):
        modified = datetime.fromisoformat(modified)
    if isinstance(modified, datetime):
        modified = (modified if modified.tzinfo else modified.replace(tzinfo=UTC)).timestamp()
    return StoredFile(int(info["size"] or 0), changed, modified)
