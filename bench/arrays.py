"""Arrays of untrusted .npz files: each is checked before it is read, and nothing is unpickled."""

from __future__ import annotations

import contextlib
import io
import math
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import escaped_line
from bench.system import memory

MAX_MEMORY_FRACTION = 0.5
"""Largest fraction of the machine's or container's memory that an array may take."""

SUFFIX = ".npy"

MAX_HEADER_BYTES = 2**16
"""Bytes that are read for an array's shape and type."""


class ArrayError(ValueError):
    """An invalid file of arrays, or an invalid array; the caller adds the file's name."""


@dataclass(frozen=True)
class Archive:
    """An open .npz file; `members` are its arrays by name."""

    file: zipfile.ZipFile
    members: dict[str, zipfile.ZipInfo]

    @property
    def listed(self) -> str:
        """The names, for a message."""
        return ", ".join(map(escaped_line, self.members)) or "nothing"

    def header(self, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """The shape and type of an array, without reading values; ArrayError where it is not valid."""
        with _array_errors(name):
            return _header(self.file, self.members[name], name)

    def array(self, name: str) -> NDArray[Any]:
        """An array; ArrayError where it is not valid, damaged, or too large for the memory."""
        info = self.members[name]
        with _array_errors(name):
            _header(self.file, info, name)
            if info.file_size > MAX_MEMORY_FRACTION * memory():
                raise ArrayError(
                    f"`{name}` takes {info.file_size / 2**30:.1f} GiB, more than half of the {memory() / 2**30:.1f} "
                    "GiB that this machine or container has"
                )
            with self.file.open(info) as member:
                array: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
                member.read(1)  # the checksum is compared at a member's end
            if array.dtype.kind == "U" and array.dtype.itemsize:
                codes = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="))).view(np.uint32)
                if int(codes.max(initial=0)) > sys.maxunicode:
                    raise ArrayError(f"`{name}` has values that are no characters; write the file again")
            return array


@contextlib.contextmanager
def open_arrays(source: Path | IO[bytes]) -> Iterator[Archive]:
    """An .npz file, from its path or its bytes; ArrayError where it is not valid."""
    try:
        file = zipfile.ZipFile(source)
    except OSError:
        raise
    except Exception as error:  # whatever `zipfile` raises for a damaged directory
        raise ArrayError(_no_archive(source, error)) from error
    with file:
        members: dict[str, zipfile.ZipInfo] = {}
        for info in file.infolist():
            name = info.filename.removesuffix(SUFFIX)
            if name in members:
                raise ArrayError(f"it holds two arrays named `{escaped_line(name)}`")
            members[name] = info
        yield Archive(file, members)


@contextlib.contextmanager
def _array_errors(name: str) -> Iterator[None]:
    """ArrayError for exceptions of `zipfile`, its decompressors and NumPy."""
    try:
        yield
    except ArrayError:
        raise
    except MemoryError as error:
        raise ArrayError(f"`{name}` is larger than the available memory") from error
    except Exception as error:
        raise ArrayError(f"`{name}` is damaged ({escaped_line(str(error))}); write the file again") from error


def _header(file: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    with file.open(info) as member:
        start = io.BytesIO(member.read(MAX_HEADER_BYTES))
    if not start.getvalue().startswith(np.lib.format.MAGIC_PREFIX):
        raise ArrayError(f"`{name}` is no NumPy array")
    version = np.lib.format.read_magic(start)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ArrayError(f"`{name}` is in version {version[0]}.{version[1]} of NumPy's format; save plain numbers")
    shape, _, dtype = readers[version](start)
    if dtype.hasobject:
        raise ArrayError(
            f"`{name}` is neither plain numbers nor text: Python objects are refused, since reading them may run "
            "anything; save it as plain numbers or text"
        )
    expected_bytes, actual_bytes = math.prod(shape) * dtype.itemsize, info.file_size - start.tell()
    if expected_bytes != actual_bytes:
        raise ArrayError(f"`{name}` is damaged: its header promises {expected_bytes:,} bytes, {actual_bytes:,} follow")
    return shape, dtype


def _no_archive(source: Path | IO[bytes], error: Exception) -> str:
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(source.open("rb")) if isinstance(source, Path) else source
        stream.seek(0)
        start = stream.read(len(np.lib.format.MAGIC_PREFIX))
    if start == np.lib.format.MAGIC_PREFIX:
        return "it holds one array without a name (numpy.savez_compressed writes an .npz)"
    if start.startswith(b"PK\x03\x04"):
        return f"it is damaged or cut short ({escaped_line(str(error))})"
    return "it is no .npz file" if start else "it is empty"
