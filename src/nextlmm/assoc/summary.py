"""What a whole scan says."""

import numpy as np
from scipy import special

from nextlmm.linalg.covariance import FloatArray

MEDIAN_CHI2 = 0.454936423119572  # median of a chi-square with one degree of freedom


def lambda_gc(neg_log_10_p_value: FloatArray) -> float:
    """Genomic inflation factor: median chi-square of the p-values over its expectation.

    Every p-value is turned into a chi-square with one degree of freedom, in log space.  NaN values
    (variants that were not tested) are left out; NaN if nothing is left.

    Source : Devlin and Roeder 1999.
    """
    p = neg_log_10_p_value[~np.isnan(neg_log_10_p_value)]
    if not p.size:
        return float("nan")
    middle = np.partition(p, [(p.size - 1) // 2, p.size // 2])[[(p.size - 1) // 2, p.size // 2]]
    chi2 = special.ndtri_exp(-middle * np.log(10.0) - np.log(2.0)) ** 2
    return float(chi2.mean()) / MEDIAN_CHI2
