"""Centring, scaling and imputing a block of dosages."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def standardize(
    dosage: NDArray[np.float32], mean: FloatArray, scale: FloatArray
) -> NDArray[np.float64]:
    """``(dosage - mean) * scale`` with missing genotypes at the mean, that is at 0.

    Parameters
    ----------
    dosage : (n, b), NaN where missing; left unchanged.
    mean : (b,) dosage to subtract; NaN only where the whole column is missing.
    scale : (b,) factor to multiply by, such as 1 / standard deviation.

    Returns
    -------
    (n, b) float64 in Fortran order, without NaN where ``scale`` is finite.

    Cost: O(n b), one new array and one boolean array.
    """
    centred = np.empty(dosage.shape, dtype=np.float64, order="F")
    np.subtract(dosage, mean, out=centred)
    np.multiply(centred, scale, out=centred)
    np.copyto(centred, 0.0, where=np.isnan(dosage))
    return centred


def impute_mean(dosage: NDArray[np.float32], mean: FloatArray) -> NDArray[np.float64]:
    """The dosages with missing ones replaced by the mean of their variant.

    Parameters
    ----------
    dosage : (n, b), NaN where missing; left unchanged.
    mean : (b,) mean of the called genotypes; where it is NaN (none called) the column stays NaN.

    Returns
    -------
    (n, b) float64 in Fortran order.
    """
    imputed = np.array(dosage, dtype=np.float64, order="F")
    np.copyto(imputed, np.broadcast_to(mean, dosage.shape), where=np.isnan(dosage))
    return imputed
