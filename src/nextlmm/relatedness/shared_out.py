"""The relationship matrix as an operator whose genotypes lie on the workers of a cluster.

The variants are cut into shares, as many as there are whatever the number of workers; a worker
holds some of them, packed, and multiplies its own.  Vectors, and whatever looks at single variants,
stay here, where the genotypes are read when they are wanted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextlmm.cluster.held import Held, Piece
from nextlmm.cluster.pool import Cluster
from nextlmm.genotype.array import ArraySource
from nextlmm.genotype.distant import (
    DistantRows,
    RowsOfSamples,
    distant_rows,
    files_of,
    opened_rows,
)
from nextlmm.genotype.packed import PackedGenotypes
from nextlmm.genotype.tables import SampleTable, VariantTable, string_array
from nextlmm.relatedness.columns import (
    Columns,
    ColumnScaling,
    PackedColumns,
    SourceColumns,
    tile_size,
)
from nextlmm.relatedness.operator import (
    FloatArray,
    IndexArray,
    Products,
    RelationshipOperator,
    SquaredRows,
)

SHARES = 64
"""Most shares, and so most workers that find work; the order of sums hangs on it."""

_WORTH_PACKING_ANEW = 0.75  # share of the samples below which the others are dropped
_COPIES, _SINGLE = 2, 4


@dataclass(frozen=True, eq=False)
class Share:
    """Some columns of F where they are multiplied, their chromosomes, and their bytes there."""

    columns: Columns
    label: IndexArray
    nbytes: int

    def __sizeof__(self) -> int:
        """The bytes, by which Dask judges how dear a copy would be."""
        return object.__sizeof__(self) + self.nbytes


@dataclass(frozen=True, eq=False)
class PackedParcel:
    """Packed genotypes as they travel.

    rows : of the variants, with all ``n`` samples.
    samples : (k,) those to keep, None for all.
    """

    rows: DistantRows
    n: int
    samples: IndexArray | None
    scaling: ColumnScaling
    label: IndexArray
    is_held: bool

    def load(self) -> Share:
        """The share on its worker.

        Raises
        ------
        MissingFileError, FormatError
            If the rows are in a file that is not there or has become shorter.
        """
        genotypes = _of_samples(PackedGenotypes(opened_rows(self.rows), self.n), self.samples)
        columns = PackedColumns(genotypes, np.arange(len(self.label)), self.scaling)
        if not self.is_held:
            return Share(columns, self.label, 0)
        return Share(columns.held(), self.label, _packed_bytes(columns.n_rows, len(self.label)))


@dataclass(frozen=True, eq=False)
class DosageParcel:
    """Dosages (n, m) as they travel, NaN where missing."""

    dosages: NDArray[np.float32]
    scaling: ColumnScaling
    label: IndexArray

    def load(self) -> Share:
        """The share on its worker."""
        n, m = self.dosages.shape
        none = string_array([])
        nowhere = VariantTable(none, none, np.empty(0, np.int64), none, none)
        source = ArraySource(SampleTable(none, none), nowhere, self.dosages)
        columns = SourceColumns(source, np.arange(m), np.arange(n), self.scaling)
        return Share(columns.held(), self.label, 2 * self.dosages.nbytes)


@dataclass(frozen=True, eq=False)
class PackedShare:
    """A share of packed genotypes that can be made again at any time."""

    columns: PackedColumns
    label: IndexArray
    at: slice

    @property
    def nbytes(self) -> int:
        """Bytes in the memory of its worker."""
        return _packed_bytes(self.columns.n_rows, len(self.label[self.at]))

    def parcel(self, *, sees_files: bool, is_held: bool) -> PackedParcel:
        """What travels."""
        genotypes, samples = self.columns.genotypes, None
        chosen = genotypes.packed
        if sees_files and isinstance(chosen, RowsOfSamples):
            genotypes, samples = chosen.genotypes, chosen.samples
        return PackedParcel(
            distant_rows(genotypes.packed, self.columns.variants[self.at], in_file=sees_files),
            genotypes.n,
            samples,
            self.columns.scaling.take(self.at),
            self.label[self.at],
            is_held,
        )


@dataclass(frozen=True, eq=False)
class DosageShare:
    """A share of dosages, which are always sent."""

    columns: SourceColumns
    label: IndexArray
    at: slice

    @property
    def nbytes(self) -> int:
        """Bytes in the memory of its worker: of the dosages, and as they are multiplied."""
        return 2 * _SINGLE * len(self.label[self.at]) * self.columns.n_rows

    def parcel(self, *, sees_files: bool, is_held: bool) -> DosageParcel:
        """What travels."""
        columns = self.columns
        dosages = columns.source.dosages(columns.variants[self.at], columns.samples)
        return DosageParcel(dosages, columns.scaling.take(self.at), self.label[self.at])


@dataclass(frozen=True, eq=False)
class SharedOutOperator(RelationshipOperator):
    """K by products that workers compute, each with the variants that it holds.

    The same bytes on any number of workers with processors of one kind, and those of the operator
    in one process but for rounding.
    """

    shares: Held = field(kw_only=True)

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, {self.shares!r}>"

    def _total(self, request: Products | SquaredRows) -> FloatArray:
        return self.shares.total(_of_share, request)

    def _of_columns(self, index: IndexArray) -> RelationshipOperator:
        # A part of the variants is small enough to stay here.
        own = {each.name: getattr(self, each.name) for each in fields(RelationshipOperator)}
        return RelationshipOperator(**own)._of_columns(index)


def shared_out(operator: RelationshipOperator, cluster: Cluster) -> SharedOutOperator:
    """The same operator with its genotypes on workers.

    Parameters
    ----------
    operator : with genotypes that are read in every pass, and not held here.
    cluster : the workers; they read a .bed file that they see, and are sent other genotypes.

    Cost: nothing before the first product, which has the workers read or receive the genotypes.
    """
    columns, rows = operator.columns, operator.rows
    files: tuple[str, ...] = ()
    pieces: Sequence[Piece]
    if isinstance(columns, PackedColumns):
        files = files_of(columns.genotypes.packed)
        if len(rows) < _WORTH_PACKING_ANEW * columns.n_rows:
            chosen = _of_samples(columns.genotypes, rows)
            columns, rows = replace(columns, genotypes=chosen), np.arange(len(rows))
        pieces = [PackedShare(columns, operator.label, at) for at in _cut(operator.n_variants)]
    elif isinstance(columns, SourceColumns):
        pieces = [DosageShare(columns, operator.label, at) for at in _cut(operator.n_variants)]
    else:
        raise TypeError(f"cannot share out {columns!r}")
    own: dict[str, Any] = {each.name: getattr(operator, each.name) for each in fields(operator)}
    own |= {"columns": columns, "rows": rows}
    return SharedOutOperator(**own, shares=Held(cluster, pieces, files))


def _cut(n_variants: int) -> list[slice]:
    """Equal shares of the variants, a function of their number alone."""
    count = min(SHARES, -(-n_variants // tile_size(n_variants)))
    borders = [n_variants * number // count for number in range(count + 1)]
    return [slice(start, stop) for start, stop in pairwise(borders)]


def _packed_bytes(n: int, m: int) -> int:
    """Bytes of packed genotypes, both ways."""
    return _COPIES * m * -(-n // 4)


def _of_samples(genotypes: PackedGenotypes, samples: IndexArray | None) -> PackedGenotypes:
    if samples is None:
        return genotypes
    return PackedGenotypes(RowsOfSamples(genotypes, samples), len(samples))


def _of_share(share: Share, request: Products | SquaredRows) -> FloatArray:
    return request.of(share.columns, share.label, slice(0, share.columns.n_columns))
