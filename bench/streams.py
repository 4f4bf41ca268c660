"""Standard output and standard error: nothing that is printed may stop a command, wherever it goes.

A terminal may know less than UTF-8, a pipe may be closed by its reader, a disk may be full. What a stream cannot show
is replaced, what it cannot take is dropped, and the command goes on; `lost_output` says at its end what was lost.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import select
import sys
import unicodedata
from collections.abc import Iterator
from typing import TextIO

ERRORS = "bench_similar"
"""The error handler of our streams, as `codecs` knows it: `similar`."""
ASCII = "bench_ascii"
"""ASCII under a name of its own: click takes a stream of plain ASCII for misconfigured, and writes UTF-8 to it."""
SIMILAR = str.maketrans(
    {
        **dict.fromkeys("‐‑‒–—−─", "-"),
        **dict.fromkeys("“”„", '"'),
        **dict.fromkeys("‘’", "'"),
        **dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True)),
        **dict(zip("·×…→†", ".x~>+", strict=True)),
        "±": "+-",
        "√": "sqrt ",
        "§": "section ",
        "‡": "++",
    }
)
"""What stands for a character where it cannot be shown; as wide as that wherever a table depends on it."""


def similar(error: UnicodeError) -> tuple[str, int]:
    """An error handler for `codecs`: what ASCII has instead of a character, without its accent or else as ``?``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(SIMILAR)
    plain = unicodedata.normalize("NFKD", text)
    shown = "".join(c if c.isascii() else "?" for c in plain if not unicodedata.combining(c))
    return shown, error.end


def _ascii(name: str) -> codecs.CodecInfo | None:
    found = codecs.lookup("ascii")
    if name != ASCII:
        return None
    return codecs.CodecInfo(
        found.encode, found.decode, found.streamreader, found.streamwriter,
        found.incrementalencoder, found.incrementaldecoder, name=ASCII,
    )  # fmt: skip


codecs.register_error(ERRORS, similar)
codecs.register(_ascii)


class Unfailing(io.RawIOBase):
    """The file of a standard stream; what it does not take is dropped, and `error` keeps the first reason."""

    def __init__(self, number: int):
        self.number = number
        self.error: OSError | None = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.number

    def isatty(self) -> bool:
        return os.isatty(self.number)

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        while True:
            try:
                return os.write(self.number, data)
            except BlockingIOError:  # a terminal or pipe that another program has set to non-blocking
                select.select([], [self.number], [])
            except OSError as error:
                self.error = self.error or error
                return len(data)


_stdout: Unfailing | None = None
"""Where the program's own standard output goes; None in a test that put a stream of its own there."""

_reserved: TextIO | None = None
"""What `reserve_stdout` gave, which stays open with nothing else holding it."""


@contextlib.contextmanager
def unfailing_streams() -> Iterator[None]:
    """Let `sys.stdout` and `sys.stderr` be as this module's docstring has them; streams of a test stay as they are."""
    global _stdout
    before = sys.stdout, sys.stderr
    _open_closed()
    sys.stdout, sys.stderr = (_unfailing(stream, number) for number, stream in enumerate(before, 1))
    _stdout = _file(sys.stdout)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


def reserve_stdout() -> TextIO:
    """The standard output, from now on for the caller alone: whatever else prints there prints to stderr.

    So that JSON stays JSON: a user's own code and libraries print while a suite is checked, and even at the end of the
    process. Subprocesses and compiled code, which write to the file itself, are led away too.
    """
    global _reserved
    _reserved = stream = sys.stdout
    if _stdout is not None and _file(stream) is _stdout and _stdout.number == 1:
        stream.flush()
        _stdout.number = os.dup(1)
        os.dup2(2, 1)
    sys.stdout = sys.stderr
    return stream


def lost_output() -> str:
    """Why some of the standard output could not be written; "" if all was, or if its reader has closed the pipe."""
    error = _stdout and _stdout.error
    return "" if not error or error.errno == errno.EPIPE else str(error.strerror)


def _unfailing(stream: TextIO | None, number: int) -> TextIO:
    try:
        if stream is not None and stream.fileno() != number:
            return stream
    except OSError:  # no file at all
        assert stream is not None
        return stream
    if stream is not None:
        stream.flush()
    encoding = stream.encoding if stream is not None else "utf-8"
    return io.TextIOWrapper(
        io.BufferedWriter(Unfailing(number)),  # type: ignore[type-var]
        encoding=ASCII if codecs.lookup(encoding).name == "ascii" else encoding,
        errors=ERRORS,
        line_buffering=stream is None or bool(stream.line_buffering),
        write_through=isinstance(stream, io.TextIOWrapper) and stream.write_through,
    )


def _file(stream: TextIO) -> Unfailing | None:
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw if isinstance(raw, Unfailing) else None


def _open_closed() -> None:
    """Let standard streams that the caller closed lead nowhere; the next file opened would take their numbers."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
