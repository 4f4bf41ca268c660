"""A report that follows its ledger: served on this machine alone, made anew when the ledger has changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from bench.errors import UserError

HOST = "127.0.0.1"
LOCAL_NAMES = (HOST, "localhost")
"""What a browser may call this machine: another name is that of a site which points it here."""

LOOK_SECONDS = 1.0
"""How long what was seen of the ledger counts: many open pages look at it no more often."""


@dataclass
class LivePage:
    """The page of a version of the ledger.

    Attributes
    ----------
    look
        What names the ledger's version now.
    make
        Makes the page of a version, which stands in it.
    """

    look: Callable[[], str]
    make: Callable[[str], str]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _seen: tuple[float, str] = (-LOOK_SECONDS, "")
    _made: tuple[str, bytes] = ("", b"")

    def version(self) -> str:
        """The ledger's version."""
        with self._lock:
            return self._version()

    def page(self) -> tuple[str, bytes]:
        """The version and its page, made once."""
        with self._lock:
            version = self._version()
            if self._made[0] != version:
                self._made = version, self.make(version).encode("utf-8", "replace")
            return self._made

    def _version(self) -> str:
        if time.monotonic() - self._seen[0] >= LOOK_SECONDS:
            version = self.look()
            self._seen = time.monotonic(), version
        return self._seen[1]


def _is_local(host: str) -> bool:
    """Whether a request's Host, with or without a port, is a name of this machine."""
    try:
        return urlsplit(f"//{host}").hostname in LOCAL_NAMES
    except ValueError:
        return False


def open_server(page: LivePage, port: int) -> ThreadingHTTPServer:
    """A server of the page, listening but not serving yet; port 0 takes a free one.

    Raises
    ------
    UserError
        The port cannot be used.
    """

    class Handler(BaseHTTPRequestHandler):
        """Answers for the page, whatever its query; nothing else is there."""

        def do_GET(self) -> None:
            with suppress(ConnectionError):  # of a browser that has left
                self._answer(with_page=True)

        def do_HEAD(self) -> None:
            with suppress(ConnectionError):
                self._answer(with_page=False)

        def _answer(self, with_page: bool) -> None:
            if not _is_local(self.headers.get("Host", "")):
                self.send_error(HTTPStatus.FORBIDDEN, "this page is for this machine alone")
                return
            if urlsplit(self.path).path != "/":
                self.send_error(HTTPStatus.NOT_FOUND, "the report is at /")
                return
            try:
                version, text = page.page() if with_page else (page.version(), b"")
            except (UserError, OSError) as error:
                self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, "no report", str(error))
                return
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR, "no report", reason)
                return
            tag = f'"{version}"'
            known = self.headers.get("If-None-Match") == tag
            self.send_response(HTTPStatus.NOT_MODIFIED if known else HTTPStatus.OK)
            self.send_header("ETag", tag)
            self.send_header("Cache-Control", "no-cache")
            self.send_header("Content-Type", "text/html; charset=utf-8")
            if with_page and not known:
                self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if with_page and not known:
                self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: a page asks every two seconds."""

    try:
        server = ThreadingHTTPServer((HOST, port), Handler)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(
            f"--port {port}: cannot be listened on: {reason}; choose another, or 0 for any that is free"
        ) from error
    server.daemon_threads = True
    return server
