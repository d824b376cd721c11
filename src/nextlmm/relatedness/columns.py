"""The columns of F in K = F F': standardised, centred genotypes, multiplied tile by tile.

A tile is a stretch of columns.  Tiles of packed genotypes are multiplied as they are, those of
other sources as arrays.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nextlmm.genotype.ahead import read_ahead
from nextlmm.genotype.packed import PackedArray, PackedGenotypes
from nextlmm.genotype.source import GenotypeSource
from nextlmm.genotype.standardize import standardize
from nextlmm.genotype.tile import (
    GenotypeTile,
    TileScaling,
    TileValues,
    in_panels,
    out_of_panels,
    tile_of_packed,
)

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

# Numbers of a block: 4 MB in single precision, so that both products with it find it in the cache,
# and at least so many columns that the products are worth a call.
_BLOCK_ITEMS = 2**20
_FEWEST_COLUMNS = 64
# Numbers of a step of their making: half a megabyte in double precision.
_STEP_ITEMS = 2**16
# Variants of a tile: at most so many, and so few that all cores find work.
_LARGEST_TILE, _TILES = 2048, 16
_TILE_ITEMS = 2**23  # numbers of a tile that is an array
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
    """Some columns of F, for products with arrays that stand `in_panels`."""

    def inner(self, x: NDArray[Any], sums: FloatArray) -> NDArray[Any]:
        """F' x of rows x; ``sums`` (panels, width) are those of the columns of x."""

    def outer(self, t: NDArray[Any]) -> NDArray[Any]:
        """F t of columns t."""

    def outer_of_squares(self, t: NDArray[Any]) -> NDArray[Any]:
        """The squares of F times t."""


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
        return self.genotypes.inner(x, self._scaling, sums)

    def outer(self, t: NDArray[Any]) -> NDArray[Any]:
        """F t; see `GenotypeTile.outer`."""
        return self.genotypes.outer(t, self._values)

    def outer_of_squares(self, t: NDArray[Any]) -> NDArray[Any]:
        """The squares of F times t."""
        return self.genotypes.outer(t, self.genotypes.values(self._numbers() ** 2))

    @cached_property
    def _scaling(self) -> TileScaling:
        scaling = self.scaling
        return self.genotypes.scaling(scaling.mean, scaling.scale, scaling.shift)

    @cached_property
    def _values(self) -> TileValues:
        return self.genotypes.values(self._numbers())

    def _numbers(self) -> FloatArray:
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
        return _multiplied(self.f.T, x)

    def outer(self, t: NDArray[Any]) -> NDArray[Any]:
        """F t."""
        return _multiplied(self.f, t)

    def outer_of_squares(self, t: NDArray[Any]) -> NDArray[Any]:
        """The squares of F times t."""
        return _multiplied(np.square(self.f), t)


def _multiplied(a: NDArray[Any], x: NDArray[Any]) -> NDArray[Any]:
    """A x of an array in panels, in panels."""
    rows, columns = a.shape
    return in_panels(a @ out_of_panels(x, columns, len(x) * x.shape[2]), rows, a.dtype)


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
        """The tiles, those that are held or new ones of what is read, one ahead of its use."""
        size, held = tile_size(self.n_columns), self._held
        stretches = blocks_of(start, stop, size)
        if held is not None:
            yield from ((at, held[at.start // size]) for at in stretches)
            return
        for at, rows in read_ahead(self._rows, stretches):
            yield at, PackedTile(self._tile_of(at, rows), self.scaling.take(at))

    def held(self, threads: int = 1) -> "PackedColumns":
        """The same columns with their tiles in memory.

        Cost: one read; n m / 2 bytes.
        """
        size = tile_size(self.n_columns)
        with ThreadPoolExecutor(threads) as pool:
            tiles = tuple(pool.map(self._tile, blocks_of(0, self.n_columns, size)))
        genotypes = PackedGenotypes(TiledRows(tiles, size, self.n_rows), self.n_rows)
        return PackedColumns(genotypes, np.arange(self.n_columns), self.scaling)

    def _rows(self, at: slice) -> PackedArray:
        return self.genotypes.packed[self.variants[at]]

    def _tile_of(self, at: slice, rows: PackedArray) -> GenotypeTile:
        return tile_of_packed(rows, self.n_rows, self.scaling.mean[at] > 1.0)

    def _tile(self, at: slice) -> GenotypeTile:
        return self._tile_of(at, self._rows(at))

    @cached_property
    def _held(self) -> tuple[PackedTile, ...] | None:
        """The tiles of these columns, if they are all that is held, and in the same order."""
        rows = self.genotypes.packed
        if not isinstance(rows, TiledRows) or rows.shape[0] != self.n_columns:
            return None
        if not np.array_equal(self.variants, np.arange(self.n_columns)):
            return None
        every = blocks_of(0, self.n_columns, rows.size)
        return tuple(
            PackedTile(tile, self.scaling.take(at))
            for tile, at in zip(rows.held, every, strict=True)
        )

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
    """Columns of any source of dosages; ``variants`` and ``samples`` are positions in it.

    ``single`` are all of them in single precision, (rows, m), where that much is held.
    """

    source: GenotypeSource
    variants: IndexArray
    samples: IndexArray
    scaling: ColumnScaling
    single: NDArray[np.float32] | None = None

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
        first, last, _ = columns.indices(self.n_columns)
        values = np.empty((self.n_rows, last - first), dtype, order="F")
        # A few at a time, so that the steps of one find it in the cache.
        for at in blocks_of(first, last, max(1, _STEP_ITEMS // (self.n_rows or 1))):
            scaling = self.scaling.take(at)
            dosage = self.source.dosages(self.variants[at], self.samples)
            part = standardize(dosage, scaling.mean, scaling.scale)
            part -= scaling.shift
            values[:, at.start - first : at.stop - first] = part
        return values

    def tiles(self, start: int, stop: int, dtype: DTypeLike) -> Iterator[tuple[slice, ColumnTile]]:
        """The tiles, as they are held or read anew, one ahead of its use."""
        held = self.single if np.dtype(dtype) == np.float32 else None
        # So few columns that the arrays of many samples stay small.
        size = max(_FEWEST_COLUMNS, _TILE_ITEMS // (self.n_rows or 1))
        stretches = blocks_of(start, stop, min(size, tile_size(self.n_columns)))
        if held is not None:
            yield from ((at, DenseTile(held[:, at])) for at in stretches)
            return
        for at, f in read_ahead(lambda at: self.block(at, dtype), stretches):
            yield at, DenseTile(f)

    def held(self, threads: int = 1) -> "SourceColumns":
        """The same columns with a copy in single precision in memory, for products in that.

        Cost: one read; 4 n m bytes.
        """
        single = np.empty((self.n_rows, self.n_columns), np.float32, order="F")

        def fill(at: slice) -> None:
            single[:, at] = self.block(at, np.float32)

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(fill, blocks_of(0, self.n_columns, tile_size(self.n_columns))))
        single.setflags(write=False)
        return replace(self, single=single)

    def take(self, index: IndexArray) -> "SourceColumns":
        """Some of the columns."""
        scaling = self.scaling.take(index)
        return replace(self, variants=self.variants[index], scaling=scaling, single=None)

    def rescaled(self, factor: float) -> "SourceColumns":
        """The columns times a factor."""
        return replace(self, scaling=self.scaling.times(factor), single=None)


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
