import gzip
import io
import struct

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.output.table import write_table


def written(frame: pl.DataFrame, threads: int = 1) -> bytes:
    handle = io.BytesIO()
    write_table(frame, handle, threads=threads)
    return handle.getvalue()


def read_back(data: bytes) -> list[list[str]]:
    """The cells as another gzip reader sees them."""
    return [line.split("\t") for line in gzip.decompress(data).decode().splitlines()]


def test_layout() -> None:
    frame = pl.DataFrame({"chromosome": ["1", "X"], "beta": [0.25, None], "n": [12, None]})
    assert read_back(written(frame)) == [
        ["chromosome", "beta", "n"],
        ["1", "0.25", "12"],
        ["X", "#NA", "#NA"],
    ]


def test_a_table_without_rows_has_a_header() -> None:
    assert read_back(written(pl.DataFrame({"a": []}, schema={"a": pl.Float64}))) == [["a"]]


def test_names_are_written_as_they_are() -> None:
    names = ['a"b', "a,b", "'", "größe", "#1"]
    assert [row[0] for row in read_back(written(pl.DataFrame({"v": names})))[1:]] == names


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_real_numbers_keep_nine_digits(values: list[float]) -> None:
    rows = read_back(written(pl.DataFrame({"x": values}, schema={"x": pl.Float64})))[1:]
    assert [float(row[0]) for row in rows] == pytest.approx(values, rel=6e-9, abs=1e-307)


@pytest.fixture(scope="module")
def long_table() -> pl.DataFrame:
    rng = np.random.default_rng(1)
    n = 100_001  # one more than a slice
    return pl.DataFrame({"x": rng.normal(size=n), "i": np.arange(n)})


def test_bytes_do_not_depend_on_threads(long_table: pl.DataFrame) -> None:
    assert written(long_table, threads=1) == written(long_table, threads=3)


def test_rows_cross_slices_and_blocks_unharmed(long_table: pl.DataFrame) -> None:
    rows = read_back(written(long_table))
    assert [int(row[1]) for row in rows[1:]] == long_table["i"].to_list()


def test_every_block_follows_the_bgzf_layout(long_table: pl.DataFrame) -> None:
    # SAM specification 4.1: each member holds its own size in the extra field, at most 64 KiB of
    # text, no time and no name; the last one is the fixed end-of-file block.
    data = written(long_table.head(20_000))
    blocks = []
    while data:
        magic, method, flags, time = struct.unpack_from("<HBBI", data)
        assert (magic, method, flags, time) == (0x8B1F, 8, 4, 0)
        extra, first, second, length, size = struct.unpack_from("<HBBHH", data, 10)
        assert (extra, first, second, length) == (6, ord("B"), ord("C"), 2)
        blocks.append(data[: size + 1])
        data = data[size + 1 :]
    contents = [gzip.decompress(block) for block in blocks]
    assert len(blocks) > 2
    assert max(len(content) for content in contents) <= 65536
    assert contents[-1] == b""
    assert blocks[-1] == bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
