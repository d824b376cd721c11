"""The exact test of Hardy-Weinberg equilibrium."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from nextlmm.genotype.chromosome import chromosome_key
from nextlmm.genotype.counts import GenotypeCounts
from nextlmm.genotype.source import CountingSource, GenotypeSource
from nextlmm.genotype.tables import IndexArray

FloatArray = NDArray[np.float64]

_NOT_TESTED = frozenset({"X", "Y", "XY", "M", "MT"})
_EQUALLY_LIKELY = 1e-8  # by which two likelihoods that are equal may differ by rounding
_CALLED = 0.1  # a dosage so near to a whole number counts as a call
_BLOCK = 1024


def equilibrium_log_p(
    source: GenotypeSource, variants: IndexArray, samples: IndexArray
) -> FloatArray:
    """-log10 p of some variants over some samples, (b,); 0 where nothing is tested.

    Not tested are variants on X, Y and the mitochondrion, by these names, and variants that do not
    vary.  A dosage counts as a call if it is within 0.1 of one, and as missing if not.

    Cost: one pass over the variants, and for each as many numbers as there are rare alleles.
    """
    result = np.zeros(len(variants))
    sexed = {
        name for name in set(source.variants.chromosome) if chromosome_key(name) in _NOT_TESTED
    }
    for start in range(0, len(variants), _BLOCK):
        block = variants[start : start + _BLOCK]
        counts = _counts(source, block, samples)
        for row, variant in enumerate(block.tolist()):
            if source.variants.chromosome[variant] not in sexed:
                called, one, two = (
                    int(each[row]) for each in (counts.n_called, counts.n_one, counts.n_two)
                )
                result[start + row] = exact_log_p(called - one - two, one, two)
    return result


def exact_log_p(n_none: int, n_one: int, n_two: int) -> float:
    """-log10 of the probability of so many heterozygotes or any that are no more likely.

    Given the numbers of alleles, h heterozygotes among N have a probability in proportion to
    2^h / (h! a! b!), a and b the homozygotes (Wigginton, Cutler and Abecasis 2005).

    Cost: one number for every second rare allele.
    """
    n = n_none + n_one + n_two
    rare = min(2 * n_none + n_one, 2 * n_two + n_one)
    hets = np.arange(rare % 2, rare + 1, 2, dtype=np.float64)
    homs = (rare - hets) / 2.0
    log_weight = hets * np.log(2.0) - gammaln(hets + 1.0) - gammaln(homs + 1.0)
    log_weight -= gammaln(n - hets - homs + 1.0)
    observed = log_weight[(n_one - rare % 2) // 2]
    no_likelier = log_weight <= observed + _EQUALLY_LIKELY
    log_p = _log_sum(log_weight[no_likelier]) - _log_sum(log_weight)
    return max(0.0, float(-log_p / np.log(10.0)))


def _log_sum(values: FloatArray) -> float:
    largest = float(values.max())
    return largest + float(np.log(np.exp(values - largest).sum()))


def _counts(source: GenotypeSource, variants: IndexArray, samples: IndexArray) -> GenotypeCounts:
    if isinstance(source, CountingSource):
        return source.genotype_counts(variants, samples)
    dosage = source.dosages(variants, samples)
    nearest = np.rint(dosage)
    is_called = np.abs(dosage - nearest) <= _CALLED  # never for NaN
    one, two = ((nearest == copies) & is_called for copies in (1.0, 2.0))
    return GenotypeCounts(
        *(np.count_nonzero(each, axis=0).astype(np.int64) for each in (is_called, one, two))
    )
