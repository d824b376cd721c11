"""Relationship matrices in the files of other programs.

Formats are told by the end of the name, or by what lies there under a prefix::

    P.grm.bin   GCTA: float32, lower triangle with its diagonal, row by row; P.grm.id
    P.grm.gz    GCTA, text: two positions from 1, variants, value; P.grm.id
    P.grm.sp    GCTA, sparse text: two positions from 0, value; zero elsewhere; P.grm.id
    P.rel.bin   PLINK 2: float64 or float32, square or lower triangle; P.rel.id
    P.rel       PLINK 2, text: the same; P.rel.id
    P.king.bin  PLINK 2, kinships: the same, triangles without their diagonal; P.king.id
    P.king      PLINK 2, kinships in text: the same; P.king.id
    P.kin0      KING, PLINK 2: a table of pairs and their kinships; P.kin with it if there
    P.mtx       SAIGE, sparse MatrixMarket; P.mtx.sampleIDs.txt
    *.npy       NumPy, (n, n); its samples in a list of their own
    *.txt       GEMMA's .cXX.txt and .sXX.txt, or any square of numbers; likewise

A kinship is half of a relationship.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from nextlmm.cohort.table import SampleColumns, read_sample_list
from nextlmm.errors import FormatError, UsageError
from nextlmm.genotype.tables import IndexArray
from nextlmm.genotype.textfile import check_readable
from nextlmm.relatedness import grm_entries, grm_pairs, grm_squares
from nextlmm.relatedness.grm_entries import SYMMETRY, check_entries

FloatArray = NDArray[np.float64]

_ROWS = 256
_GIB = 2.0**30


class Relationships(Protocol):
    """Relationships that were not made of the genotypes of the run.

    ``samples`` are those that it has, ``files`` the files that it was read from, by role, and
    ``warnings`` what a user should know of it.
    """

    @property
    def path(self) -> str:
        """The file."""

    @property
    def samples(self) -> SampleColumns:
        """Everyone whom it relates."""

    @property
    def files(self) -> dict[str, str]:
        """Every file that it was read from, by role."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should know of it, as sentences."""

    def among(self, people: IndexArray) -> FloatArray:
        """The matrix of some of the samples, (n, n), in their order; n^2 numbers."""


@dataclass(frozen=True, eq=False)
class GivenRelationships:
    """A relationship matrix from a file.

    Attributes
    ----------
    path : the file.
    samples : (k,) its samples, in the order of its rows.
    values : (k, k), an array or sparse.
    files : every file that it was read from, by role.
    warnings : what a user should know of it, as sentences.
    """

    path: str
    samples: SampleColumns
    values: FloatArray | sparse.csr_array
    files: dict[str, str]
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<{self.path}: relationships of {len(self.samples):,} samples>"

    def among(self, people: IndexArray) -> FloatArray:
        """The matrix of some of the samples, (n, n), in their order; n^2 numbers."""
        if isinstance(self.values, np.ndarray):
            return np.asfortranarray(self.values[np.ix_(people, people)])
        return np.asarray(self.values[people][:, people].toarray(order="F"))


def read_relationships(
    path: str | os.PathLike[str],
    ids: str | os.PathLike[str] | None = None,
    *,
    held_bytes: float = inf,
) -> GivenRelationships:
    """Read a relationship matrix.

    Parameters
    ----------
    path : a file of the formats above, or the prefix of one that has a list of samples.
    ids : the list of its samples, FID and IID or IID alone, one for each row; the one that the
        program writes beside the matrix unless given.  Of a table of pairs, all samples, related
        to others or not; those that it names unless given.
    held_bytes : what the matrix may take in memory.

    Raises
    ------
    MissingFileError, FormatError
        If a file is missing or damaged, or the matrix is not square, finite and symmetric.
    UsageError
        If nothing says which sample a row is, or the matrix is too large.

    Cost: the file; n^2 numbers, or the entries of a sparse matrix.
    """
    found = _file_of(os.fspath(path))
    end = next((end for end in _ENDS if found.endswith(end)), None)
    if end is None:
        check_readable(Path(found))
        raise FormatError(
            f"{found} is of no known format of relationship matrices; expected a name that ends "
            f"with {', '.join(_ENDS)}: rename it, or give the prefix of such a file"
        )
    file = Path(found)
    check_readable(file)
    if end in grm_pairs.ENDS:
        people, pairs, files = grm_pairs.read_pairs(file, None if ids is None else Path(ids))
        return GivenRelationships(found, people, pairs, files)
    listed = _list_of(file, end, ids)
    samples = read_sample_list(listed)
    values: FloatArray | sparse.csr_array
    if end in _SPARSE:
        values = _SPARSE[end](file, len(samples), listed)
        check_entries(file, values)
    else:
        _check_size(file, len(samples), held_bytes)
        values = _SQUARES[end](file, len(samples), listed)
        _check_matrix(file, values)
    return GivenRelationships(found, samples, values, {"grm": found, "grm_id": str(listed)})


def is_of_pairs(path: str | None) -> bool:
    """Whether a file, or that of a prefix, is a table of pairs, which need not name everyone."""
    return path is not None and _file_of(path).endswith(grm_pairs.ENDS)


def _file_of(name: str) -> str:
    """The file of a prefix, or the name itself."""
    return next((name + end for end in _ENDS if os.path.isfile(name + end)), name)


def _check_size(file: Path, n: int, held_bytes: float) -> None:
    n_bytes = 8.0 * n**2
    if n_bytes > held_bytes:
        raise UsageError(
            f"The relationship matrix {file} of {n:,} samples takes {n_bytes / _GIB:,.3g} GiB, but "
            f"large arrays may take {held_bytes / _GIB:,.3g} GiB; allow more by the option memory, "
            "give the matrix of fewer samples, or leave it out (nothing square is made then)."
        )


def _list_of(file: Path, end: str, ids: str | os.PathLike[str] | None) -> Path:
    """The list of the samples of a matrix."""
    if ids is not None:
        return Path(ids)
    stem = str(file).removesuffix(end)
    beside = [f"{stem}{other}" for other in (".grm.id", ".rel.id", ".king.id", ".id")]
    candidates = [Path(each) for each in (f"{file}.sampleIDs.txt", *beside)]
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


_SQUARES: dict[str, Callable[[Path, int, Path], FloatArray]] = {
    ".grm.bin": grm_squares.read_gcta,
    ".grm.gz": grm_squares.read_gcta_text,
    ".rel.bin": grm_squares.read_plink,
    ".rel": grm_squares.read_text,
    ".king.bin": grm_squares.read_king,
    ".king": grm_squares.read_king_text,
    ".npy": grm_squares.read_npy,
    ".txt": grm_squares.read_text,
}
_SPARSE: dict[str, Callable[[Path, int, Path], sparse.csr_array]] = {
    ".grm.sp": grm_entries.read_gcta_sparse,
    ".mtx": grm_entries.read_matrix_market,
}
_ENDS = (
    *(".grm.bin", ".grm.gz", ".grm.sp", ".rel.bin", ".rel", ".king.bin", ".king"),
    *(*grm_pairs.ENDS, ".mtx", ".npy", ".txt"),
)
