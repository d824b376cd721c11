"""The columns of F in K = F F': standardised, centred genotypes, made block by block."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nextlmm.genotype.packed import PackedGenotypes
from nextlmm.genotype.source import GenotypeSource
from nextlmm.genotype.standardize import standardize

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

# Numbers of a block: 4 MB in single precision, so that both products with it find it in the cache,
# and at least so many columns that the products are worth a call.
_BLOCK_ITEMS = 2**20
_FEWEST_COLUMNS = 64


@dataclass(frozen=True, eq=False)
class ColumnScaling:
    """A column is ``(dosage - mean) * scale - shift``, ``-shift`` where missing; all (m,)."""

    mean: FloatArray
    scale: FloatArray
    shift: FloatArray

    def take(self, index: IndexArray | slice) -> Self:
        """The scaling of some of the columns."""
        return type(self)(self.mean[index], self.scale[index], self.shift[index])

    def times(self, factor: float) -> Self:
        """The scaling of the columns times a factor."""
        return type(self)(self.mean, self.scale * factor, self.shift * factor)


class Columns(Protocol):
    """F (rows, m), of which only blocks are ever made."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""

    @property
    def n_columns(self) -> int:
        """Number of columns."""

    def block(
        self, columns: slice, dtype: DTypeLike = np.float64, *, out: NDArray[Any] | None = None
    ) -> NDArray[Any]:
        """Some columns, (rows, b), each contiguous; in ``out`` (see `workspace`) if given."""

    def workspace(self, dtype: DTypeLike) -> NDArray[Any] | None:
        """What `block` can write blocks of ``block_size`` columns to; None if it cannot."""

    def take(self, index: IndexArray) -> "Columns":
        """Some of the columns, in memory where they are packed genotypes."""

    def rescaled(self, factor: float) -> "Columns":
        """The columns times a factor."""


@dataclass(frozen=True, eq=False)
class PackedColumns:
    """Columns of packed genotypes; ``variants`` are their positions among the genotypes."""

    genotypes: PackedGenotypes
    variants: IndexArray
    scaling: ColumnScaling

    def __repr__(self) -> str:
        return f"<{self.n_columns:,} columns of {self.genotypes!r}>"

    @property
    def n_rows(self) -> int:
        """Number of samples, analysed or not."""
        return self.genotypes.n

    @property
    def n_columns(self) -> int:
        """Number of variants."""
        return len(self.variants)

    def block(
        self, columns: slice, dtype: DTypeLike = np.float64, *, out: NDArray[Any] | None = None
    ) -> NDArray[Any]:
        """Some columns, (rows, b), each contiguous; see `PackedGenotypes.standardized`."""
        scaling = self.scaling.take(columns)
        return self.genotypes.standardized(
            self.variants[columns],
            scaling.mean,
            scaling.scale,
            dtype,
            shift=scaling.shift,
            out=out,
        )

    def workspace(self, dtype: DTypeLike) -> NDArray[Any]:
        """Room for one block."""
        return np.empty((block_size(self.n_rows), self.genotypes.packed.shape[1] * 4), dtype)

    def take(self, index: IndexArray) -> "PackedColumns":
        """Some of the columns, in memory."""
        return self.packed_anew(index, None)

    def rescaled(self, factor: float) -> "PackedColumns":
        """The columns times a factor."""
        return replace(self, scaling=self.scaling.times(factor))

    def packed_anew(self, index: IndexArray, rows: IndexArray | None) -> "PackedColumns":
        """Some of the columns, and of the rows if given, in memory."""
        genotypes = self.genotypes.take(self.variants[index], rows)
        return PackedColumns(genotypes, np.arange(len(index)), self.scaling.take(index))


@dataclass(frozen=True, eq=False)
class SourceColumns:
    """Columns of any source of dosages; ``variants`` and ``samples`` are positions in it."""

    source: GenotypeSource
    variants: IndexArray
    samples: IndexArray
    scaling: ColumnScaling

    def __repr__(self) -> str:
        return f"<{self.n_columns:,} columns of {self.source!r}>"

    @property
    def n_rows(self) -> int:
        """Number of analysed samples."""
        return len(self.samples)

    @property
    def n_columns(self) -> int:
        """Number of variants."""
        return len(self.variants)

    def block(
        self, columns: slice, dtype: DTypeLike = np.float64, *, out: NDArray[Any] | None = None
    ) -> NDArray[Any]:
        """Some columns, (rows, b), each contiguous."""
        scaling = self.scaling.take(columns)
        dosage = self.source.dosages(self.variants[columns], self.samples)
        values = standardize(dosage, scaling.mean, scaling.scale)
        values -= scaling.shift
        return values.astype(dtype, copy=False)

    def workspace(self, dtype: DTypeLike) -> None:
        """Nothing: a source hands out arrays of its own."""

    def take(self, index: IndexArray) -> "SourceColumns":
        """Some of the columns."""
        return replace(self, variants=self.variants[index], scaling=self.scaling.take(index))

    def rescaled(self, factor: float) -> "SourceColumns":
        """The columns times a factor."""
        return replace(self, scaling=self.scaling.times(factor))


def block_size(n_rows: int) -> int:
    """Columns in a block, which is a constant of the number of rows."""
    return max(_FEWEST_COLUMNS, _BLOCK_ITEMS // (n_rows or 1))


def blocks_of(start: int, stop: int, size: int) -> Iterator[slice]:
    """The columns from ``start`` to ``stop`` in blocks."""
    for at in range(start, stop, size):
        yield slice(at, min(at + size, stop))
