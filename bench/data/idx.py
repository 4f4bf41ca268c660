"""The IDX format of MNIST and its relatives: a header of big-endian numbers, then the values."""

from __future__ import annotations

import gzip
import math
import zlib

import numpy as np
from numpy.typing import NDArray

_UNSIGNED_BYTE = 0x08
_GZIP_MAGIC = b"\x1f\x8b"


def unpack(raw: bytes) -> bytes:
    """The bytes of a file, unpacked where they are gzip-compressed (the first ones tell, not the file's name).

    ValueError where these data are truncated or damaged.
    """
    if not raw.startswith(_GZIP_MAGIC):
        return raw
    try:
        return gzip.decompress(raw)
    except EOFError as error:
        raise ValueError(f"its gzip data are truncated: it ends too early, after {len(raw):,} bytes") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"its gzip data are damaged ({error})") from error


def parse(data: bytes) -> NDArray[np.uint8]:
    """The array in unpacked IDX bytes, as a read-only view of them.

    The format is on http://yann.lecun.com/exdb/mnist/: two zero bytes, the type of the values, the number
    of dimensions, each dimension as 4 bytes, then the values with the last dimension changing fastest.

    Raises
    ------
    ValueError
        Not IDX data of unsigned bytes, or more or fewer values than the header promises.
    """
    if not data:
        raise ValueError("it is empty")
    if len(data) < 4 or data[:3] != bytes((0, 0, _UNSIGNED_BYTE)):
        raise ValueError("it holds no IDX data of unsigned bytes")
    start = 4 + 4 * data[3]
    if len(data) < start:
        raise ValueError("it is truncated within its header")
    shape = tuple(int(size) for size in np.frombuffer(data[4:start], dtype=">u4"))
    expected, found = math.prod(shape), len(data) - start
    if found != expected:
        how = "it is truncated" if found < expected else "it is too long"
        raise ValueError(f"{how}: its header promises {expected:,} values, {found:,} follow")
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)
