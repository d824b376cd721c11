"""Transformations of a trait."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

_OFFSET = 3.0 / 8.0  # Blom 1958


def rank_normal(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normal quantiles of the ranks of y, (n,); equal values share the mean of their ranks.

    Rank r becomes the quantile of (r - 3/8) / (n + 1/4) (Blom 1958), as in REGENIE and GCTA.
    """
    _, group, count = np.unique(y, return_inverse=True, return_counts=True)
    rank = np.cumsum(count) - (count - 1) / 2.0
    return np.asarray(ndtri((rank[group] - _OFFSET) / (len(y) + 1.0 - 2.0 * _OFFSET)))
