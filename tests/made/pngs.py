"""PNG files of the forms that Pillow reads and does not write."""

from __future__ import annotations

import struct
import zlib

import numpy as np

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
"""The format's colour types."""


def png(values: np.ndarray, bits: int, kind: int = GREY, transparent: bytes = b"", palette: bytes = b"") -> bytes:
    """A PNG of `values`, shape (height, width) or (height, width, channels), with a transparency chunk."""
    height, width = values.shape[:2]
    rows = values.reshape(height, -1)
    if bits == 16:
        lines = [row.astype(">u2").tobytes() for row in rows]
    elif bits == 8:
        lines = [row.astype(np.uint8).tobytes() for row in rows]
    else:
        places = np.arange(bits)[::-1]
        lines = [np.packbits((row[:, None] >> places & 1).astype(np.uint8).reshape(-1)).tobytes() for row in rows]
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))]
    chunks += [(b"PLTE", palette)] if palette else []
    chunks += [(b"tRNS", transparent)] if transparent else []
    chunks += [(b"IDAT", zlib.compress(b"".join(b"\0" + line for line in lines))), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body
