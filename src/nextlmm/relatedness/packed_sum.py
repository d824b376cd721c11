"""The relationship matrix in packed single precision, for dense algebra in little memory.

K = F F' n / tr(F F') with the columns F of :mod:`operator`, which are centred over the analysed
samples, so that nothing is left to do after the sum.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from nextlmm.linalg.packed import PackedCovariance, PackedTriangle, packed_length
from nextlmm.progress import Progress, Silent
from nextlmm.relatedness.columns import blocks_of
from nextlmm.relatedness.operator import RelationshipOperator
from nextlmm.work import count

_BLOCK = 1024  # variants that are multiplied together; two arrays of so many columns are held


def packed_sum(
    operator: RelationshipOperator,
    chromosome: int | None = None,
    *,
    progress: Progress | None = None,
) -> PackedTriangle:
    """F F' over all columns, or over those of one chromosome, (n, n).

    Products of 1,024 variants at a time are rounded to single precision; the diagonal is summed in
    double precision.  ``progress`` is told of the variants done.

    Cost: n^2 operations for each variant, one packed triangle, and two blocks of 1,024 columns.
    """
    is_used = np.ones(operator.n_variants, dtype=bool)
    if chromosome is not None:
        is_used = operator.label == chromosome
    return _sum_over(operator, is_used, progress or Silent())


def packed_relationship(operator: RelationshipOperator, total: PackedTriangle) -> PackedCovariance:
    """K from the sum over all columns, whose storage it shares.

    Raises
    ------
    VariantError
        If no variant varies among the samples.
    """
    return PackedCovariance(total, operator.n / float(operator.traces.of(np.array([-1]))[0]))


def packed_leave_one_out(
    operator: RelationshipOperator,
    total: PackedTriangle,
    *,
    progress: Progress | None = None,
) -> Iterator[tuple[int, PackedCovariance]]:
    """K without each chromosome in turn, and the position of the chromosome.

    ``total`` is the sum over all columns; it is not changed.  A matrix is made when it is asked
    for, so that two triangles exist at a time if what was made of the last one has been dropped.

    Raises
    ------
    VariantError
        If nothing varies once a chromosome is left out.

    Cost: n^2 operations for each variant, over all chromosomes.
    """
    for chromosome in range(len(operator.chromosomes)):
        yield chromosome, packed_without(operator, total, chromosome, progress=progress)


def packed_without(
    operator: RelationshipOperator,
    total: PackedTriangle,
    chromosome: int,
    *,
    progress: Progress | None = None,
) -> PackedCovariance:
    """K without one chromosome, scaled to mean diagonal 1, in one new triangle.

    A chromosome with most of the variants is not subtracted, which would leave little but rounding
    errors; the others are summed.
    """
    listener = progress or Silent()
    scale = operator.n / float(operator.traces.of(np.array([chromosome]))[0])
    is_own = operator.label == chromosome
    if 2 * np.count_nonzero(is_own) > operator.n_variants:
        return PackedCovariance(_sum_over(operator, ~is_own, listener), scale)
    part = _sum_over(operator, is_own, listener)
    part.subtract_from(total)
    return PackedCovariance(part, scale)


def _sum_over(
    operator: RelationshipOperator, is_used: NDArray[np.bool_], listener: Progress
) -> PackedTriangle:
    """F F' over some of the columns."""
    n = operator.n
    values = np.zeros(packed_length(n), np.float32)
    diagonal = np.zeros(n)
    room = np.empty((min(_BLOCK, operator.n_variants), n), np.float32)
    used = np.flatnonzero(is_used)
    count(operations=float(n) ** 2 * len(used), genotypes=float(n) * len(used))
    first, last = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)
    for at in blocks_of(first, last, _BLOCK):
        size = int(np.count_nonzero(is_used[at]))
        if size == 0:
            continue
        f = operator.columns.block(at, np.float32).T
        if size < len(f):
            f = f[is_used[at]]
        # Gathered into columns without gaps, as the product wants them.
        columns = np.take(f, operator.rows, axis=1, out=room[:size], mode="clip")
        diagonal += np.einsum("bi,bi->i", columns, columns, dtype=np.float64)
        values = lapack.ssfrk(n, size, 1.0, columns.T, 1.0, values, uplo="L", overwrite_c=1)
        listener.advance(size)
    triangle = PackedTriangle(n, values)
    triangle.set_diagonal(diagonal)
    return triangle
