"""The genetic relationship matrix, summed over blocks of variants."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from nextlmm.errors import NotPositiveDefiniteError, VariantError
from nextlmm.genotype.partition import chromosome_groups
from nextlmm.genotype.source import GenotypeSource
from nextlmm.genotype.standardize import standardize
from nextlmm.genotype.summary import VariantSummary
from nextlmm.linalg.threads import available_threads, one_thread
from nextlmm.progress import Progress, Silent
from nextlmm.work import count

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]
Weighting = Literal["standardized", "centered"]

_BLOCK = 1024
_MIRROR = 512
_GROUPS_PER_THREAD = 3  # from which on threads that take whole groups are well balanced
_NEGATIVE = 1e-5  # an eigenvalue of a given matrix may be, by rounding in its file; see `Profile`
_ROUNDING = 1e-12  # share of the diagonal that centring may leave of a constant matrix


@dataclass(frozen=True, eq=False)
class Scaling:
    """How a dosage becomes a column of Z: ``(dosage - mean) * scale``, missing ones 0.

    ``mean`` and ``scale`` are (m,) over all variants of a source; a variant that does not vary has
    scale 0 and adds nothing.
    """

    mean: FloatArray
    scale: FloatArray

    def __repr__(self) -> str:
        varying = int(np.count_nonzero(self.scale))
        return f"<scaling of {len(self.scale):,} variants, of which {varying:,} vary>"


@dataclass(frozen=True, eq=False)
class RelationshipSum:
    """Z Z' over some variants, not yet centred or scaled: ``values`` (n, n), Fortran order.

    ``is_given`` marks a matrix that the user made elsewhere, for messages; ``parts`` are the sums
    of the chromosomes as `chromosome_groups` has them, where they were kept.
    """

    values: FloatArray
    n_variants: int
    is_given: bool = False
    parts: tuple["RelationshipSum", ...] = ()

    def reordered(self, permutation: IndexArray) -> "RelationshipSum":
        """The same sum with its samples in another order."""
        values = np.asfortranarray(self.values[np.ix_(permutation, permutation)])
        parts = tuple(part.reordered(permutation) for part in self.parts)
        return replace(self, values=values, parts=parts)

    def __repr__(self) -> str:
        origin = "given" if self.is_given else f"of {self.n_variants:,} variants"
        return f"<relationships of {len(self.values):,} samples, {origin}>"


def variant_scaling(summary: VariantSummary, weighting: Weighting) -> Scaling:
    """Scaling from allele frequencies and variances over the kept samples.

    ``standardized`` divides by the standard deviation of the mean-imputed dosage (divisor n), as
    GEMMA ``-gk 2``, GCTA and FaST-LMM do; ``centered`` does not, as GEMMA ``-gk 1`` (VanRaden 2008,
    method 1, up to scale).
    """
    varies = summary.variance > 0.0
    deviation = np.sqrt(np.where(varies, summary.variance, 1.0))
    scale = np.where(varies, 1.0 / deviation if weighting == "standardized" else 1.0, 0.0)
    mean = np.where(varies, 2.0 * summary.effect_allele_frequency, 0.0)
    return Scaling(mean, scale)


def relationship_sum(
    source: GenotypeSource,
    variants: IndexArray,
    scaling: Scaling,
    samples: IndexArray,
    *,
    held_bytes: float = 0.0,
    progress: Progress | None = None,
) -> RelationshipSum:
    """Z Z' over ``variants``, rows and columns in the order of ``samples``.

    The sums of the chromosomes are kept with it if they need no more than ``held_bytes``.

    Cost: n^2 m operations in double precision; one (n, n) array and a block of dosages.
    """
    n, m = len(samples), int(np.count_nonzero(scaling.scale[variants]))
    count(operations=float(n) ** 2 * m, genotypes=float(n) * m)
    groups = list(chromosome_groups(variants, source.variants.chromosome).values())
    if 8.0 * len(samples) ** 2 * len(groups) > held_bytes:
        return _sum_of(source, variants, scaling, samples, progress or Silent())
    parts = _sums_of(source, groups, scaling, samples, progress or Silent())
    total = np.zeros((len(samples), len(samples)), order="F")
    for part in parts:
        total += part.values
    return RelationshipSum(total, sum(part.n_variants for part in parts), parts=parts)


def _sums_of(
    source: GenotypeSource,
    groups: Sequence[IndexArray],
    scaling: Scaling,
    samples: IndexArray,
    listener: Progress,
) -> tuple[RelationshipSum, ...]:
    """Z Z' over each group of variants, several at a time where there are enough of them."""

    def sum_of(variants: IndexArray) -> RelationshipSum:
        return _sum_of(source, variants, scaling, samples, listener)

    threads = available_threads()
    if len(groups) < _GROUPS_PER_THREAD * threads:
        return tuple(map(sum_of, groups))
    with one_thread(), ThreadPoolExecutor(threads) as pool:
        return tuple(pool.map(sum_of, groups))


