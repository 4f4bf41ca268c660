"""Fetching a data set's files from its public mirrors or from Debian's package of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.data.catalogue import DatasetInfo, FileInfo
from bench.data.file_formats import verify
from bench.data.local_files import SearchPath, locate
from bench.errors import UserError

LIMIT_SECONDS = 600.0

# apt's own patience is 30 seconds and three more tries for each source.
_IMPATIENT = ("-o", "Acquire::http::Timeout=10", "-o", "Acquire::https::Timeout=10", "-o", "Acquire::Retries=0")


def from_debian(info: DatasetInfo, into: Path, scratch: Path, notify: Notify) -> None:
    """Fetch the files into a folder; `scratch` is an empty folder on the same disk.

    Raises
    ------
    SourceError
        No package, no apt, or apt could not get it, or it holds other files; says which.
    """
    package = info.debian_package
    if package is None:
        raise SourceError("Debian has no package of it")
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise SourceError(f"{tool} is not on this machine (this source needs Debian or a relative of it)")
    notify(f"{info.name}: downloading Debian's package {package}")
    archive = _archive(package, scratch, notify)
    unpacked = scratch / "unpacked"
    _run(["dpkg-deb", "-x", str(archive), str(unpacked)], scratch)
    root = unpacked / "usr/share/datasets"
    paths, reason = locate(info, SearchPath(package, root, tuple(root / folder for folder in info.folders)))
    if paths is None:
        raise SourceError(f"the package's usr/share/datasets: {reason}")
    for file, path in zip(info.files, paths, strict=True):
        try:
            verify(info, file, path)
        except UserError as error:
            raise SourceError(f"the package is not as expected: {first_line(error)}") from error
        path.replace(into / path.name)


def _archive(package: str, scratch: Path, notify: Notify) -> Path:
    """The downloaded ``.deb``; with lists of our own where the system's do not lead to it."""
    try:
        _run(["apt-get", *_IMPATIENT, "download", package], scratch)
    except SourceError as first:
        # A fresh container has no package lists, old lists name versions that are gone, and only root may update them.
        notify(f"{package}: {first}; trying again with fresh package lists")
        for folder in ("lists", "cache"):
            (scratch / folder).mkdir()
        # Root's apt would drop to a user who may not enter our private folder.
        user_options = (
            *_IMPATIENT,
            *("-o", f"Dir::State::Lists={scratch / 'lists'}"),
            *("-o", f"Dir::Cache={scratch / 'cache'}"),
            *("-o", "APT::Sandbox::User=root"),
        )
        # `update` may end well with a source out of reach and badly with the right lists there: the download decides.
        try:
            warnings = _complaints(_run(["apt-get", *user_options, "update"], scratch))
        except SourceError as error:
            warnings = str(error)
        try:
            _run(["apt-get", *user_options, "download", package], scratch)
        except SourceError as second:
            raise SourceError("; ".join(filter(None, (str(second), warnings)))) from second
    archives = sorted(scratch.glob("*.deb"))
    if not archives:
        raise SourceError(f"`apt-get download {package}` left no .deb file")
    return archives[-1]


def _run(command: Sequence[str], folder: Path) -> str:
    """The standard error of a command that ended well; SourceError otherwise."""
    command_name = " ".join(word for word in command if word in {"apt-get", "update", "download", "dpkg-deb", "-x"})
    try:
        completed = subprocess.run(
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
        raise SourceError(f"`{command_name}` took longer than {LIMIT_SECONDS:g} seconds") from error
    except OSError as error:
        raise SourceError(f"`{command_name}` cannot be run: {error.strerror or error}") from error
    if completed.returncode:
        raise SourceError(
            f"`{command_name}` failed: {_complaints(completed.stderr) or f'exit code {completed.returncode}'}"
        )
    return completed.stderr


def _complaints(text: str) -> str:
    """The first two complaints: apt marks its errors E: and W:, dpkg-deb says its own name."""
    lines = [line.strip() for line in text.splitlines()]
    return "; ".join([line for line in lines if line.startswith(("E:", "W:", "dpkg"))][:2])


Notify = Callable[[str], None]

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
ANSWER_SECONDS = 10.0
"""Until a server must have begun to answer, name look-up and all of its addresses included.

Requests' own connect timeout covers neither the look-up nor a host with eight dead addresses.
"""


class SourceError(Exception):
    """A source that did not give the files; the message is the reason."""


def from_mirrors(info: DatasetInfo, into: Path, scratch: Path, notify: Notify) -> None:
    """Fetch the files as distributed into a folder, each from the first mirror that gives the right bytes.

    Files arrive in `scratch`, an empty folder on the same disk, and are moved once they are verified.

    Raises
    ------
    SourceError
        A file came from no mirror; says why for each.
    """
    missing = list(info.files)
    reasons = []
    for mirror in info.mirrors:
        try:
            while missing:
                notify(f"{info.name}: downloading {missing[0].distributed} from {mirror}")
                _download(info, missing[0], mirror, scratch).replace(into / missing[0].distributed)
                missing.pop(0)
        except SourceError as error:
            notify(f"{info.name}: {mirror}: {error}")
            reasons.append(f"{mirror}: {error}")
    if missing:
        raise SourceError("; ".join(reasons) or "it has no mirrors")


def first_line(error: Exception) -> str:
    """What is wrong, without the advice below it, which is for files that the user put there."""
    return str(error).partition("\n")[0]


def _download(info: DatasetInfo, file: FileInfo, mirror: str, folder: Path) -> Path:
    answered = threading.Event()
    failures: list[Exception] = []

    def work() -> None:
        try:
            _retrieve(f"{mirror}{file.distributed}", file, folder, answered)
        except Exception as error:
            failures.append(error)
        finally:
            answered.set()

    # A daemon, so that a name look-up that hangs keeps neither us nor the end of the process waiting.
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    if not answered.wait(ANSWER_SECONDS):
        raise SourceError(f"no answer within {ANSWER_SECONDS:g} seconds")
    thread.join()
    if failures:
        raise SourceError(_reason(file, failures[0])) from failures[0]
    path = folder / file.distributed
    try:
        verify(info, file, path)
    except UserError as error:
        raise SourceError(f"what came is not the file: {first_line(error)}") from error
    return path


def _retrieve(url: str, file: FileInfo, folder: Path, answered: threading.Event) -> None:
    import pooch

    def mark_answered(*_: Any, **__: Any) -> None:
        answered.set()

    # pooch announces downloads on standard error; the caller decides what is printed and where.
    pooch.get_logger().setLevel("WARNING")
    downloader = pooch.HTTPDownloader(
        chunk_size=1 << 16,
        timeout=(CONNECT_SECONDS, READ_SECONDS),
        headers={"Accept-Encoding": "identity"},
        hooks={"response": mark_answered},
    )
    pooch.retrieve(url, known_hash=f"md5:{file.md5}", fname=file.distributed, path=folder, downloader=downloader)


def _reason(file: FileInfo, error: Exception) -> str:
    """One line, without the layers of wrapping that requests and urllib3 put around it."""
    import requests

    if isinstance(error, requests.Timeout):
        return f"no answer within {CONNECT_SECONDS:g} to {READ_SECONDS:g} seconds"
    if isinstance(error, requests.ConnectionError):
        cause = getattr(error.args[0], "reason", error) if error.args else error
        return str(cause).split(": ", 1)[-1]
    if isinstance(error, ValueError) and not isinstance(error, requests.RequestException):
        return (
            f"what came is not {file.distributed} (its MD5 is not {file.md5}): "
            "the download is damaged, or a proxy answered"
        )
    return str(error)
