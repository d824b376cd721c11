"""Products and forms of the tested variants, computed by the workers of a cluster.

A worker gets a block of variants at a time, reads it where it sees the file, and gives back some
numbers for each variant; they are those of one process to the last bit on the same processor.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextlmm.cluster.calls import mapped
from nextlmm.cluster.pool import Cluster
from nextlmm.genotype.distant import DistantRows, distant_rows, files_of, opened_rows
from nextlmm.genotype.held import PackedSource
from nextlmm.genotype.tables import IndexArray
from nextlmm.linalg.covariance import FloatArray
from nextlmm.run.problem import Problem
from nextlmm.run.variant_tile import DosageVariants, VariantForm, VariantTile, packed_variants


@dataclass(frozen=True, eq=False)
class ScanRequest:
    """What all blocks are multiplied with.

    samples : (n,) positions of the analysed samples among ``n_all``, None for all as they are.
    """

    vectors: FloatArray
    form: VariantForm
    samples: IndexArray | None
    n_all: int


@dataclass(frozen=True, eq=False)
class PackedBlock:
    """Packed variants as they travel; see `nextlmm.run.variant_tile.PackedVariants`."""

    rows: DistantRows
    mean: FloatArray
    variation: FloatArray

    def tile(self, request: ScanRequest) -> VariantTile:
        """The variants, ready for products."""
        rows = opened_rows(self.rows)[:]
        return packed_variants(rows, request.n_all, request.samples, self.mean, self.variation)


@dataclass(frozen=True, eq=False)
class DosageBlock:
    """Dosages (n, b) of the analysed samples, less their mean, as they travel; NaN if missing."""

    centred: NDArray[np.float64]

    def tile(self, request: ScanRequest) -> VariantTile:
        """The variants, ready for products."""
        return DosageVariants(np.nan_to_num(self.centred))


def sums_on_cluster(
    cluster: Cluster,
    problem: Problem,
    blocks: Sequence[IndexArray],
    vectors: FloatArray,
    form: VariantForm,
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Products with ``vectors`` (n, k) and the forms of every block of variants, in their order.

    Raises
    ------
    NextlmmError
        If workers are not to be had, or genotypes cannot be read.

    Cost: the vectors of the form to every worker, and the genotypes to one where they do not see
    the file.
    """
    source, samples = problem.source, problem.samples
    n_all = len(source.samples)
    is_all = np.array_equal(samples, np.arange(n_all))
    request = ScanRequest(vectors, form, None if is_all else samples, n_all)
    files = files_of(source.genotypes.packed) if isinstance(source, PackedSource) else ()

    def block_of(variants: IndexArray, in_file: bool) -> PackedBlock | DosageBlock:
        mean = np.nan_to_num(problem.summary.mean[variants])
        if not isinstance(source, PackedSource):
            return DosageBlock(source.dosages(variants, samples) - mean)
        rows = distant_rows(source.genotypes.packed, variants, in_file=in_file)
        return PackedBlock(rows, mean, np.nan_to_num(problem.variation(variants)))

    items = ((lambda in_file, own=block: block_of(own, in_file)) for block in blocks)
    return mapped(cluster, sums_of_block, request, items, files=files)


def sums_of_block(
    request: ScanRequest, block: PackedBlock | DosageBlock
) -> tuple[FloatArray, FloatArray]:
    """Products and forms of a block, (b, k) and (b,)."""
    tile = block.tile(request)
    return tile.products(request.vectors), tile.forms(request.form)
