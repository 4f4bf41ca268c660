"""Standard output and standard error that never stop a command.

A terminal may have no UTF-8, a pipe may be closed by its reader, a disk may be full. Characters that a stream cannot
encode are replaced, output that it cannot write is dropped, and the command goes on; `lost_output` gives the reason.
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
"""ASCII under another name: click treats a stream of plain ASCII as misconfigured and writes UTF-8 to it."""
REPLACEMENTS = str.maketrans(
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
"""Replacements of characters that a stream cannot encode, of the same width where tables depend on it."""


def replace_characters(error: UnicodeError) -> tuple[str, int]:
    """An error handler for `codecs`: a similar ASCII character, the letter without its accent, or ``?``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(REPLACEMENTS)
    plain = unicodedata.normalize("NFKD", text)
    ascii_text = "".join(c if c.isascii() else "?" for c in plain if not unicodedata.combining(c))
    return ascii_text, error.end


def _ascii(name: str) -> codecs.CodecInfo | None:
    codec = codecs.lookup("ascii")
    if name != ASCII:
        return None
    return codecs.CodecInfo(
        codec.encode, codec.decode, codec.streamreader, codec.streamwriter,
        codec.incrementalencoder, codec.incrementaldecoder, name=ASCII,
    )  # fmt: skip


codecs.register_error(ERRORS, replace_characters)
codecs.register(_ascii)


class TolerantFile(io.RawIOBase):
    """The file of a standard stream; output that it cannot write is dropped, and `error` is the first reason."""

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


_stdout: TolerantFile | None = None
"""The program's standard output; None in a test that replaced the stream."""

_reserved: TextIO | None = None
"""The result of `reserve_stdout`, which must stay open."""


@contextlib.contextmanager
def tolerant_streams() -> Iterator[None]:
    """Let `sys.stdout` and `sys.stderr` be as this module's docstring has them; streams of a test stay as they are."""
    global _stdout
    before = sys.stdout, sys.stderr
    _open_closed()
    sys.stdout, sys.stderr = (_tolerant(stream, number) for number, stream in enumerate(before, 1))
    _stdout = _tolerant_file(sys.stdout)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


def reserve_stdout() -> TextIO:
    """The standard output, reserved for the caller: all other output goes to stderr from now on.

    So that JSON stays valid: user code and libraries print while a suite is checked, and at the end of the process.
    Subprocesses and compiled code, which write to the file descriptor, are redirected too.
    """
    global _reserved
    _reserved = stream = sys.stdout
    if _stdout is not None and _tolerant_file(stream) is _stdout and _stdout.number == 1:
        stream.flush()
        _stdout.number = os.dup(1)
        os.dup2(2, 1)
    sys.stdout = sys.stderr
    return stream


@contextlib.contextmanager
def duplicate_stdout() -> Iterator[TextIO]:
    """A stream to where standard output goes now, whatever its descriptor is made to stand for meanwhile."""
    stream = sys.stdout
    file = _tolerant_file(stream)
    try:
        number = file.number if file else stream.fileno()
    except (OSError, ValueError):
        number = -1
    if number != 1:  # a test's or a notebook's
        yield stream
        return
    stream.flush()
    duplicate = TolerantFile(os.dup(1))
    try:
        with io.TextIOWrapper(
            io.BufferedWriter(duplicate),  # type: ignore[type-var]
            encoding=stream.encoding,
            errors=stream.errors,
            line_buffering=True,
        ) as text:
            yield text
    finally:
        os.close(duplicate.number)
        if file:
            file.error = file.error or duplicate.error


def lost_output() -> str:
    """Why some of the standard output was dropped; "" if none was, or if the reader has closed the pipe."""
    error = _stdout and _stdout.error
    return "" if not error or error.errno == errno.EPIPE else str(error.strerror)


def _tolerant(stream: TextIO | None, number: int) -> TextIO:
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
        io.BufferedWriter(TolerantFile(number)),  # type: ignore[type-var]
        encoding=ASCII if codecs.lookup(encoding).name == "ascii" else encoding,
        errors=ERRORS,
        line_buffering=stream is None or bool(stream.line_buffering),
        write_through=isinstance(stream, io.TextIOWrapper) and stream.write_through,
    )


def _tolerant_file(stream: TextIO) -> TolerantFile | None:
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw if isinstance(raw, TolerantFile) else None


def _open_closed() -> None:
    """Open closed standard streams to the null device; the next opened file would take their numbers."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
