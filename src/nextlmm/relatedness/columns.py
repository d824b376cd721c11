"""The columns of F in K = F F': standardised, centred genotypes, multiplied tile by tile.

A tile is a stretch of columns.  Tiles of packed genotypes are multiplied as they are, those of
other sources as arrays.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nextlmm.genotype.packed import PackedArray, PackedGenotypes
from nextlmm.genotype.source import GenotypeSource
from nextlmm.genotype.standardize import standardize
from nextlmm.genotype.tile import GenotypeTile, padded, tile_of_packed

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

# Numbers of a block: 4 MB in single precision, so that both products with it find it in the cache,
# and at least so many columns that the products are worth a call.
_BLOCK_ITEMS = 2**20
_FEWEST_COLUMNS = 64
# Variants of a tile: at most so many, and so few that all cores find work.
_LARGEST_TILE, _TILES = 2048, 16
_WORD = 32


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


class ColumnTile(Protocol):
    """Some columns of F, for products with arrays that `padded` made."""

    def inner(self, x: NDArray[Any], sums: FloatArray) -> NDArray[Any]:
        """F' x, (columns, k); ``sums`` (k,) are those of the columns of x."""

    def outer(self, t: NDArray[Any]) -> NDArray[Any]:
        """F t, (rows, k)."""

    def outer_of_squares(self, t: NDArray[Any]) -> NDArray[Any]:
        """The squares of F times t, (rows, k)."""


class Columns(Protocol):
    """F (rows, m), of which only blocks and tiles are ever made."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""

    @property
    def n_columns(self) -> int:
        """Number of columns."""

    def block(
        self, columns: slice, dtype: DTypeLike = np.float64, *, out: NDArray[Any] | None = None
    ) -> NDArray[Any]:
        """Some columns, (rows, b), each contiguous; in ``out``, rows rounded up to 4, if given."""

    def tiles(self, start: int, stop: int, dtype: DTypeLike) -> Iterator[tuple[slice, ColumnTile]]:
        """The tiles of the columns from ``start``, a multiple of `tile_size`, to ``stop``."""

    def take(self, index: IndexArray) -> "Columns":
        """Some of the columns, in memory where they are packed genotypes."""

    def rescaled(self, factor: float) -> "Columns":
        """The columns times a factor."""


@dataclass(frozen=True, eq=False)
class PackedTile:
    """Some columns of packed genotypes."""

    genotypes: GenotypeTile
    scaling: ColumnScaling

    def inner(self, x: NDArray[Any], sums: FloatArray) -> NDArray[Any]:
        """F' x; see `GenotypeTile.inner`."""
        scaling = self.scaling
        product = self.genotypes.inner(x, scaling.mean, scaling.scale, sums)
        shift = np.multiply.outer(scaling.shift, sums)
        product[: len(shift)] -= shift.astype(product.dtype)
        return product

    def outer(self, t: NDArray[Any]) -> NDArray[Any]:
        """F t; see `GenotypeTile.outer`."""
        return self.genotypes.outer(t, self._values())

    def outer_of_squares(self, t: NDArray[Any]) -> NDArray[Any]:
        """The squares of F times t."""
        return self.genotypes.outer(t, self._values() ** 2)

    def _values(self) -> FloatArray:
        """The number that stands for each code, (b, 4)."""
        scaling = self.scaling
        values = (np.array([2.0, 0.0, 1.0, 0.0]) - scaling.mean[:, None]) * scaling.scale[:, None]
        values[:, 1] = 0.0
        return np.asarray(values - scaling.shift[:, None])


@dataclass(frozen=True, eq=False)
class DenseTile:
    """Some columns as an array (rows, b)."""

    f: NDArray[Any]

    def inner(self, x: NDArray[Any], sums: FloatArray) -> NDArray[Any]:
        """F' x; the sums are in F already."""
        return np.asarray(self.f.T @ x[: len(self.f)])

    def outer(self, t: NDArray[Any]) -> NDArray[Any]:
        """F t."""
        return padded(self.f @ t, len(self.f), self.f.dtype)

    def outer_of_squares(self, t: NDArray[Any]) -> NDArray[Any]:
        """The squares of F times t."""
        return padded(np.square(self.f) @ t[: self.f.shape[1]], len(self.f), self.f.dtype)


