"""Covariates as a subspace: what is projected out of the trait and of every variant."""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from nextlmm.cohort.design import is_constant
from nextlmm.errors import DesignError
from nextlmm.linalg.covariance import FloatArray

RANK_TOLERANCE = 1e-9  # a column counts as dependent if this share of its spread is left


@dataclass(frozen=True, eq=False)
class Design:
    """Covariates C = Q T with an orthonormal basis Q.

    covariates : (n, c), the first column usually ones.
    basis : Q, (n, c), orthonormal columns.
    triangle : T, (c, c), upper triangular.
    intercept : the value of the first column if that is a constant other than 0, else None.
    """

    covariates: FloatArray
    basis: FloatArray
    triangle: FloatArray
    intercept: float | None

    def __repr__(self) -> str:
        return f"<design of {self.n:,} samples and {self.n_covariates} covariates>"

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.covariates)

    @property
    def n_covariates(self) -> int:
        """Number of columns of C, the intercept included."""
        return int(self.covariates.shape[1])

    def centre(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``x`` of shape (n,) or (n, k) less its means, and the means: () or (k,).

        A mean is an effect of the intercept, and taking it out before anything else leaves the
        digits of ``x`` to its variation; without an intercept the means returned are 0.
        """
        if self.intercept is None:
            return x, np.zeros(x.shape[1:])
        mean = np.asarray(x.mean(axis=0))
        return np.asarray(x - mean), mean

    def project(self, x: FloatArray) -> FloatArray:
        """The part outside the covariates, x - Q Q' x, for x of shape (n,) or (n, k)."""
        centred, _ = self.centre(x)
        return np.asarray(centred - self.basis @ (self.basis.T @ centred))


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
    first = float(c[0, 0])
    intercept = first if first != 0.0 and np.ptp(c[:, 0]) == 0.0 else None
    mean = np.zeros(c.shape[1])
    if intercept is not None:
        mean[1:] = c[:, 1:].mean(axis=0)
    centred = c - mean
    size = np.abs(centred).max(axis=0)
    flat = (mean != 0.0) & np.array([is_constant(column) for column in c.T])
    centred[:, flat] = 0.0  # what rounding left of a constant
    length = size * np.linalg.norm(centred / np.where(size > 0.0, size, 1.0), axis=0)
    basis, triangle = linalg.qr(centred / np.where(length > 0.0, length, 1.0), mode="economic")
    dependent = np.flatnonzero(np.abs(triangle.diagonal()) <= RANK_TOLERANCE)
    if dependent.size:
        raise DesignError(
            f"covariate column {dependent[0] + 1} of {c.shape[1]} is a linear combination of the "
            "columns before it; expected linearly independent covariates; leave it out"
        )
    triangle = triangle * length
    if intercept is not None:
        triangle[0] += triangle[0, 0] / intercept * mean
    return Design(c, basis, triangle, intercept)
