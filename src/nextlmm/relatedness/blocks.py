"""Diagonal blocks of the relationship matrix in tree order, straight from the genotypes."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nextlmm.genotype.packed import PackedGenotypes
from nextlmm.genotype.tile import in_panels, out_of_panels, tile_of_samples
from nextlmm.linalg.hodlr_levels import Product
from nextlmm.linalg.threads import available_threads, one_thread
from nextlmm.linalg.tree import Node
from nextlmm.relatedness.columns import (
    Columns,
    ColumnTile,
    DenseTile,
    PackedColumns,
    PackedTile,
    SourceColumns,
    blocks_of,
    tile_size,
)
from nextlmm.relatedness.operator import RelationshipOperator

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

_SEARCHED, _FOR_SAMPLE = 20_000, 2  # variants of a sketch, and of the blocks beside it, at least
_PARTS = 4  # sums of products, one for each of so many equal parts of the variants
_COLUMNS = (256, 4096)  # of a block of genotypes, enough for products with a few hundred rows
_BLOCK_ITEMS = 2**24  # of a block, if that is no more columns
_STRIP = 512  # rows that are multiplied by the columns of all levels together


@dataclass(frozen=True, eq=False)
class GenotypeBlocks:
    """The diagonal blocks of K = F F', F (n, m) with its rows in tree order.

    Products are in single precision, with an error of about 1e-6 of their norm; the same bytes on
    any number of threads.

    Attributes
    ----------
    columns : F.
    index : (m,) which variants of the relationship operator they are.
    threads : that products may use, on which no result depends.
    """

    columns: Columns
    index: IndexArray
    threads: int = field(default_factory=available_threads)

    def __repr__(self) -> str:
        return f"<diagonal blocks of relationships by {self.columns.n_columns:,} variants>"

    @property
    def n(self) -> int:
        """Number of samples."""
        return self.columns.n_rows

    def leaves(self, nodes: Sequence[Node]) -> list[FloatArray]:
        """The blocks of disjoint nodes as arrays.

        Cost: one pass over the genotypes, and m operations for each number of the blocks; memory is
        five times that of the blocks.
        """
        result = [np.zeros((node.size, node.size), order="F") for node in nodes]

        def of_part(part: slice) -> list[FloatArray]:
            arrays = [np.zeros((node.size, node.size), order="F") for node in nodes]
            for f in self._blocks(part):
                for node, total in zip(nodes, arrays, strict=True):
                    rows = f[node.start : node.stop]
                    total += rows @ rows.T
            return arrays

        with _workers(self.threads) as pool:
            for arrays in pool.map(of_part, self._parts()):
                for total, array in zip(result, arrays, strict=True):
                    total += array
        return result

    def product(self, nodes: Sequence[Node]) -> Product:
        """What takes the rows of each of the disjoint nodes of x (n, k) times its block, else 0.

        Cost: the genotypes of the nodes are packed anew, n m / 2 bytes; a product is 4 m k
        operations for each row of the nodes, by look-up for packed genotypes.
        """
        size = tile_size(self.columns.n_columns)
        stretches = list(blocks_of(0, self.columns.n_columns, size))

        def restricted(at: slice) -> list[ColumnTile]:
            tiles = self.columns.tiles(at.start, at.stop, np.float32)
            return [_restricted(tile, node) for _, tile in tiles for node in nodes]

        with _workers(self.threads) as pool:
            tiles = list(pool.map(restricted, stretches))

        def of_stretch(x: FloatArray, number: int) -> FloatArray:
            result = np.zeros(x.shape)
            for node, tile in zip(nodes, tiles[number], strict=True):
                own = x[node.start : node.stop]
                work = in_panels(own, node.size, np.float32)
                inner = tile.inner(work, work.sum(axis=1, dtype=np.float64))
                result[node.start : node.stop] = out_of_panels(tile.outer(inner), *own.shape)
            return result

        def multiply(x: FloatArray) -> FloatArray:
            result = np.zeros(x.shape)
            with _workers(self.threads) as pool:
                for part in pool.map(partial(of_stretch, x), range(len(stretches))):
                    result += part
            return result

        return multiply

    def energies(self, columns: Mapping[Node, FloatArray]) -> dict[Node, FloatArray]:
        """U'KU, (r, r), of the columns U (s, r) of each node; nodes may overlap.

        Cost: one pass over the genotypes and 2 m operations for each number of the columns.
        """
        strips = _strips(columns, self.n)
        size = {node: u.shape[1] for node, u in columns.items()}

        def of_part(part: slice) -> dict[Node, FloatArray]:
            total = {node: np.zeros((r, r)) for node, r in size.items()}
            for f in self._blocks(part):
                inner = {node: np.zeros((f.shape[1], r), np.float32) for node, r in size.items()}
                for strip in strips:
                    product = f[strip.rows].T @ strip.columns
                    for node, own in strip.places:
                        inner[node] += product[:, own]
                for node, image in inner.items():
                    total[node] += image.T @ image
            return total

        result = {node: np.zeros((r, r)) for node, r in size.items()}
        with _workers(self.threads) as pool:
            for total in pool.map(of_part, self._parts()):
                for node, energy in total.items():
                    result[node] += energy
        return result

    def of_variants(self, index: IndexArray) -> "GenotypeBlocks":
        """What some of the variants add to the blocks."""
        return replace(self, columns=self.columns.take(index), index=self.index[index])

    def thinned(self, terms: int) -> "GenotypeBlocks":
        """Blocks of at least so many variants, spread over the genome, scaled as all of them are.

        Cost: reading those variants, and n m / 4 bytes for packed genotypes.
        """
        if terms >= self.columns.n_columns:
            return self
        index = spread_over(np.arange(self.columns.n_columns), terms, seed=0)
        factor = float(np.sqrt(self.columns.n_columns / terms))
        return replace(self.of_variants(index), columns=self.columns.rescaled(factor).take(index))

    def _parts(self) -> list[slice]:
        """Equal parts of the variants, the same on any number of threads."""
        borders = np.linspace(0, self.columns.n_columns, _PARTS + 1).astype(np.intp)
        return [slice(int(start), int(stop)) for start, stop in pairwise(borders)]

    def _blocks(self, part: slice) -> Iterator[NDArray[np.float32]]:
        """Decoded columns (n, b), each block overwritten by the next."""
        fewest, most = _COLUMNS
        size = int(np.clip(_BLOCK_ITEMS // self.n, fewest, most))
        work = np.empty((min(size, part.stop - part.start), -(-self.n // 4) * 4), np.float32)
        for at in blocks_of(part.start, part.stop, size):
            yield self.columns.block(at, np.float32, out=work)


def genotype_blocks(
    operator: RelationshipOperator,
    order: IndexArray,
    *,
    count: int | None = None,
    seed: int = 0,
) -> GenotypeBlocks:
    """Blocks of K from some of its variants, spread over the genome, scaled to mean diagonal 1.

    Parameters
    ----------
    operator : K.
    order : (n,) the analysed sample at each position of the tree.
    count : at most so many variants, all if None.
    seed : of the choice of variants.

    Raises
    ------
    VariantError
        If none of them varies.

    Cost: reading those variants, and n m / 4 bytes for packed genotypes.
    """
    by_chromosome = np.argsort(operator.label, kind="stable")
    most = len(by_chromosome) if count is None else count
    index = np.sort(spread_over(by_chromosome, most, seed))
    trace = float(operator.traces_among(index).of(np.array([-1]))[0])
    columns = operator.columns
    factor = float(np.sqrt(operator.n / trace))
    rows = operator.rows[order]
    if isinstance(columns, PackedColumns):
        anew = _packed_anew(columns.rescaled(factor), index, rows, operator.threads)
        return GenotypeBlocks(anew, index, operator.threads)
    if isinstance(columns, SourceColumns):
        chosen = columns.take(index).rescaled(factor)
        return GenotypeBlocks(
            SourceColumns(chosen.source, chosen.variants, chosen.samples[rows], chosen.scaling),
            index,
            operator.threads,
        )
    raise TypeError(f"cannot bring {columns!r} into an order")


def _packed_anew(
    columns: PackedColumns, index: IndexArray, rows: IndexArray, threads: int
) -> PackedColumns:
    """Some of the columns and rows, stretches of columns at the same time."""
    stretches = np.array_split(index, max(1, min(4 * threads, len(index))))
    with _workers(threads) as pool:
        parts = list(pool.map(lambda part: columns.packed_anew(part, rows).genotypes, stretches))
    packed = np.concatenate([part.packed[:] for part in parts])
    return PackedColumns(
        PackedGenotypes(packed, len(rows)), np.arange(len(index)), columns.scaling.take(index)
    )


def searched_in(n: int) -> int:
    """How many variants a hierarchy of n samples is searched in, where there are more."""
    return max(_SEARCHED, _FOR_SAMPLE * n)


def blocks_and_sketch(
    operator: RelationshipOperator, order: IndexArray, *, seed: int = 0
) -> tuple[GenotypeBlocks, GenotypeBlocks | None]:
    """Blocks to measure a hierarchical factor in, and others to search its columns in.

    Each is made of 20,000 variants or two for each sample, drawn apart, so that a direction that is
    noise of one choice of variants is found to be worth nothing in the other.  With fewer of them a
    factor has more noise than structure, and solves take longer with it than without.  Where twice
    as many are not there, the blocks are of all variants, and there is no sketch.

    Cost: n / 2 bytes of packed genotypes for each of these variants.
    """
    count = searched_in(operator.n)
    if operator.n_variants < 2 * count:
        return genotype_blocks(operator, order, seed=seed), None
    blocks = genotype_blocks(operator, order, count=count, seed=seed)
    return blocks, genotype_blocks(operator, order, count=count, seed=seed + 1)


@dataclass(frozen=True, eq=False)
class _Strip:
    """Some rows and the columns of all nodes that have any there, zeros where a node ends.

    ``places`` are the columns of each node.
    """

    rows: slice
    columns: NDArray[np.float32]
    places: tuple[tuple[Node, slice], ...]


def _strips(columns: Mapping[Node, FloatArray], n: int) -> list[_Strip]:
    """Strips of a few hundred rows, so that the columns of all levels are multiplied together."""
    strips = []
    for rows in blocks_of(0, n, _STRIP):
        here = [
            (node, u)
            for node, u in columns.items()
            if node.start < rows.stop and rows.start < node.stop
        ]
        ends = np.cumsum([0, *(u.shape[1] for _, u in here)])
        array = np.zeros((rows.stop - rows.start, int(ends[-1])), np.float32)
        places = []
        for (node, u), start, stop in zip(here, ends, ends[1:], strict=False):
            first, last = max(node.start, rows.start), min(node.stop, rows.stop)
            array[first - rows.start : last - rows.start, start:stop] = u[
                first - node.start : last - node.start
            ]
            places.append((node, slice(int(start), int(stop))))
        strips.append(_Strip(rows, array, tuple(places)))
    return strips


def _restricted(tile: ColumnTile, node: Node) -> ColumnTile:
    """A tile with the rows of a node alone."""
    if isinstance(tile, PackedTile):
        samples = np.arange(node.start, node.stop)
        return PackedTile(tile_of_samples(tile.genotypes, samples), tile.scaling)
    if isinstance(tile, DenseTile):
        return DenseTile(tile.f[node.start : node.stop])
    raise TypeError(f"cannot take some rows of {tile!r}")


def spread_over(index: IndexArray, count: int, seed: int) -> IndexArray:
    """``count`` entries of ``index``, one drawn from each of as many equal stretches."""
    if count >= len(index):
        return index
    borders = np.linspace(0, len(index), count + 1).astype(np.intp)
    return index[np.random.default_rng(seed).integers(borders[:-1], borders[1:])]


@contextmanager
def _workers(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads with one thread of linear algebra in each."""
    with one_thread(), ThreadPoolExecutor(threads) as pool:
        yield pool
