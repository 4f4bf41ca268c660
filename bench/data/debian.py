"""Fetching a dataset from Debian's package of it, as an ordinary user and without installing anything."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.data.catalogue import DatasetInfo
from bench.data.mirrors import Notify, RouteError, first_line
from bench.data.places import Place, look
from bench.data.verify import verify
from bench.suite.errors import UserError

LIMIT_SECONDS = 600.0

# apt's own patience is 30 seconds and three more tries for each source.
_IMPATIENT = ("-o", "Acquire::http::Timeout=10", "-o", "Acquire::https::Timeout=10", "-o", "Acquire::Retries=0")


def from_debian(info: DatasetInfo, into: Path, scratch: Path, notify: Notify) -> None:
    """Fetch the files into a folder; `scratch` is an empty folder on the same disk.

    Raises
    ------
    RouteError
        No package, no apt, or apt could not get it, or it holds other files; says which.
    """
    package = info.debian_package
    if package is None:
        raise RouteError("Debian has no package of it")
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise RouteError(f"{tool} is not on this machine (the route needs Debian or a relative of it)")
    notify(f"{info.name}: downloading Debian's package {package}")
    archive = _archive(package, scratch, notify)
    unpacked = scratch / "unpacked"
    _run(["dpkg-deb", "-x", str(archive), str(unpacked)], scratch)
    root = unpacked / "usr/share/datasets"
    paths, reason = look(info, Place(package, root, tuple(root / folder for folder in info.folders)))
    if paths is None:
        raise RouteError(f"the package's usr/share/datasets: {reason}")
    for file, path in zip(info.files, paths, strict=True):
        try:
            verify(info, file, path)
        except UserError as error:
            raise RouteError(f"the package is not as expected: {first_line(error)}") from error
        path.replace(into / path.name)


def _archive(package: str, scratch: Path, notify: Notify) -> Path:
    """The downloaded ``.deb``; with lists of our own where the system's do not lead to it."""
    try:
        _run(["apt-get", *_IMPATIENT, "download", package], scratch)
    except RouteError as first:
        # A fresh container has no package lists, old lists name versions that are gone, and only root may update them.
        notify(f"{package}: {first}; trying again with fresh package lists")
        for folder in ("lists", "cache"):
            (scratch / folder).mkdir()
        # Root's apt would drop to a user who may not enter our private folder.
        own = (
            *_IMPATIENT,
            *("-o", f"Dir::State::Lists={scratch / 'lists'}"),
            *("-o", f"Dir::Cache={scratch / 'cache'}"),
            *("-o", "APT::Sandbox::User=root"),
        )
        # `update` may end well with a source out of reach and badly with the right lists there: the download decides.
        try:
            warnings = _complaints(_run(["apt-get", *own, "update"], scratch))
        except RouteError as error:
            warnings = str(error)
        try:
            _run(["apt-get", *own, "download", package], scratch)
        except RouteError as second:
            raise RouteError("; ".join(filter(None, (str(second), warnings)))) from second
    archives = sorted(scratch.glob("*.deb"))
    if not archives:
        raise RouteError(f"`apt-get download {package}` left no .deb file")
    return archives[-1]


def _run(command: Sequence[str], folder: Path) -> str:
    """The standard error of a command that ended well; RouteError otherwise."""
    what = " ".join(word for word in command if word in {"apt-get", "update", "download", "dpkg-deb", "-x"})
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT_SECONDS,
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RouteError(f"`{what}` took longer than {LIMIT_SECONDS:g} seconds") from error
    except OSError as error:
        raise RouteError(f"`{what}` cannot be run: {error.strerror or error}") from error
    if done.returncode:
        raise RouteError(f"`{what}` failed: {_complaints(done.stderr) or f'exit code {done.returncode}'}")
    return done.stderr


def _complaints(text: str) -> str:
    """The first two complaints: apt marks its errors E: and W:, dpkg-deb says its own name."""
    lines = [line.strip() for line in text.splitlines()]
    return "; ".join([line for line in lines if line.startswith(("E:", "W:", "dpkg"))][:2])
