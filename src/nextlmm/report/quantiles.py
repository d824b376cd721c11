"""Observed against expected -log10 p, whole and by allele frequency, with its inflation."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import betaincinv

from nextlmm.assoc.summary import lambda_gc

FloatArray = NDArray[np.float64]

MAF_BINS = ((0.0, 0.01), (0.01, 0.05), (0.05, 0.2), (0.2, 0.5))
"""Minor allele frequencies by which inflation is told apart: from the first up to the second."""


@dataclass(frozen=True, eq=False)
class Quantiles:
    """A QQ curve of ``n`` p-values at some of its ranks, the smallest p-value first.

    Attributes
    ----------
    n : p-values in all.
    expected, observed : (k,) -log10 p.
    lower, upper : (k,) the 95 % band of a uniform sample, as -log10 p.
    """

    n: int
    expected: FloatArray
    observed: FloatArray
    lower: FloatArray
    upper: FloatArray


@dataclass(frozen=True, eq=False)
class FrequencyBin:
    """Variants whose minor allele frequency is in [low, high), or at ``high`` if that is 0.5."""

    low: float
    high: float
    curve: Quantiles
    lambda_gc: float


def quantiles(strength: FloatArray, *, count: int = 2000) -> Quantiles:
    """The QQ curve of -log10 p values without NaN, (n,), n > 0, at some of its ranks.

    They are the ``count`` smallest p-values and ``count`` ranks spread evenly on the axis. The band
    is pointwise: the i-th smallest of n independent uniform p-values follows a
    Beta(i, n + 1 - i) distribution. Variants in LD are not independent, so it is a little narrow.

    Cost: sorting.
    """
    n = len(strength)
    observed = np.sort(strength)[::-1]
    spread = np.rint(np.geomspace(1, n, count))
    rank = np.unique(np.concatenate([np.arange(1, min(n, count) + 1), spread]).astype(np.intp))
    lower, upper = (-np.log10(betaincinv(rank, n + 1 - rank, q)) for q in (0.975, 0.025))
    return Quantiles(n, -np.log10((rank - 0.5) / n), observed[rank - 1], lower, upper)


def frequency_bins(frame: pl.DataFrame, *, count: int = 2000) -> list[FrequencyBin]:
    """QQ curves of the variants of a result table by minor allele frequency; none that is empty."""
    strength = frame["neg_log_10_p_value"].to_numpy()
    frequency = frame["effect_allele_frequency"].to_numpy()
    maf = np.minimum(frequency, 1.0 - frequency)
    tested = ~np.isnan(strength)
    found = []
    for low, high in MAF_BINS:
        inside = tested & (maf >= low) & ((maf < high) | ((high == 0.5) & (maf <= high)))
        own = strength[inside]
        if len(own):
            found.append(FrequencyBin(low, high, quantiles(own, count=count), lambda_gc(own)))
    return found
