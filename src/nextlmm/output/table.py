"""Tables as compressed text: the same table gives the same bytes, whatever the threads.

A compressed table in genome order can be indexed by position (:mod:`tabix`).
"""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextlmm.output.bgzf import BLOCK_BYTES, bgzf_blocks
from nextlmm.output.schema import MISSING
from nextlmm.output.tabix import Layout

SIGNIFICANT_DIGITS = 9
_SLICE_ROWS = 100_000
_LINE_END = 10


def write_table(
    frame: pl.DataFrame,
    handle: BinaryIO,
    *,
    missing: str = MISSING,
    separator: str = "\t",
    threads: int = 1,
) -> Layout:
    """Write ``frame`` to ``handle`` as text with a header line, compressed.

    Real numbers keep nine significant digits, far beyond their statistical meaning, which hides
    differences of the last bits between machines; missing values are the text ``missing``, and
    columns end with ``separator``, a tab unless given.
    ``threads`` changes the time and not the bytes.

    Returns
    -------
    Where the lines are, for an index.

    Cost: one slice of 100,000 rows as text at a time, and two numbers for a row.
    """
    return write_lines(table_text(frame, missing, separator), handle, threads=threads)


def write_lines(
    text: Iterator[bytes], handle: BinaryIO, *, header_lines: int = 1, threads: int = 1
) -> Layout:
    """Write text, in pieces of whole lines, compressed; return where its lines are."""
    ends: list[NDArray[np.int64]] = []  # in the text, of every line
    blocks = [0]
    written = 0

    def pieces() -> Iterator[bytes]:
        nonlocal written
        for piece in text:
            line_ends = np.flatnonzero(np.frombuffer(piece, np.uint8) == _LINE_END)
            ends.append(line_ends.astype(np.int64) + written + 1)
            written += len(piece)
            yield piece

    for block in bgzf_blocks(pieces(), threads=threads):
        handle.write(block)
        blocks.append(blocks[-1] + len(block))
    lines = np.concatenate(ends)[header_lines - 1 :]
    return Layout(lines, np.array(blocks[:-1], dtype=np.int64), BLOCK_BYTES)


def write_plain_table(frame: pl.DataFrame, handle: BinaryIO, *, missing: str = MISSING) -> None:
    """Write the same text without compression."""
    for piece in table_text(frame, missing):
        handle.write(piece)


def table_text(
    frame: pl.DataFrame, missing: str, separator: str = "\t", *, header: bool = True
) -> Iterator[bytes]:
    """The text of a table, slice by slice."""
    rounded = pl.col(pl.Float64).round_sig_figs(SIGNIFICANT_DIGITS)
    for start in range(0, max(frame.height, 1), _SLICE_ROWS):
        piece = frame.slice(start, _SLICE_ROWS).with_columns(rounded)
        text = piece.write_csv(
            separator=separator,
            null_value=missing,
            include_header=header and start == 0,
            quote_style="never",
        )
        yield text.encode()
