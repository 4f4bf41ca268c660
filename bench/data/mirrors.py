"""Fetching a dataset's files from its public mirrors."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.data.catalogue import DatasetInfo, FileInfo
from bench.data.verify import verify
from bench.suite.errors import UserError

Notify = Callable[[str], None]

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
ANSWER_SECONDS = 10.0
"""Until a server must have begun to answer, name look-up and all of its addresses included.

Requests' own connect timeout covers neither the look-up nor a host with eight dead addresses.
"""


class RouteError(Exception):
    """A route that did not give the files; the message is the reason."""


def from_mirrors(info: DatasetInfo, into: Path, scratch: Path, notify: Notify) -> None:
    """Fetch the files as distributed into a folder, each from the first mirror that gives the right bytes.

    Files arrive in `scratch`, an empty folder on the same disk, and are moved once they are verified.

    Raises
    ------
    RouteError
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
        except RouteError as error:
            notify(f"{info.name}: {mirror}: {error}")
            reasons.append(f"{mirror}: {error}")
    if missing:
        raise RouteError("; ".join(reasons) or "it has no mirrors")


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
        raise RouteError(f"no answer within {ANSWER_SECONDS:g} seconds")
    thread.join()
    if failures:
        raise RouteError(_reason(file, failures[0])) from failures[0]
    path = folder / file.distributed
    try:
        verify(info, file, path)
    except UserError as error:
        raise RouteError(f"what came is not the file: {first_line(error)}") from error
    return path


def _retrieve(url: str, file: FileInfo, folder: Path, answered: threading.Event) -> None:
    import pooch

    def begun(*_: Any, **__: Any) -> None:
        answered.set()

    # pooch announces downloads on standard error; what is said and where is the caller's business.
    pooch.get_logger().setLevel("WARNING")
    downloader = pooch.HTTPDownloader(
        chunk_size=1 << 16,
        timeout=(CONNECT_SECONDS, READ_SECONDS),
        headers={"Accept-Encoding": "identity"},
        hooks={"response": begun},
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
