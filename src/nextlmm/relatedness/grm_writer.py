"""Relationship matrices in the files of other programs, as `grm_files` reads them.

Numbers of text are the shortest that are read as the same double, so that nothing but single
precision loses a digit.  Rows are samples in the order of the genotypes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
import polars as pl
from numpy.typing import DTypeLike, NDArray

from nextlmm.genotype.tables import SampleTable
from nextlmm.relatedness.grm_formats import GrmFormat, file_ends

FloatArray = NDArray[np.float64]
Writer = Callable[[BinaryIO], object]
Pieces = Iterator[bytes]

_HEADER = "#FID\tIID\n"  # of PLINK 2; GCTA has none
_PAIRS = 2**18  # lines of text that are made together


@dataclass(frozen=True, eq=False)
class Relationships:
    """A relationship matrix to be written.

    Attributes
    ----------
    samples : (n,) the samples, in the order of the rows.
    values : (n, n), symmetric.
    n_variants : variants that vary and went into it.
    is_standardized : whether each was divided by its standard deviation.
    """

    samples: SampleTable
    values: FloatArray
    n_variants: int
    is_standardized: bool = True

    def __repr__(self) -> str:
        return f"<relationships of {len(self.values):,} samples by {self.n_variants:,} variants>"


def matrix_files(
    matrix: Relationships, kind: GrmFormat, *, cutoff: float, compress: Callable[[Pieces], Pieces]
) -> dict[str, Writer]:
    """What writes each file of a format, by the end of its name; the matrix comes first.

    Parameters
    ----------
    matrix : the matrix.
    kind : the format.
    cutoff : in the sparse format, pairs with a value below this are left out.
    compress : gzip for pieces of text.

    Cost of each: a bounded number of rows at a time.
    """
    ends = file_ends(kind, is_standardized=matrix.is_standardized)
    return {
        end: partial(_write, compress(pieces) if end.endswith(".gz") else pieces)
        for end, pieces in zip(ends, _pieces(matrix, kind, cutoff), strict=True)
    }


def _write(pieces: Pieces, handle: BinaryIO) -> None:
    for piece in pieces:
        handle.write(piece)


def _ids(samples: SampleTable, header: str = "") -> Pieces:
    """Family and sample ID of each row."""
    pairs = zip(samples.family_id, samples.sample_id, strict=True)
    text = header + "".join(f"{family}\t{sample}\n" for family, sample in pairs)
    yield text.encode(errors="surrogateescape")


def _triangle(values: FloatArray, dtype: DTypeLike) -> Pieces:
    """The lower triangle with its diagonal, row by row."""
    for row, numbers in enumerate(values):
        yield numbers[: row + 1].astype(dtype).tobytes()


def _square(values: FloatArray, dtype: DTypeLike) -> Pieces:
    for numbers in values:
        yield numbers.astype(dtype).tobytes()


def _text(values: FloatArray) -> Pieces:
    """Lines of numbers between tabs."""
    step = max(1, _PAIRS // (len(values) or 1))
    for start in range(0, len(values), step):
        yield _lines(pl.from_numpy(np.ascontiguousarray(values[start : start + step])))


def _lines(frame: pl.DataFrame) -> bytes:
    return frame.write_csv(separator="\t", include_header=False).encode()


def _row_ranges(n: int) -> Iterator[range]:
    """Rows of the lower triangle, so many that their pairs are bounded."""
    start = 0
    while start < n:
        stop = start + max(1, min(n - start, _PAIRS // (start + 1)))
        yield range(start, stop)
        start = stop


def _pairs(
    values: FloatArray, first: int, cutoff: float = -np.inf, n_variants: int | None = None
) -> Pieces:
    """Lines of row, column (from ``first`` on), and value, the diagonal in any case."""
    for rows in _row_ranges(len(values)):
        block = values[rows.start : rows.stop, : rows.stop]
        number = np.arange(rows.start, rows.stop)[:, None]
        column = np.arange(rows.stop)
        is_used = (column == number) | ((column < number) & (block >= cutoff))
        row, column = np.nonzero(is_used)
        columns: dict[str, Any] = {"row": row + rows.start + first, "column": column + first}
        if n_variants is not None:
            columns["variants"] = np.full(len(row), n_variants)
        yield _lines(pl.DataFrame(columns | {"value": block[is_used]}))


def _numpy(values: FloatArray) -> Pieces:
    header = BytesIO()
    about = {"descr": "<f8", "fortran_order": False, "shape": values.shape}
    np.lib.format.write_array_header_1_0(header, about)
    yield header.getvalue()
    yield from _square(values, "<f8")


def _gcta(matrix: Relationships) -> tuple[Pieces, ...]:
    n = len(matrix.values)
    count = np.full(n, matrix.n_variants, "<f4")
    counts = (count[: row + 1].tobytes() for row in range(n))
    return _triangle(matrix.values, "<f4"), counts, _ids(matrix.samples)


def _gcta_text(matrix: Relationships) -> tuple[Pieces, ...]:
    return _pairs(matrix.values, 1, n_variants=matrix.n_variants), _ids(matrix.samples)


def _pieces(matrix: Relationships, kind: GrmFormat, cutoff: float) -> tuple[Pieces, ...]:
    """What each file of a format holds, in the order of `file_ends`."""
    values, samples = matrix.values, matrix.samples
    makers: dict[GrmFormat, Callable[[], tuple[Pieces, ...]]] = {
        "gcta": lambda: _gcta(matrix),
        "gcta-gz": lambda: _gcta_text(matrix),
        "gcta-sparse": lambda: (_pairs(values, 0, cutoff), _ids(samples)),
        "plink2": lambda: (_square(values, "<f8"), _ids(samples, _HEADER)),
        "plink2-text": lambda: (_text(values), _ids(samples, _HEADER)),
        "gemma": lambda: (_text(values), _ids(samples)),
        "npy": lambda: (_numpy(values), _ids(samples)),
    }
    return makers[kind]()
