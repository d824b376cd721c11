"""Packed genotypes for another process: where to read them, or the bytes themselves."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nextlmm.genotype.packed import PackedArray, PackedGenotypes, PackedRows
from nextlmm.genotype.packed_file import PackedFile
from nextlmm.genotype.tables import IndexArray


@dataclass(frozen=True, eq=False)
class ChosenRows:
    """Some of the rows, in an order."""

    rows: PackedRows
    variants: IndexArray

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of variants and bytes of each."""
        return len(self.variants), self.rows.shape[1]

    def __getitem__(self, variants: IndexArray | slice, /) -> PackedArray:
        """Rows at a slice or at positions, in that order."""
        return self.rows[self.variants[variants]]


@dataclass(frozen=True, eq=False)
class RowsOfSamples:
    """Rows with some of the samples, packed anew whenever they are asked for."""

    genotypes: PackedGenotypes
    samples: IndexArray

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of variants and bytes of each."""
        return len(self.genotypes), -(-len(self.samples) // 4)

    def __getitem__(self, variants: IndexArray | slice, /) -> PackedArray:
        """Rows at a slice or at positions, in that order."""
        if isinstance(variants, slice):
            variants = np.arange(*variants.indices(len(self.genotypes)))
        return self.genotypes.take(variants, self.samples).packed[:]


@dataclass(frozen=True, eq=False)
class RowsOfFile:
    """Some variants of a .bed file, read where they are asked for.

    path : absolute.
    shape : number of all variants, and bytes of each.
    variants : their positions.
    """

    path: str
    shape: tuple[int, int]
    variants: IndexArray


DistantRows = RowsOfFile | NDArray[np.uint8]


def distant_rows(rows: PackedRows, variants: IndexArray, *, in_file: bool) -> DistantRows:
    """Some variants for another process; ``in_file`` says that it sees the file of the rows."""
    if in_file and isinstance(rows, PackedFile):
        return RowsOfFile(rows.path, (int(rows.shape[0]), int(rows.shape[1])), variants)
    return rows[variants]


def opened_rows(rows: DistantRows) -> PackedRows:
    """The rows in the process that received them.

    Raises
    ------
    MissingFileError
        If their file is not there.
    """
    if isinstance(rows, RowsOfFile):
        return ChosenRows(PackedFile(Path(rows.path), rows.shape), rows.variants)
    return rows


def files_of(rows: PackedRows) -> tuple[str, ...]:
    """The file that rows are read from, none if they are in memory."""
    return (rows.path,) if isinstance(rows, PackedFile) else ()
