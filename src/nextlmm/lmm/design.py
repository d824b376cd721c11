"""Covariates as a subspace: what is projected out of the trait and of every variant."""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from nextlmm.errors import DesignError
from nextlmm.linalg.covariance import FloatArray

RANK_TOLERANCE = 1e-9  # a column counts as dependent if this share of its length is left


@dataclass(frozen=True, eq=False)
class Design:
    """Covariates C = Q T with an orthonormal basis Q.

    covariates : (n, c), the first column usually ones.
    basis : Q, (n, c), orthonormal columns.
    triangle : T, (c, c), upper triangular.
    """

    covariates: FloatArray
    basis: FloatArray
    triangle: FloatArray

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.covariates)

    @property
    def n_covariates(self) -> int:
        """Number of columns of C, the intercept included."""
        return int(self.covariates.shape[1])

    def project(self, x: FloatArray) -> FloatArray:
        """The part outside the covariates, x - Q Q' x, for x of shape (n,) or (n, k)."""
        return np.asarray(x - self.basis @ (self.basis.T @ x))


def make_design(covariates: FloatArray) -> Design:
    """Check the covariates and find an orthonormal basis of them.

    Raises
    ------
    DesignError
        If there are not more samples than covariates, a value is not finite, or a column is a
        linear combination of those before it.
    """
    c = np.ascontiguousarray(covariates, dtype=np.float64)
    if c.ndim != 2 or not 0 < c.shape[1] < c.shape[0]:
        raise DesignError(
            f"the covariates are an array of shape {c.shape}; expected (samples, covariates) with "
            "more samples than covariates; use fewer covariates or more samples"
        )
    if not np.isfinite(c).all():
        row, column = np.argwhere(~np.isfinite(c))[0]
        raise DesignError(
            f"covariate column {column + 1} is {c[row, column]} for sample {row + 1}; expected "
            "finite numbers; leave out the sample or the covariate"
        )
    length = np.sqrt(np.einsum("ij,ij->j", c, c))
    basis, triangle = linalg.qr(c / np.where(length > 0.0, length, 1.0), mode="economic")
    dependent = np.flatnonzero(np.abs(triangle.diagonal()) <= RANK_TOLERANCE)
    if dependent.size:
        raise DesignError(
            f"covariate column {dependent[0] + 1} of {c.shape[1]} is a linear combination of the "
            "columns before it; expected linearly independent covariates; leave it out"
        )
    return Design(c, basis, triangle * length)
