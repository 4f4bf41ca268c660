"""Claims: which driver is at work on which key, so that several drivers share a ledger without doing work twice.

A claim is a file ``claims/<key>`` that names its owner; creating it exclusively is taking it. It ends when it is
released, when its owner is a dead process of this machine, or when nobody has renewed it for ten minutes. Claims
save work and guard nothing: should two drivers ever run one trial, both entries are kept and one counts.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from bench.ledger.durable import cannot_write
from bench.ledger.entry import check_key
from bench.ledger.folder import CLAIMS, check_folder
from bench.ledger.owner import Owner, is_dead, this_process

LEASE_SECONDS = 600.0
"""A claim not renewed for so long is free. Drivers renew every minute, so nine renewals may fail."""


class Claims:
    """The claims of one driver in the ledger `root`.

    A trial may be published between looking at the ledger and claiming its key: so claim first, then
    `Ledger.refresh` and look whether it is still missing. Methods may be called from several threads.
    """

    def __init__(self, root: Path) -> None:
        check_folder(Path(root))
        self._folder = Path(root) / CLAIMS
        self._lock_file = self._folder / ".lock"
        self._me = this_process()
        self._held: set[str] = set()
        self._guard = threading.Lock()

    def claim(self, key: str) -> bool:
        """Take `key`, if nobody else is at work on it; True when it is ours now (or was before).

        Raises UserError when the folder cannot be written.
        """
        path = self._folder / check_key(key)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            taken = self._create(path) or self._is_ours(path) or (self._is_free(path) and self._take_over(path))
        except OSError as error:
            raise cannot_write(path, error) from error
        if taken:
            with self._guard:
                self._held.add(key)
        return taken

    def release(self, key: str) -> None:
        """Give `key` back; nothing happens when it is not ours (any more)."""
        path = self._folder / check_key(key)
        with self._guard:
            self._held.discard(key)
        # Where this fails the claim ends by its age.
        with contextlib.suppress(OSError), self._locked():
            if self._is_ours(path):
                path.unlink()

    def release_all(self) -> None:
        """Give back all that are held."""
        for key in self._snapshot():
            self.release(key)

    def renew_all(self) -> None:
        """Show that this driver is still at work; to be called about once a minute."""
        for key in self._snapshot():
            path = self._folder / key
            with contextlib.suppress(OSError):
                if self._is_ours(path):
                    os.utime(path)  # without a time given, a file server sets its own

    def _snapshot(self) -> list[str]:
        with self._guard:
            return sorted(self._held)

    def _create(self, path: Path) -> bool:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            return False
        try:
            os.write(descriptor, json.dumps(asdict(self._me)).encode())
        except OSError:
            path.unlink()
            raise
        finally:
            os.close(descriptor)
        return True

    def _take_over(self, path: Path) -> bool:
        # Two drivers may find the same claim dead. The lock, which the system frees when its holder dies, lets the
        # second look again and see the first one's new claim. A third may create one in between: then we lose.
        with self._locked():
            if not self._is_free(path):
                return False
            path.unlink(missing_ok=True)
            return self._create(path)

    def _is_ours(self, path: Path) -> bool:
        return _owner(path) == self._me

    def _is_free(self, path: Path) -> bool:
        owner = _owner(path)
        try:
            renewed = path.stat().st_mtime
        except FileNotFoundError:
            return True
        if owner and is_dead(owner):
            return True
        # Both times are the file system's: no matter whose clock is wrong. Should that one be set back, claims lie in
        # the future until they are renewed, hence the absolute value.
        self._lock_file.touch()
        return abs(self._lock_file.stat().st_mtime - renewed) > LEASE_SECONDS

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with self._lock_file.open("ab") as file:
            # A file system without locks leaves a small chance of a trial run twice, which does no harm.
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _owner(path: Path) -> Owner | None:
    """Who a claim names; None where it is gone or half written."""
    try:
        owner = Owner(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    return owner if isinstance(owner.pid, int) and owner.pid > 0 else None
