"""The relationship matrix as an operator: products straight from the genotypes, no n x n array.

K = F F' n / tr(F F'), where the columns of F are the standardised dosages of :mod:`grm`, centred
over the analysed samples.  K without a chromosome has the same F without its columns, and a trace
of its own.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nextlmm.genotype.held import PackedSource
from nextlmm.genotype.partition import chromosome_groups
from nextlmm.genotype.source import GenotypeSource
from nextlmm.genotype.summary import VariantSummary
from nextlmm.genotype.tile import in_panels, out_of_panels
from nextlmm.linalg.covariance import SymmetricOperator
from nextlmm.linalg.threads import available_threads, one_thread
from nextlmm.progress import Progress, Silent
from nextlmm.relatedness.columns import (
    Columns,
    ColumnScaling,
    PackedColumns,
    SourceColumns,
    block_size,
    blocks_of,
    tile_size,
)
from nextlmm.relatedness.grm import Scaling
from nextlmm.relatedness.traces import Traces, column_moments, traces_of
from nextlmm.work import count

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

# Packed genotypes are held in memory, both ways, up to so many bytes, or read in every pass.
HELD_BYTES = 2 * 2**30
_COPIES = 2
_SINGLE = 4  # bytes of a dosage, which is held in single precision under the same limit
# The variants are summed in so many parts, one after the other within a part, whatever the number
# of threads: the order of a sum decides its last bits.
_PARTS = 16
_LARGEST_SUMS = 512 * 2**20  # bytes of all parts' sums, beyond which there are fewer parts
_TOGETHER = 64  # columns, so that the sums of some thousand rows stay in the second cache
_WORTH_PACKING_ANEW = 0.75  # share of the samples below which the others are dropped from memory


@dataclass(frozen=True, eq=False)
class Products:
    """What columns add to F F' x.

    work : x in panels, in the precision of the products.
    sums : (panels, width) of its columns.
    left : (k,) the chromosome that each column of x is multiplied without, -1 for none.
    """

    work: NDArray[Any]
    sums: FloatArray
    left: IndexArray

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the sum."""
        return self.work.shape

    def of(self, columns: Columns, label: IndexArray, part: slice) -> FloatArray:
        """The sum over a part of columns, whose chromosomes are ``label``."""
        total = np.zeros(self.shape)
        dtype = self.work.dtype
        # What came from another process may lie at any address.
        work, sums = (np.require(each, requirements=["C", "A"]) for each in (self.work, self.sums))
        for at, tile in columns.tiles(part.start, part.stop, dtype):
            is_absent = label[at, None] == self.left
            if is_absent.all():
                continue
            inner = tile.inner(work, sums)
            if is_absent.any():
                inner[in_panels(is_absent, inner.shape[1], dtype).astype(bool)] = 0.0
            total += tile.outer(inner)
        return total


@dataclass(frozen=True, eq=False)
class SquaredRows:
    """What columns add to the diagonal of F F', in a panel of that shape.

    ``left`` is the chromosome that is left out, -1 for none.
    """

    shape: tuple[int, ...]
    left: int

    def of(self, columns: Columns, label: IndexArray, part: slice) -> FloatArray:
        """The sum over a part of columns, whose chromosomes are ``label``."""
        total = np.zeros(self.shape)
        for at, tile in columns.tiles(part.start, part.stop, np.float64):
            used = (label[at, None] != self.left).astype(np.float64)
            total += tile.outer_of_squares(in_panels(used, len(used), np.float64))
        return total


