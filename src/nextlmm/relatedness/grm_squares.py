"""Relationship matrices that are written out in full: squares and lower triangles."""

from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nextlmm.errors import FormatError
from nextlmm.genotype.digits import excerpt, plain_numbers
from nextlmm.genotype.textfile import read_bytes
from nextlmm.relatedness.grm_entries import number_table, places_of

FloatArray = NDArray[np.float64]


def _from_triangle(lower: FloatArray, n: int, *, with_diagonal: bool = True) -> FloatArray:
    """The symmetric matrix of a lower triangle, row by row; its diagonal is 0 if not given."""
    values = np.zeros((n, n))
    start = 0
    for row in range(n):
        stop = row + 1 if with_diagonal else row
        own = lower[start : start + stop]
        values[row, :stop] = values[:stop, row] = own
        start += stop
    return values


def _of_kinship(kinship: FloatArray) -> FloatArray:
    """The relationships of kinship coefficients, of a sample with itself 1."""
    kinship *= 2.0
    np.fill_diagonal(kinship, 1.0)
    return kinship


def _read_binary(
    file: Path, n: int, listed: Path, types: tuple[DTypeLike, ...], *, with_diagonal: bool = True
) -> FloatArray:
    """A square or a lower triangle of numbers of one of these types, told by the size."""
    n_bytes = file.stat().st_size
    triangle = n * (n + 1) // 2 if with_diagonal else n * (n - 1) // 2
    for kind in types:
        size = np.dtype(kind).itemsize
        if n_bytes == size * triangle:
            lower = np.fromfile(file, kind, triangle).astype(np.float64)
            return _from_triangle(lower, n, with_diagonal=with_diagonal)
        if n_bytes == size * n * n:
            return np.fromfile(file, kind, n * n).astype(np.float64).reshape(n, n)
    expected = " or ".join(f"{np.dtype(kind).itemsize * triangle:,}" for kind in types)
    raise FormatError(
        f"{file} has {n_bytes:,} bytes; expected {expected} for the lower triangle of the "
        f"{n:,} samples of {listed}: take both files from the same place, and copy them again"
    )


def read_gcta(file: Path, n: int, listed: Path) -> FloatArray:
    """GCTA's .grm.bin: float32, the lower triangle."""
    return _read_binary(file, n, listed, ("<f4",))


def read_plink(file: Path, n: int, listed: Path) -> FloatArray:
    """PLINK 2's .rel.bin: float64 or float32, a square or the lower triangle."""
    return _read_binary(file, n, listed, ("<f8", "<f4"))


def read_king(file: Path, n: int, listed: Path) -> FloatArray:
    """PLINK 2's .king.bin, kinships: a square, or the lower triangle without its diagonal."""
    return _of_kinship(_read_binary(file, n, listed, ("<f8", "<f4"), with_diagonal=False))


def read_king_text(file: Path, n: int, listed: Path) -> FloatArray:
    """PLINK 2's .king, kinships in text: the same."""
    return _of_kinship(_read_rows(file, n, listed, with_diagonal=False))


def read_gcta_text(file: Path, n: int, listed: Path) -> FloatArray:
    """GCTA's .grm.gz: two positions from 1, the number of variants, and a value."""
    table = number_table(file, 4)
    if len(table) != n * (n + 1) // 2:
        raise FormatError(
            f"{file} has {len(table):,} lines; expected {n * (n + 1) // 2:,}, one for each pair of "
            f"the {n:,} samples of {listed}: take both files from the same place"
        )
    odd = np.flatnonzero(~(table[:, 2] >= 0))
    if len(odd):
        raise FormatError(
            f"{file}, line {odd[0] + 1}: the number of variants is {table[odd[0], 2]:g}; expected "
            "two positions, a number of variants and a value: check that the right file is named"
        )
    values = np.zeros((n, n))
    is_given = np.zeros((n, n), dtype=bool)
    rows, columns = places_of(file, n, listed, table[:, [0, 1, 3]], 1)
    values[rows, columns] = values[columns, rows] = table[:, 3]
    is_given[rows, columns] = is_given[columns, rows] = True
    if not is_given.all():
        row, column = np.argwhere(~is_given)[-1]
        raise FormatError(
            f"{file} has no line for the samples {row + 1} and {column + 1} of {listed}, and two "
            "for others; expected one for each pair: make the file again"
        )
    return values


def read_text(file: Path, n: int, listed: Path) -> FloatArray:
    """A square or a lower triangle of numbers, separated by white space or commas."""
    return _read_rows(file, n, listed)


def _read_rows(file: Path, n: int, listed: Path, *, with_diagonal: bool = True) -> FloatArray:
    rows = []
    for number, line in enumerate(read_bytes(file).decode("utf-8", "replace").splitlines(), 1):
        cells = line.replace(",", " ").split()
        if not cells:
            continue
        try:
            rows.append(plain_numbers(cells, np.float64))
        except ValueError as error:
            raise FormatError(
                f"{file}, line {number}: {excerpt(str(error), 100)}; expected numbers: "
                "check that the right file is named"
            ) from error
    lengths = [len(row) for row in rows]
    if lengths == [n] * n:
        return np.vstack(rows)
    if lengths == list(range(1, n + 1 if with_diagonal else n)):
        lower = np.concatenate(rows) if rows else np.empty(0)
        return _from_triangle(lower, n, with_diagonal=with_diagonal)
    longest = max(lengths, default=0)
    raise FormatError(
        f"{file} has {len(rows):,} rows of up to {longest:,} numbers; expected a square or a lower "
        f"triangle of the {n:,} samples of {listed}: take both files from the same place"
    )


def read_npy(file: Path, n: int, listed: Path) -> FloatArray:
    """A NumPy array (n, n)."""
    with file.open("rb") as content:
        try:
            shape, is_fortran, kind = _npy_header(content)
        except Exception as error:  # the header is a Python literal, whose parser raises anything
            raise FormatError(
                f"{file} cannot be read as a NumPy array ({excerpt(str(error), 200)}); write it "
                "with numpy.save"
            ) from error
        if shape != (n, n) or kind.kind not in "fiu":
            raise FormatError(
                f"{file} holds an array of shape {excerpt(str(shape))} and type "
                f"{excerpt(str(kind))}; expected ({n}, {n}) numbers for the samples of {listed}: "
                "take both files from the same place"
            )
        expected = content.tell() + kind.itemsize * n * n
        if file.stat().st_size != expected:
            raise FormatError(
                f"{file} has {file.stat().st_size:,} bytes; expected {expected:,} for the "
                f"({n}, {n}) numbers that its header describes: copy it again"
            )
        values = np.fromfile(content, kind, n * n)
    order: Literal["F", "C"] = "F" if is_fortran else "C"
    return np.asarray(values.reshape((n, n), order=order), dtype=np.float64)


def _npy_header(content: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns are contiguous, and type of an array, of which nothing else is read.

    Objects, which are pickled and could be programs, are none of the types that a matrix may have.
    """
    version = np.lib.format.read_magic(content)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(content)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(content)
    raise ValueError(f"the format has version {version}, and an array of numbers 1 or 2")
