"""Relationship matrices that are lists of entries, zero elsewhere."""

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import io, sparse

from nextlmm.errors import FormatError
from nextlmm.genotype.digits import excerpt
from nextlmm.genotype.tables import IndexArray
from nextlmm.genotype.textfile import read_bytes
from nextlmm.genotype.unpacking import plain_text

FloatArray = NDArray[np.float64]

SYMMETRY = 1e-6
"""Share of the largest entry by which two entries that should be equal may differ."""


def number_table(file: Path, n_columns: int) -> FloatArray:
    """Lines of so many numbers each, separated by tabs, (lines, columns)."""
    try:
        frame = pl.read_csv(
            plain_text(file, read_bytes(file)),
            has_header=False,
            separator="\t",
            quote_char=None,
            schema={f"c{i}": pl.Float64 for i in range(n_columns)},
        )
    except pl.exceptions.PolarsError as error:
        said = excerpt(str(error).split("\n", 1)[0], 200)
        raise FormatError(
            f"{file} cannot be read as lines of {n_columns} numbers ({said}); check that the file "
            "is complete, and of the format that its name says"
        ) from error
    return frame.to_numpy()


def places_of(file: Path, n: int, listed: Path, table: FloatArray, first: int) -> IndexArray:
    """The two positions (2, lines), from ``first`` on, of lines of two positions and a value."""
    places = table[:, :2] - first
    is_place = (places >= 0) & (places < n) & (places == np.floor(places))
    inside = np.isfinite(table).all(axis=1) & is_place.all(axis=1)
    if not inside.all():
        line = int(np.flatnonzero(~inside)[0])
        raise FormatError(
            f"{file}, line {line + 1}: {' '.join(f'{value:g}' for value in table[line])}; expected "
            f"two positions among the {n:,} samples of {listed} and a number: take both files from "
            "the same place"
        )
    return places.astype(np.intp).T


def symmetric_entries(
    file: Path, n: int, places: IndexArray, values: FloatArray, line: IndexArray
) -> sparse.csr_array:
    """The symmetric matrix of entries, each of which may be given with its mirror or without.

    Raises
    ------
    FormatError
        If two entries of the same pair differ; the sentence names their lines.
    """
    high, low = places.max(axis=0), places.min(axis=0)
    order = np.lexsort((line, low, high))
    high, low, values, line = high[order], low[order], values[order], line[order]
    is_again = np.zeros(len(order), dtype=bool)
    is_again[1:] = (high[1:] == high[:-1]) & (low[1:] == low[:-1])
    apart = np.abs(np.diff(values, prepend=values[:1])) > SYMMETRY * np.abs(values).max(initial=0.0)
    wrong = np.flatnonzero(is_again & apart)
    if len(wrong):
        at = int(wrong[0])
        raise FormatError(
            f"{file} gives two values to one pair of samples, {values[at - 1]:g} on line "
            f"{line[at - 1]} and {values[at]:g} on line {line[at]}; expected one: check what the "
            "file is"
        )
    high, low, values = high[~is_again], low[~is_again], values[~is_again]
    is_pair = high != low
    rows = np.concatenate([high, low[is_pair]])
    columns = np.concatenate([low, high[is_pair]])
    entries = np.concatenate([values, values[is_pair]])
    return sparse.csr_array((entries, (rows, columns)), shape=(n, n))


def read_gcta_sparse(file: Path, n: int, listed: Path) -> sparse.csr_array:
    """GCTA's .grm.sp: two positions from 0, and a value."""
    table = number_table(file, 3)
    places = places_of(file, n, listed, table, 0)
    found = symmetric_entries(file, n, places, table[:, 2], np.arange(1, len(table) + 1))
    return _with_diagonal(file, found, listed)


def read_matrix_market(file: Path, n: int, listed: Path) -> sparse.csr_array:
    """A MatrixMarket file, as SAIGE writes its sparse matrix."""
    try:
        n_rows, n_columns, n_entries, _, field, _ = io.mminfo(file)
        # An entry takes two characters at least; the library makes room for all before it reads.
        if n_entries > file.stat().st_size:
            raise ValueError(f"{n_entries:,} entries are too many for its size")
        if (n_rows, n_columns) == (n, n) and field in ("real", "double", "integer"):
            read = sparse.coo_array(io.mmread(file))
    except (ValueError, OverflowError, OSError, EOFError) as error:
        raise FormatError(
            f"{file} cannot be read as a MatrixMarket file ({excerpt(str(error), 200)}); "
            "check that the file is complete, and that the right one is named"
        ) from error
    if (n_rows, n_columns) != (n, n) or field not in ("real", "double", "integer"):
        raise FormatError(
            f"{file} is a {field} matrix of {n_rows:,} rows and {n_columns:,} columns; expected "
            f"a real one with a row and a column for each of the {n:,} samples of {listed}: take "
            "both files from the same place"
        )
    found = sparse.csr_array(read, dtype=np.float64)
    if found.nnz < len(read.data):
        raise FormatError(
            f"{file} gives {len(read.data) - found.nnz:,} entries twice; expected each entry once: "
            "check what the file is"
        )
    return _with_diagonal(file, found, listed)


def check_entries(file: Path, values: sparse.csr_array) -> None:
    """Refuse a sparse matrix that is not finite and symmetric."""
    entries = sparse.coo_array(values)
    odd = np.flatnonzero(~np.isfinite(entries.data))
    if len(odd):
        row, column = (int(at[odd[0]]) for at in entries.coords)
        raise FormatError(
            f"{file} holds {entries.data[odd[0]]:g} in row {row + 1}, column {column + 1}; "
            "expected finite numbers: leave out the samples that it is of, or make the matrix again"
        )
    apart = sparse.coo_array(abs(values - values.T))
    worst = int(np.argmax(apart.data)) if apart.nnz else 0
    size = float(np.abs(entries.data).max(initial=0.0))
    if apart.nnz and apart.data[worst] > SYMMETRY * size:
        row, column = (int(at[worst]) for at in apart.coords)
        raise FormatError(
            f"{file} is not symmetric: row {row + 1}, column {column + 1} holds "
            f"{values[row, column]:g} and its mirror {values[column, row]:g}; expected equal "
            "numbers: check what the file is"
        )


def _with_diagonal(file: Path, values: sparse.csr_array, listed: Path) -> sparse.csr_array:
    """The same matrix, unless a sample has no relationship to itself."""
    without = np.flatnonzero(values.diagonal() == 0.0)
    if len(without):
        raise FormatError(
            f"{file} has no entry that relates the sample on row {int(without[0]) + 1} of {listed} "
            f"to itself, nor {len(without) - 1:,} others; expected one for each sample: check that "
            "the file is complete"
        )
    return values
