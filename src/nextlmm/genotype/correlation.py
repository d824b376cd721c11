"""Linkage disequilibrium: how alike two variants are over some samples."""

import numpy as np
from numpy.typing import NDArray

from nextlmm.genotype.source import GenotypeSource
from nextlmm.genotype.tables import IndexArray

_BYTES_PER_BLOCK = 32 * 2**20  # of float64 dosages


def squared_correlation(
    source: GenotypeSource, variant: int, others: IndexArray, samples: IndexArray
) -> NDArray[np.float64]:
    """Squared correlation r2, (k,), of a variant with others over some samples.

    Dosages count, missing ones at the mean of their variant. NaN where one of the two does not
    vary.

    Parameters
    ----------
    source : the genotypes.
    variant, others : positions of variants; ``others`` is (k,).
    samples : positions of distinct samples.

    Cost: reading the variants, a bounded block of them at a time.
    """
    own = _centred(source, np.array([variant]), samples)[:, 0]
    size = max(1, _BYTES_PER_BLOCK // (8 * max(len(samples), 1)))
    found = np.empty(len(others))
    for start in range(0, len(others), size):
        block = _centred(source, others[start : start + size], samples)
        product = own @ block
        norms = (own @ own) * np.einsum("ij,ij->j", block, block)
        with np.errstate(invalid="ignore", divide="ignore"):
            found[start : start + size] = np.where(norms > 0.0, product**2 / norms, np.nan)
    return np.minimum(found, 1.0)  # rounding of two equal variants


def _centred(
    source: GenotypeSource, variants: IndexArray, samples: IndexArray
) -> NDArray[np.float64]:
    """Dosages (n, k) minus the mean of each variant, exactly 0 where missing or all are equal."""
    dosage = source.dosages(variants, samples)
    missing = np.isnan(dosage)
    lowest, highest = np.fmin.reduce(dosage, axis=0), np.fmax.reduce(dosage, axis=0)
    centred = dosage.astype(np.float64, order="F")
    called = np.maximum(len(samples) - np.count_nonzero(missing, axis=0), 1)
    centred[missing] = 0.0
    centred -= centred.sum(axis=0) / called
    centred[missing] = 0.0
    centred[:, ~(lowest < highest)] = 0.0
    return centred
