from __future__ import annotations

import gzip

import numpy as np
import pytest

from bench.data import file_formats

TWO_BY_THREE = bytes((0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3)) + bytes(range(6))


def test_parses_the_shape_and_the_values() -> None:
    np.testing.assert_array_equal(file_formats.parse(TWO_BY_THREE), [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"<html>404</html>", "no IDX data"),
        (TWO_BY_THREE[:7], "truncated within its header"),
        (TWO_BY_THREE[:-1], "truncated: its header promises 6 values, 5 follow"),
        (TWO_BY_THREE + b"x", "too long"),
    ],
)
def test_says_what_is_wrong_with_the_bytes(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        file_formats.parse(data)


def test_reads_compressed_and_unpacked_bytes_alike() -> None:
    assert file_formats.unpack(gzip.compress(TWO_BY_THREE)) == file_formats.unpack(TWO_BY_THREE) == TWO_BY_THREE


def test_truncated_gzip_data_are_no_shorter_array() -> None:
    with pytest.raises(ValueError, match="gzip data are truncated"):
        file_formats.unpack(gzip.compress(TWO_BY_THREE)[:-5])
