"""Relationship matrices in the files of other programs.

Formats are told by the end of the name, or by what lies there under a prefix::

    P.grm.bin   GCTA: float32, lower triangle with its diagonal, row by row; P.grm.id
    P.grm.gz    GCTA, text: two positions from 1, variants, value; P.grm.id
    P.grm.sp    GCTA, sparse text: two positions from 0, value; zero elsewhere; P.grm.id
    P.rel.bin   PLINK 2: float64 or float32, square or lower triangle; P.rel.id
    P.rel       PLINK 2, text: the same; P.rel.id
    *.npy       NumPy, (n, n); its samples in a list of their own
    *.txt       GEMMA's .cXX.txt and .sXX.txt, or any square of numbers; likewise
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import DTypeLike, NDArray

from nextlmm.cohort.table import SampleColumns, read_sample_list
from nextlmm.errors import FormatError, UsageError
from nextlmm.genotype.textfile import check_readable, read_bytes

FloatArray = NDArray[np.float64]

SYMMETRY = 1e-6
"""Share of the largest entry by which two entries that should be equal may differ."""
_ROWS = 256


@dataclass(frozen=True, eq=False)
class GivenRelationships:
    """A relationship matrix from a file.

    Attributes
    ----------
    path : the file.
    samples : (k,) its samples, in the order of its rows.
    values : (k, k).
    files : every file that it was read from, by role.
    """

    path: str
    samples: SampleColumns
    values: FloatArray
    files: dict[str, str]

    def __repr__(self) -> str:
        return f"<{self.path}: relationships of {len(self.samples):,} samples>"


def read_relationships(
    path: str | os.PathLike[str], ids: str | os.PathLike[str] | None = None
) -> GivenRelationships:
    """Read a relationship matrix.

    Parameters
    ----------
    path : a file of the formats above, or the prefix of one that has a list of samples.
    ids : the list of its samples, FID and IID or IID alone, one for each row; the one that the
        program writes beside the matrix unless given.

    Raises
    ------
    MissingFileError, FormatError
        If a file is missing or damaged, or the matrix is not square, finite and symmetric.
    UsageError
        If nothing says which sample a row is.

    Cost: the file, and n^2 numbers.
    """
    name = os.fspath(path)
    found = next((name + end for end in _READERS if os.path.isfile(name + end)), name)
    end = next((end for end in _READERS if found.endswith(end)), None)
    if end is None:
        check_readable(Path(found))
        raise FormatError(
            f"{found} is of no known format of relationship matrices; expected a name that ends "
            f"with {', '.join(_READERS)}: rename it, or give the prefix of such a file"
        )
    file = Path(found)
    check_readable(file)
    listed = _list_of(file, end, ids)
    samples = read_sample_list(listed)
    values = _READERS[end](file, len(samples), listed)
    _check_matrix(file, values)
    return GivenRelationships(found, samples, values, {"grm": found, "grm_id": str(listed)})


def _list_of(file: Path, end: str, ids: str | os.PathLike[str] | None) -> Path:
    """The list of the samples of a matrix."""
    if ids is not None:
        return Path(ids)
    stem = str(file).removesuffix(end)
    candidates = [Path(f"{stem}{other}") for other in (".grm.id", ".rel.id", ".id")]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise UsageError(
            f"Nothing says which samples the rows of {file} are: there is no {candidates[-1]}, nor "
            "one of another program; list them by the option grm-id."
        )
    return found


def _check_matrix(file: Path, values: FloatArray) -> None:
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise FormatError(
            f"{file} holds {values[row, column]:g} in row {row + 1}, column {column + 1}; expected "
            "finite numbers: leave out the samples that it is of, or make the matrix again"
        )
    size = float(np.abs(values).max(initial=0.0))
    for start in range(0, len(values), _ROWS):
        rows = values[start : start + _ROWS]
        apart = np.abs(rows - values[:, start : start + _ROWS].T) > SYMMETRY * size
        if apart.any():
            row, column = np.argwhere(apart)[0]
            raise FormatError(
                f"{file} is not symmetric: row {start + row + 1}, column {column + 1} holds "
                f"{rows[row, column]:g} and its mirror {values[column, start + row]:g}; expected "
                "equal numbers: check what the file is"
            )


def _from_triangle(lower: FloatArray, n: int) -> FloatArray:
    """The symmetric matrix of a lower triangle, row by row."""
    values = np.empty((n, n))
    start = 0
    for row in range(n):
        own = lower[start : start + row + 1]
        values[row, : row + 1] = values[: row + 1, row] = own
        start += row + 1
    return values


def _read_binary(file: Path, n: int, listed: Path, types: tuple[DTypeLike, ...]) -> FloatArray:
    """A square or a lower triangle of numbers of one of these types, told by the size."""
    content = file.read_bytes()
    triangle = n * (n + 1) // 2
    for kind in types:
        size = np.dtype(kind).itemsize
        if len(content) == size * triangle:
            return _from_triangle(np.frombuffer(content, kind).astype(np.float64), n)
        if len(content) == size * n * n:
            return np.frombuffer(content, kind).astype(np.float64).reshape(n, n)
    expected = " or ".join(f"{np.dtype(kind).itemsize * triangle:,}" for kind in types)
    raise FormatError(
        f"{file} has {len(content):,} bytes; expected {expected} for the lower triangle of the "
        f"{n:,} samples of {listed}: take both files from the same place, and copy them again"
    )


def _read_gcta(file: Path, n: int, listed: Path) -> FloatArray:
    return _read_binary(file, n, listed, ("<f4",))


def _read_plink(file: Path, n: int, listed: Path) -> FloatArray:
    return _read_binary(file, n, listed, ("<f8", "<f4"))


def _table(file: Path, n_columns: int, separator: str) -> FloatArray:
    """Lines of so many numbers each, (lines, columns)."""
    try:
        frame = pl.read_csv(
            read_bytes(file),
            has_header=False,
            separator=separator,
            schema={f"c{i}": pl.Float64 for i in range(n_columns)},
        )
    except pl.exceptions.PolarsError as error:
        said = str(error).split("\n", 1)[0]
        raise FormatError(
            f"{file} cannot be read as lines of {n_columns} numbers ({said}); check that the file "
            "is complete, and of the format that its name says"
        ) from error
    return frame.to_numpy()


def _entries(file: Path, n: int, listed: Path, table: FloatArray, first: int) -> FloatArray:
    """The symmetric matrix of a table of row, column (from ``first`` on) and value."""
    places = table[:, :2] - first
    inside = np.isfinite(table).all(axis=1) & ((places >= 0) & (places < n)).all(axis=1)
    if not inside.all():
        line = int(np.flatnonzero(~inside)[0])
        raise FormatError(
            f"{file}, line {line + 1}: {' '.join(f'{value:g}' for value in table[line])}; expected "
            f"two positions among the {n:,} samples of {listed} and a number: take both files from "
            "the same place"
        )
    values = np.zeros((n, n))
    rows, columns = places.astype(np.intp).T
    values[rows, columns] = values[columns, rows] = table[:, 2]
    return values


def _read_gcta_text(file: Path, n: int, listed: Path) -> FloatArray:
    table = _table(file, 4, "\t")
    if len(table) != n * (n + 1) // 2:
        raise FormatError(
            f"{file} has {len(table):,} lines; expected {n * (n + 1) // 2:,}, one for each pair of "
            f"the {n:,} samples of {listed}: take both files from the same place"
        )
    return _entries(file, n, listed, table[:, [0, 1, 3]], 1)


def _read_gcta_sparse(file: Path, n: int, listed: Path) -> FloatArray:
    return _entries(file, n, listed, _table(file, 3, "\t"), 0)


def _read_text(file: Path, n: int, listed: Path) -> FloatArray:
    """A square or a lower triangle of numbers, separated by white space or commas."""
    rows = []
    for number, line in enumerate(read_bytes(file).decode("utf-8", "replace").splitlines(), 1):
        cells = line.replace(",", " ").split()
        if not cells:
            continue
        try:
            rows.append(np.array(cells, dtype=np.float64))
        except ValueError as error:
            raise FormatError(
                f"{file}, line {number}: {error}; expected numbers: check that the right file is "
                "named"
            ) from error
    lengths = [len(row) for row in rows]
    if lengths == [n] * n:
        return np.vstack(rows)
    if lengths == list(range(1, n + 1)):
        return _from_triangle(np.concatenate(rows), n)
    longest = max(lengths, default=0)
    raise FormatError(
        f"{file} has {len(rows):,} rows of up to {longest:,} numbers; expected a square or a lower "
        f"triangle of the {n:,} samples of {listed}: take both files from the same place"
    )


def _read_npy(file: Path, n: int, listed: Path) -> FloatArray:
    try:
        values = np.load(file, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise FormatError(
            f"{file} cannot be read as a NumPy array ({error}); write it with numpy.save"
        ) from error
    if values.shape != (n, n) or values.dtype.kind not in "fiu":
        raise FormatError(
            f"{file} holds an array of shape {values.shape} and type {values.dtype}; expected "
            f"({n}, {n}) numbers for the samples of {listed}: take both files from the same place"
        )
    return np.asarray(values, dtype=np.float64)


_READERS: dict[str, Callable[[Path, int, Path], FloatArray]] = {
    ".grm.bin": _read_gcta,
    ".grm.gz": _read_gcta_text,
    ".grm.sp": _read_gcta_sparse,
    ".rel.bin": _read_plink,
    ".rel": _read_text,
    ".npy": _read_npy,
    ".txt": _read_text,
}