@dataclass(frozen=True, eq=False)
class RelationshipOperator(SymmetricOperator):
    """K by its products, for all variants or without a chromosome; see `relationship_operator`.

    Attributes
    ----------
    chromosomes : names as first spelled, in the order of first appearance; spellings of one
        chromosome are one.  ``left_out`` counts in them, and is -1 where nothing is left out.
    columns : F, whose rows may hold more samples than are analysed.
    rows : (n,) the row of each analysed sample.
    label : (m,) chromosome of each column.
    squares : (m,) sum of squares of each column over the analysed samples.
    traces : of F F' with and without each chromosome.
    threads : that products may use, on which no result depends.
    """

    chromosomes: tuple[str, ...]
    columns: Columns
    rows: IndexArray
    label: IndexArray
    squares: FloatArray
    traces: Traces
    threads: int = field(default_factory=available_threads)

    def __repr__(self) -> str:
        return (
            f"<relationships of {self.n:,} samples by {self.n_variants:,} variants on "
            f"{len(self.chromosomes):,} chromosomes>"
        )

    @property
    def n(self) -> int:
        """Number of analysed samples."""
        return len(self.rows)

    @property
    def n_variants(self) -> int:
        """Variants that vary and are used."""
        return len(self.label)

    def matmul(
        self,
        x: FloatArray,
        left_out: NDArray[np.intp] | None = None,
        *,
        dtype: DTypeLike = np.float64,
    ) -> FloatArray:
        """K x, each column with the K of its own left-out chromosome; one pass over the genotypes.

        Parameters
        ----------
        x : (n,) or (n, k).
        left_out : (k,) positions in ``chromosomes``, -1 for none; none for all columns if None.
        dtype : precision of the products, float32 or float64; the result is float64.

        Returns
        -------
        Of the shape of x.  The same bytes on any number of threads.  In single precision it is off
        by less than 2e-7 of its norm on cohorts of 200 to 20,000 samples.

        Raises
        ------
        VariantError
            If nothing varies once a chromosome is left out.
        FormatError
            If the genotypes are in a file that has become shorter.

        Cost: 4 n m k operations, by look-up for packed genotypes, decoding none.
        """
        block = x.reshape(self.n, -1)
        left = _left_out(left_out, block.shape[1], len(self.chromosomes))
        result = np.empty(block.shape)
        genotypes = float(self.n) * self.n_variants
        for at in blocks_of(0, block.shape[1], _TOGETHER):
            columns = block[:, at].shape[1]
            count(operations=4.0 * genotypes * columns, genotypes=2.0 * genotypes)
            result[:, at] = self._product(block[:, at], left[at], dtype)
        return result.reshape(x.shape)

    def _product(self, block: FloatArray, left: IndexArray, dtype: DTypeLike) -> FloatArray:
        """K x of a few columns."""
        k = len(left)
        traces = self.traces.of(left)
        centred = block - block.mean(axis=0)
        # By powers of two, hence exactly, into the range of single precision.
        exponent = np.frexp(np.abs(centred).max(axis=0, initial=0.0))[1]
        rows = np.zeros((self.columns.n_rows, k))
        rows[self.rows] = np.ldexp(centred, -exponent)
        work = in_panels(rows, self.columns.n_rows, dtype)
        every = self._total(Products(work, work.sum(axis=1, dtype=np.float64), left))
        result = out_of_panels(every, self.columns.n_rows, k)[self.rows]
        result -= result.mean(axis=0)
        result *= np.ldexp(self.n / traces, exponent)
        return result

    def diagonal(self, left_out: int = -1) -> FloatArray:
        """Diagonal of K, (n,), without a chromosome if one is given.

        Cost: one pass over the genotypes.
        """
        left = _left_out(np.array([left_out]), 1, len(self.chromosomes))
        trace = self.traces.of(left)[0]
        shape = in_panels(np.empty((0, 1)), self.columns.n_rows, np.float64).shape
        total = self._total(SquaredRows(shape, int(left[0])))[0, self.rows, 0]
        return np.asarray(total * (self.n / trace))

    def to_dense(self, left_out: int = -1) -> FloatArray:
        """K as an (n, n) array; for tests and small matrices.

        Cost: n^2 m operations, and two (n, n) arrays.
        """
        left = _left_out(np.array([left_out]), 1, len(self.chromosomes))
        trace = self.traces.of(left)[0]
        total = np.zeros((self.n, self.n))
        for at in blocks_of(0, self.n_variants, block_size(self.columns.n_rows)):
            f = self.columns.block(at)[self.rows][:, self.label[at] != left[0]]
            total += f @ f.T
        return np.asarray(total * (self.n / trace))

    def traces_among(self, index: IndexArray) -> Traces:
        """Traces of F F' over some of the variants alone, with and without each chromosome."""
        return traces_of(self.squares[index], self.label[index], len(self.chromosomes))

    def without(self, chromosome: int) -> SymmetricOperator:
        """K without the variants of a chromosome, as an operator of its own."""
        self.traces.of(_left_out(np.array([chromosome]), 1, len(self.chromosomes)))
        return LeftOutOperator(self, chromosome)

    def reordered(self, order: IndexArray) -> "RelationshipOperator":
        """The same K with its samples in another order; the genotypes stay as they are."""
        return replace(self, rows=self.rows[order])

    def thinned(self, count: int, seed: int) -> "RelationshipOperator":
        """K of at most ``count`` of the variants, in memory.

        The variants, chromosome by chromosome, are cut into ``count`` equal stretches, and one is
        drawn from each.

        Cost: reading those variants.
        """
        if count < 1:
            raise ValueError(f"a relationship matrix needs at least one variant, not {count}")
        index = np.arange(self.n_variants)
        if count < self.n_variants:
            borders = np.linspace(0, self.n_variants, count + 1).astype(np.intp)
            drawn = np.random.default_rng(seed).integers(borders[:-1], borders[1:])
            index = np.sort(np.argsort(self.label, kind="stable")[drawn])
        return self._of_columns(index)

    def _of_columns(self, index: IndexArray) -> "RelationshipOperator":
        label, squares = self.label[index], self.squares[index]
        traces = self.traces_among(index)
        columns = self.columns.take(index)
        if isinstance(columns, PackedColumns):
            columns = columns.held(self.threads)
        return replace(self, columns=columns, label=label, squares=squares, traces=traces)

    def _total(self, request: "Products | SquaredRows") -> FloatArray:
        """The sum over all columns in double precision, the parts added in their order."""
        size = tile_size(self.n_variants)
        n_tiles = -(-self.n_variants // size)
        nbytes = 8 * int(np.prod(request.shape))
        n_parts = max(1, min(_PARTS, n_tiles, _LARGEST_SUMS // (nbytes or 1)))
        borders = size * np.linspace(0, n_tiles, n_parts + 1).astype(np.intp)
        borders[-1] = self.n_variants
        parts = [slice(int(start), int(stop)) for start, stop in pairwise(borders)]
        total = np.zeros(request.shape)
        sums = partial(request.of, self.columns, self.label)
        with one_thread(), ThreadPoolExecutor(min(self.threads, n_parts)) as pool:
            for value in pool.map(sums, parts):
                total += value
        return total


@dataclass(frozen=True, eq=False)
class LeftOutOperator(SymmetricOperator):
    """K without the variants of one chromosome."""

    operator: RelationshipOperator
    chromosome: int

    def __repr__(self) -> str:
        name = self.operator.chromosomes[self.chromosome]
        return f"<{self.operator!r} without chromosome {name}>"

    @property
    def n(self) -> int:
        """Number of analysed samples."""
        return self.operator.n

    def matmul(self, x: FloatArray, *, dtype: DTypeLike = np.float64) -> FloatArray:
        """K x; see `RelationshipOperator.matmul`."""
        k = 1 if x.ndim == 1 else x.shape[1]
        return self.operator.matmul(x, np.full(k, self.chromosome), dtype=dtype)

    def diagonal(self) -> FloatArray:
        """Diagonal of K, (n,)."""
        return self.operator.diagonal(self.chromosome)

    def to_dense(self) -> FloatArray:
        """K as an (n, n) array; for tests and small matrices."""
        return self.operator.to_dense(self.chromosome)


def relationship_operator(
    source: GenotypeSource,
    variants: IndexArray,
    scaling: Scaling,
    samples: IndexArray,
    summary: VariantSummary,
    *,
    held_bytes: int = HELD_BYTES,
    progress: Progress | None = None,
) -> RelationshipOperator:
    """K over ``variants``, rows and columns in the order of ``samples``, without forming it.

    Equal to `relationship_matrix` and `leave_one_out` up to rounding.

    Parameters
    ----------
    source : the genotypes.
    variants : positions of the variants; those that do not vary are left away.
    scaling : how dosages are standardised, of all variants of the source.
    samples : positions of the n analysed samples, distinct, in any order.
    summary : of all variants of the source over ``samples``.
    held_bytes : packed genotypes, and dosages for products in single precision, are copied into
        memory if they need no more than this, and read anew in every pass otherwise; no result
        depends on it but in rounding.
    progress : told of the variants done.

    Raises
    ------
    VariantError
        If no variant varies among the samples.

    Cost: one read of the genotypes if they are held, else nothing.
    """
    groups = chromosome_groups(variants, source.variants.chromosome)
    chromosome = np.full(len(source.variants), -1)
    for number, group in enumerate(groups.values()):
        chromosome[group] = number
    used = variants[scaling.scale[variants] > 0.0]
    label = chromosome[used]
    mean, squares = column_moments(used, scaling, summary, len(samples))
    traces = traces_of(squares, label, len(groups))
    traces.of(np.array([-1]))
    how = ColumnScaling(scaling.mean[used], scaling.scale[used], mean)
    listener = progress or Silent()
    listener.start("Reading the genotypes of the relationships", len(used))
    columns: Columns
    rows = np.arange(len(samples))
    if isinstance(source, PackedSource):
        columns, rows = _packed_columns(source, used, samples, how, held_bytes)
    else:
        columns = SourceColumns(source, used, samples, how)
        if _SINGLE * len(samples) * len(used) <= held_bytes:
            columns = columns.held(available_threads())
    listener.advance(len(used))
    listener.finish()
    return RelationshipOperator(tuple(groups), columns, rows, label, squares, traces)


def _packed_columns(
    source: PackedSource,
    variants: IndexArray,
    samples: IndexArray,
    scaling: ColumnScaling,
    held_bytes: int,
) -> tuple[PackedColumns, IndexArray]:
    """Columns of a .bed file, held in memory if they fit, and the rows of the samples in them."""
    columns = PackedColumns(source.genotypes, variants, scaling)
    every, n_all = np.arange(len(variants)), len(source.samples)
    is_sparse = len(samples) < _WORTH_PACKING_ANEW * n_all
    n_held = len(samples) if is_sparse else n_all
    if len(variants) * -(-n_held // 4) * _COPIES > held_bytes:
        return columns, samples
    threads = available_threads()
    if is_sparse:
        return columns.packed_anew(every, samples).held(threads), np.arange(len(samples))
    return columns.held(threads), samples


def _left_out(left_out: NDArray[np.intp] | None, k: int, n_chromosomes: int) -> NDArray[np.intp]:
    """``left_out`` checked, (k,)."""
    if left_out is None:
        return np.full(k, -1)
    if left_out.shape != (k,) or (left_out < -1).any() or (left_out >= n_chromosomes).any():
        raise ValueError(
            f"expected {k} chromosomes to leave out, numbered from 0 to {n_chromosomes - 1} or -1 "
            f"for none, not {left_out}"
        )
    return left_out
