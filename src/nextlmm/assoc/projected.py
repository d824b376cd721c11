"""An approximate factor with the covariates taken out: preconditioner and predictor of x'Px.

With Sigma_F = W W' and B an orthonormal basis of W^-1 C ::

    P_F = W^-T (I - B B') W^-1

is the exact inverse of Q Sigma_F Q in the range of Q (Q = I - C C^+), so that a Krylov method in
that range, preconditioned by P_F, spends no right-hand side on the covariates.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import linalg

from nextlmm.linalg.covariance import CovarianceFactor, FloatArray
from nextlmm.linalg.inverse_form import InverseForm, inverse_form
from nextlmm.linalg.threads import few_threads
from nextlmm.lmm.design import Design


@dataclass(frozen=True, eq=False)
class ProjectedFactor:
    """P_F of one factor; ``basis`` is B, (n, c)."""

    factor: CovarianceFactor
    basis: FloatArray

    def apply(self, x: FloatArray) -> FloatArray:
        """P_F x for x of shape (n, k)."""
        with few_threads(self.factor.n):
            return self.factor.whiten_transposed(self._whitened(x))

    def forms(self, x: FloatArray) -> FloatArray:
        """x'P_F x of every column of x (n, k), (k,); positive outside the covariates."""
        with few_threads(self.factor.n):
            whitened = self._whitened(x)
        return np.asarray(np.einsum("ij,ij->j", whitened, whitened))

    @cached_property
    def form(self) -> InverseForm:
        """x'P_F x as squares of products with x, which single precision serves as well."""
        return inverse_form(self.factor).less(self.factor.whiten_transposed(self.basis))

    def _whitened(self, x: FloatArray) -> FloatArray:
        whitened = self.factor.whiten(x)
        return np.asarray(whitened - self.basis @ (self.basis.T @ whitened))


def projected_factor(factor: CovarianceFactor, design: Design) -> ProjectedFactor:
    """Take the covariates of ``design`` out of a factor; one whitening of c columns."""
    basis = linalg.qr(factor.whiten(design.basis), mode="economic", check_finite=False)[0]
    return ProjectedFactor(factor, np.asarray(basis))