def _sum_of(
    source: GenotypeSource,
    variants: IndexArray,
    scaling: Scaling,
    samples: IndexArray,
    listener: Progress,
) -> RelationshipSum:
    """Z Z' over ``variants``, whatever chromosomes they are on."""
    used = variants[scaling.scale[variants] > 0.0]
    total = np.zeros((len(samples), len(samples)))
    for at in range(0, len(used), _BLOCK):
        block = used[at : at + _BLOCK]
        dosage = source.dosages(block, samples)
        z = standardize(dosage, scaling.mean[block], scaling.scale[block])
        total += z @ z.T  # NumPy computes one half and copies it, and lets other threads run
        listener.advance(len(block))
    return RelationshipSum(total.T, len(used))


def samples_without_calls(
    source: GenotypeSource, variants: IndexArray, scaling: Scaling, samples: IndexArray
) -> IndexArray:
    """Those of ``samples`` with no genotype at any of the varying ``variants``; see the sum's.

    Missing genotypes count as the mean, so that such a sample is related to nobody, itself
    included.  Cost: as many blocks of variants as it takes to see every sample called once, which
    is one block unless a sample misses nearly everything.
    """
    used = variants[scaling.scale[variants] > 0.0]
    suspects = samples if len(used) else samples[:0]
    for at in range(0, len(used), _BLOCK):
        if not len(suspects):
            break
        is_missing = np.isnan(source.dosages(used[at : at + _BLOCK], suspects))
        suspects = suspects[is_missing.all(axis=1)]
    return suspects


def relationship_matrix(total: RelationshipSum, *, overwrite: bool = False) -> FloatArray:
    """K: the sum centred over its samples and scaled to mean diagonal 1, (n, n).

    Centring changes neither REML nor a test, since an intercept is always in the model; it makes
    the mean diagonal, and with it h2, mean the same for every sample set (Gower's normalisation,
    and what GEMMA does before its eigendecomposition).

    Raises
    ------
    VariantError
        If no variant varies among the samples, or a given matrix does not.
    NotPositiveDefiniteError
        If a given matrix has an eigenvalue below -1e-5, below which Sigma is not positive definite
        at every heritability that is searched.  Nothing is clipped, nor added to the diagonal.

    Cost: n^2 operations; n^3 / 3 and another array if the matrix is given.
    """
    size = float(np.trace(total.values))
    k = total.values if overwrite else total.values.copy(order="F")
    mean = k.mean(axis=0)
    for start in range(0, len(k), _MIRROR):
        columns = slice(start, start + _MIRROR)
        k[:, columns] -= (mean[:, None] + mean[columns]) - mean.mean()  # symmetric in rounding too
    trace = float(np.trace(k))
    if total.n_variants == 0 or not trace > _ROUNDING * abs(size):
        raise VariantError(_no_variation(total, trace))
    k *= len(k) / trace
    if total.is_given:
        _check_semidefinite(k)
    return k


def _check_semidefinite(k: FloatArray) -> None:
    """Refuse a given matrix, centred and scaled, that is no covariance matrix."""
    shifted = k.copy(order="F")
    shifted.flat[:: len(k) + 1] += _NEGATIVE
    if linalg.lapack.dpotrf(shifted, lower=1, overwrite_a=1)[1] == 0:
        return
    smallest = linalg.eigvalsh(k, subset_by_index=[0, 0])[0]
    raise NotPositiveDefiniteError(
        f"the given relationship matrix is not positive semidefinite: centred over the {len(k):,} "
        f"analysed samples and scaled to mean diagonal 1 its smallest eigenvalue is "
        f"{smallest:.3g}; expected none below -{_NEGATIVE:g}: use a matrix made of genotypes or of "
        "a pedigree; estimates of each pair by itself, as KING makes them, need not be positive "
        "semidefinite, and are so more often without pairs of no relatives (plink2 "
        "--king-table-filter)"
    )


def _no_variation(total: RelationshipSum, trace: float) -> str:
    if total.is_given:
        return (
            f"the given relationship matrix k has no variation over the {len(total.values):,} "
            f"analysed samples: centred, its diagonal sums to {trace:.3g}; expected a positive "
            "sum, that is, samples that are more related to themselves than to each other; check "
            "where k comes from"
        )
    return (
        f"the relationship matrix has no variation: {total.n_variants} variants that vary "
        "went into it; expected at least one that differs between the analysed samples; check "
        "the variant filters and which samples are left"
    )
