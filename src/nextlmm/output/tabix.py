"""The index by position of a block-compressed table, as tabix makes it (.tbi).

Source: the tabix index format (Li 2011, and the specification beside that of SAM).  Positions are
sorted into windows of 16,384 base pairs, which are the smallest of the bins there are; a table of
single positions needs no larger ones.
"""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextlmm.output.bgzf import bgzf_blocks

IntArray = NDArray[np.int64]

LARGEST_POSITION = 2**29
_WINDOW_BITS = 14
_FIRST_SMALLEST_BIN = 4681
_COMMENT = ord("#")
TABLE, VCF = (0, 1, 2, 2, _COMMENT, 1), (2, 1, 2, 0, _COMMENT, 0)
"""Kind of the file, columns of chromosome, position and end, sign of a comment, lines to skip."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the lines of a compressed table are.

    Attributes
    ----------
    lines : (m + 1,) offset in the text of each line below the header, and of the end.
    blocks : (b + 1,) offset in the file of each block, and of the one that ends it.
    block_bytes : bytes of text in a block.
    """

    lines: IntArray
    blocks: IntArray
    block_bytes: int

    def virtual(self, lines: IntArray) -> NDArray[np.uint64]:
        """The virtual offsets of lines: that of the block in the file, and within the block."""
        block, within = np.divmod(self.lines[lines], self.block_bytes)
        return self.blocks[block].astype(np.uint64) << np.uint64(16) | within.astype(np.uint64)


def is_within_reach(position: IntArray) -> bool:
    """Whether a table in genome order can be indexed: no position is beyond 536,870,912.

    Positions are not negative; 0 stands for one that is not known.
    """
    return bool(len(position)) and int(position.max()) <= LARGEST_POSITION


def tabix_index(
    chromosome: NDArray[Any],
    position: IntArray,
    layout: Layout,
    kind: tuple[int, ...] = TABLE,
) -> bytes:
    """The index of a table in genome order that `is_within_reach`, itself compressed in blocks.

    Parameters
    ----------
    chromosome, position : (m,) of its lines.
    layout : of its file.
    kind : of its file, `TABLE` or `VCF`.

    Cost: some numbers for each window that has a variant.
    """
    borders = np.flatnonzero(chromosome[1:] != chromosome[:-1]) + 1
    edges = np.concatenate([[0], borders, [len(position)]]).astype(np.int64)
    starts, stops = (edges[:-1], edges[1:]) if len(position) else (edges[:0], edges[:0])
    names = b"".join(f"{name}\0".encode() for name in chromosome[starts].tolist())
    parts = [b"TBI\1", struct.pack("<i7i", len(starts), *kind, len(names)), names]
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        parts.append(_of_chromosome(position[start:stop], start, layout))
    return b"".join(bgzf_blocks(iter(parts)))


def _of_chromosome(position: IntArray, start: int, layout: Layout) -> bytes:
    """Its windows, each with one stretch of the file, and the first offset of every window."""
    window = np.maximum(position - 1, 0) >> _WINDOW_BITS
    first = np.concatenate([[0], np.flatnonzero(np.diff(window)) + 1]).astype(np.int64)
    last = np.concatenate([first[1:], [len(window)]]).astype(np.int64)
    begin, end = layout.virtual(start + first), layout.virtual(start + last)
    bins = np.empty(
        len(first), dtype=[("bin", "<u4"), ("chunks", "<i4"), ("begin", "<u8"), ("end", "<u8")]
    )
    bins["bin"], bins["chunks"] = _FIRST_SMALLEST_BIN + window[first], 1
    bins["begin"], bins["end"] = begin, end
    # Of a window without a variant, the last one before it that has any.
    every = np.arange(window[-1] + 1)
    before = np.searchsorted(window[first], every, side="right") - 1
    linear = np.where(before >= 0, begin[np.maximum(before, 0)], np.uint64(0)).astype("<u8")
    counts = struct.pack("<i", len(bins)), struct.pack("<i", len(linear))
    return counts[0] + bins.tobytes() + counts[1] + linear.tobytes()