class TiledRows:
    """Packed variants held as tiles, which are asked for as the rows of a .bed file are."""

    def __init__(self, tiles: tuple[GenotypeTile, ...], size: int, n: int) -> None:
        self.held = tiles
        self.size = size
        self.shape: tuple[int, ...] = (sum(t.n_variants for t in tiles), -(-n // 4))

    def __getitem__(self, variants: IndexArray | slice, /) -> PackedArray:
        """The rows at a slice or at positions, in that order, (b, ceil(n / 4))."""
        if isinstance(variants, slice):
            variants = np.arange(*variants.indices(self.shape[0]))
        rows = np.empty((len(variants), self.shape[1]), np.uint8)
        tile = np.asarray(variants) // self.size
        for number in np.unique(tile).tolist():
            chosen = tile == number
            rows[chosen] = self.held[number].packed(variants[chosen] - number * self.size)
        return rows


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

    def tiles(
        self,
        start: int,
        stop: int,
        dtype: DTypeLike,
    ) -> Iterator[tuple[slice, ColumnTile]]:
        """The tiles, those that are held or new ones of what is read."""
        for at in blocks_of(start, stop, tile_size(self.n_columns)):
            yield at, PackedTile(self._tile(at), self.scaling.take(at))

    def held(self, threads: int = 1) -> "PackedColumns":
        """The same columns with their tiles in memory.

        Cost: one read; n m / 2 bytes.
        """
        size = tile_size(self.n_columns)
        with ThreadPoolExecutor(threads) as pool:
            tiles = tuple(pool.map(self._tile, blocks_of(0, self.n_columns, size)))
        genotypes = PackedGenotypes(TiledRows(tiles, size, self.n_rows), self.n_rows)
        return PackedColumns(genotypes, np.arange(self.n_columns), self.scaling)

    def _tile(self, at: slice) -> GenotypeTile:
        rows = self.genotypes.packed
        if isinstance(rows, TiledRows) and self._is_tile_of(rows, at):
            held: GenotypeTile = rows.held[at.start // rows.size]
            return held
        packed: PackedArray = rows[self.variants[at]]
        return tile_of_packed(packed, self.n_rows, self.scaling.mean[at] > 1.0)

    def _is_tile_of(self, rows: TiledRows, at: slice) -> bool:
        """Whether these columns are all that is held, in the same order, as far as here."""
        is_here = np.array_equal(self.variants[at], np.arange(at.start, at.stop))
        return is_here and rows.shape[0] == self.n_columns

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

    def tiles(self, start: int, stop: int, dtype: DTypeLike) -> Iterator[tuple[slice, ColumnTile]]:
        """The tiles, read anew."""
        for at in blocks_of(start, stop, tile_size(self.n_columns)):
            yield at, DenseTile(self.block(at, dtype))

    def take(self, index: IndexArray) -> "SourceColumns":
        """Some of the columns."""
        return replace(self, variants=self.variants[index], scaling=self.scaling.take(index))

    def rescaled(self, factor: float) -> "SourceColumns":
        """The columns times a factor."""
        return replace(self, scaling=self.scaling.times(factor))


def block_size(n_rows: int) -> int:
    """Columns in a block, which is a constant of the number of rows."""
    return max(_FEWEST_COLUMNS, _BLOCK_ITEMS // (n_rows or 1))


def tile_size(n_columns: int) -> int:
    """Columns in a tile, which is a constant of the number of all columns."""
    share = -(-n_columns // _TILES)
    return min(_LARGEST_TILE, max(_WORD, -(-share // _WORD) * _WORD))


def blocks_of(start: int, stop: int, size: int) -> Iterator[slice]:
    """The columns from ``start`` to ``stop`` in blocks."""
    for at in range(start, stop, size):
        yield slice(at, min(at + size, stop))
