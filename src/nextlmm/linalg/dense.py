"""The exact twin: K as an array and Sigma by its Cholesky factor."""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from nextlmm.errors import NotPositiveDefiniteError
from nextlmm.linalg.covariance import Covariance, CovarianceFactor, FloatArray
from nextlmm.work import count


def cholesky_in_place(sigma: FloatArray) -> FloatArray:
    """Lower Cholesky factor of ``sigma``, whose storage it may take over.

    Raises
    ------
    NotPositiveDefiniteError
        Naming the leading minor that is not positive; nothing is added to the diagonal.

    Cost: n^3/3 operations, no copy if ``sigma`` is Fortran-ordered.
    """
    count(operations=len(sigma) ** 3 / 3.0)
    factor, info = linalg.lapack.dpotrf(sigma, lower=1, clean=1, overwrite_a=1)
    if info != 0:
        raise NotPositiveDefiniteError(
            f"a covariance matrix of {sigma.shape[0]} rows is not positive definite: its leading "
            f"minor of order {info} is not positive; expected a relationship matrix without "
            "negative eigenvalues and a heritability below 1; check where the matrix comes from"
        )
    return np.asarray(factor)


def weighted_with_identity(k: FloatArray, weight: float) -> FloatArray:
    """``weight K + (1 - weight) I`` as a new Fortran-ordered array."""
    sigma = np.empty_like(k, order="F")
    np.multiply(k, weight, out=sigma)
    sigma.flat[:: len(k) + 1] += 1.0 - weight
    return sigma


@dataclass(frozen=True, eq=False)
class CholeskyFactor(CovarianceFactor):
    """Sigma = L L' with L lower triangular, (n, n)."""

    lower: FloatArray

    @property
    def n(self) -> int:
        """Number of rows of Sigma."""
        return len(self.lower)

    @property
    def logdet(self) -> float:
        """Natural logarithm of the determinant of Sigma."""
        return 2.0 * float(np.log(self.lower.diagonal()).sum())

    @property
    def nbytes(self) -> int:
        """Bytes that the factor occupies."""
        return self.lower.nbytes

    def whiten(self, x: FloatArray) -> FloatArray:
        """L^-1 x."""
        return self._triangular_solve(x, transposed=False)

    def whiten_transposed(self, x: FloatArray) -> FloatArray:
        """L^-T x."""
        return self._triangular_solve(x, transposed=True)

    def unwhiten(self, x: FloatArray) -> FloatArray:
        """L x."""
        return self.lower @ x

    def unwhiten_transposed(self, x: FloatArray) -> FloatArray:
        """L' x."""
        return self.lower.T @ x

    def diagonal(self) -> FloatArray:
        """Diagonal of Sigma."""
        return np.asarray(np.einsum("ij,ij->i", self.lower, self.lower))

    def _triangular_solve(self, x: FloatArray, *, transposed: bool) -> FloatArray:
        count(operations=float(self.n) * x.size)
        return np.asarray(
            linalg.solve_triangular(
                self.lower, x, lower=True, trans=int(transposed), check_finite=False
            )
        )


@dataclass(frozen=True, eq=False)
class DenseCovariance(Covariance):
    """K as an (n, n) array."""

    values: FloatArray

    @property
    def n(self) -> int:
        """Number of rows of K."""
        return len(self.values)

    def matmul(self, x: FloatArray) -> FloatArray:
        """K x."""
        count(operations=2.0 * self.n * x.size)
        return self.values @ x

    def diagonal(self) -> FloatArray:
        """Diagonal of K."""
        return np.array(self.values.diagonal())

    def to_dense(self) -> FloatArray:
        """K itself, not a copy."""
        return self.values

    def factor(self, weight: float) -> CholeskyFactor:
        """Cholesky factor of Sigma; n^3/3 operations and one new (n, n) array."""
        return CholeskyFactor(cholesky_in_place(weighted_with_identity(self.values, weight)))
