"""Allele frequency, missingness and variance of every variant, in one pass over the genotypes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextlmm.genotype.counts import GenotypeCounts
from nextlmm.genotype.source import CountingSource, GenotypeSource
from nextlmm.genotype.tables import IndexArray
from nextlmm.progress import Progress, Silent

_BYTES_PER_BLOCK = 32 * 2**20  # of float64 dosages
_VARIANTS_PER_COUNT = 8192


@dataclass(frozen=True, eq=False)
class VariantSummary:
    """What each variant looks like over some samples; all columns (m,).

    Attributes
    ----------
    n_called : samples with a genotype.
    effect_allele_frequency : mean dosage of the called genotypes / 2; NaN if none is called.
    variance : variance of the dosages over all the samples, missing ones at the mean, with
        divisor n; exactly 0 if the called genotypes are all equal, NaN if none is called.
    """

    n_called: NDArray[np.int64]
    effect_allele_frequency: NDArray[np.float64]
    variance: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.n_called)

    def __repr__(self) -> str:
        polymorphic = int(np.count_nonzero(self.is_polymorphic))
        return f"<summary of {len(self):,} variants, {polymorphic:,} polymorphic>"

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean dosage of the called genotypes, (m,); NaN if none is called."""
        return 2.0 * self.effect_allele_frequency

    @property
    def is_polymorphic(self) -> NDArray[np.bool_]:
        """Whether at least two different genotypes are called, (m,)."""
        return self.variance > 0


def summarise_variants(
    source: GenotypeSource,
    samples: IndexArray | None = None,
    *,
    variants: IndexArray | None = None,
    progress: Progress | None = None,
) -> VariantSummary:
    """Summarise the variants of a source over some of its samples.

    Parameters
    ----------
    source : the genotypes.
    samples : positions of distinct samples; all of them if None.
    variants : positions of the variants, in whose order the columns are; all of them if None.
    progress : told of the variants done.

    Cost: one pass over the genotypes, a bounded block at a time; a .bed file is counted without
    being decoded.
    """
    n_samples = len(source.samples) if samples is None else len(samples)
    index = np.arange(len(source.variants)) if variants is None else variants
    n_variants = len(index)
    is_counting = isinstance(source, CountingSource)
    size = _VARIANTS_PER_COUNT if is_counting else max(1, _BYTES_PER_BLOCK // (8 * n_samples or 1))
    n_called = np.empty(n_variants, dtype=np.int64)
    frequency, variance = np.empty(n_variants), np.empty(n_variants)
    listener = progress or Silent()
    listener.start("Summarising variants", n_variants)
    for start in range(0, n_variants, size):
        at = slice(start, start + size)
        block = index[at]
        if isinstance(source, CountingSource):
            moments = _moments_of_counts(source.genotype_counts(block, samples), n_samples)
        else:
            moments = _moments_of_dosages(source.dosages(block, samples))
        n_called[at], frequency[at], variance[at] = moments
        listener.advance(len(block))
    listener.finish()
    return VariantSummary(n_called, frequency, variance)


Moments = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]


def _moments_of_counts(counts: GenotypeCounts, n_samples: int) -> Moments:
    """Number called, frequency and variance; the sums are integers, hence exact."""
    total = counts.n_one + 2 * counts.n_two
    total_of_squares = counts.n_one + 4 * counts.n_two
    with np.errstate(invalid="ignore", divide="ignore"):
        frequency = total / (2 * counts.n_called)
        spread = (total_of_squares * counts.n_called - total**2) / counts.n_called
    return counts.n_called, frequency, spread / n_samples


def _moments_of_dosages(dosages: NDArray[np.float32]) -> Moments:
    """The same of a block of dosages, with the mean removed before squaring."""
    values = dosages.astype(np.float64)
    n_called = np.count_nonzero(~np.isnan(values), axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.nansum(values, axis=0) / n_called
    values -= mean
    np.copyto(values, 0.0, where=np.isnan(values))
    variance = np.square(values, out=values).sum(axis=0) / len(values)
    variance[_is_constant(dosages)] = 0.0  # the mean itself may be off by a rounding
    variance[n_called == 0] = np.nan
    return n_called.astype(np.int64), mean / 2.0, variance


def _is_constant(dosages: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether all called genotypes of a variant are equal, (b,)."""
    lowest = np.fmin.reduce(dosages, axis=0)
    return np.asarray(lowest == np.fmax.reduce(dosages, axis=0))
