"""Arrays of an .npz file that somebody else wrote: each is checked before it is read, and nothing is unpickled."""

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

from bench.characters import escaped_line
from bench.system import memory

MOST_MEMORY = 0.5
"""Share of the memory there is, of the machine or the container, that an array may take."""

ENDING = ".npy"

LONGEST_HEADER = 2**16
"""Bytes that are read of an array to learn its shape and type."""


class ArrayError(ValueError):
    """What is wrong with a file of arrays or one of them; whoever reads it says which file it is."""


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
        """The shape and type of an array, of which no value is read; ArrayError where it is none, or cut short."""
        with _reasons(name):
            return _header(self.file, self.members[name], name)

    def array(self, name: str) -> NDArray[Any]:
        """An array; ArrayError where it is none, is damaged, or larger than memory allows."""
        info = self.members[name]
        with _reasons(name):
            _header(self.file, info, name)
            if info.file_size > MOST_MEMORY * memory():
                raise ArrayError(
                    f"`{name}` takes {info.file_size / 2**30:.1f} GiB, more than half of the {memory() / 2**30:.1f} "
                    "GiB that this machine or container has"
                )
            with self.file.open(info) as member:
                read: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
                member.read(1)  # at the end of a member its checksum is compared
            if read.dtype.kind == "U" and read.dtype.itemsize:
                codes = np.ascontiguousarray(read.astype(read.dtype.newbyteorder("="))).view(np.uint32)
                if int(codes.max(initial=0)) > sys.maxunicode:
                    raise ArrayError(f"`{name}` holds numbers that are no characters; write the file again")
            return read


@contextlib.contextmanager
def open_arrays(source: Path | IO[bytes]) -> Iterator[Archive]:
    """An .npz file, from its path or its bytes; ArrayError where it is none."""
    try:
        file = zipfile.ZipFile(source)
    except OSError:
        raise
    except Exception as error:  # whatever a damaged directory makes `zipfile` stumble over
        raise ArrayError(_no_archive(source, error)) from error
    with file:
        members: dict[str, zipfile.ZipInfo] = {}
        for info in file.infolist():
            name = info.filename.removesuffix(ENDING)
            if name in members:
                raise ArrayError(f"it holds two arrays named `{escaped_line(name)}`")
            members[name] = info
        yield Archive(file, members)


@contextlib.contextmanager
def _reasons(name: str) -> Iterator[None]:
    """ArrayError for all that `zipfile`, its decompressors and NumPy raise of bytes that are none of theirs."""
    try:
        yield
    except ArrayError:
        raise
    except MemoryError as error:
        raise ArrayError(f"`{name}` is larger than the memory there is") from error
    except Exception as error:
        raise ArrayError(f"`{name}` is damaged ({escaped_line(str(error))}); write the file again") from error


def _header(file: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    with file.open(info) as member:
        start = io.BytesIO(member.read(LONGEST_HEADER))
    if not start.getvalue().startswith(np.lib.format.MAGIC_PREFIX):
        raise ArrayError(f"`{name}` is no array of NumPy's")
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
    promised, follow = math.prod(shape) * dtype.itemsize, info.file_size - start.tell()
    if promised != follow:
        raise ArrayError(f"`{name}` is damaged: its header promises {promised:,} bytes, {follow:,} follow")
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
