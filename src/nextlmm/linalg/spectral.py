"""K by its eigenvectors: after one O(n^3) decomposition every weight costs O(n)."""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from nextlmm.errors import NotPositiveDefiniteError
from nextlmm.linalg.covariance import Covariance, CovarianceFactor, FloatArray, scale_rows
from nextlmm.linalg.threads import few_threads
from nextlmm.work import count


@dataclass(frozen=True, eq=False)
class SpectralFactor(CovarianceFactor):
    """Sigma = U diag(scale^2) U', W = U diag(scale).

    ``scale`` is (n,), the square roots of the eigenvalues of Sigma, and ``vectors`` (n, n) holds
    the eigenvectors in its columns.
    """

    scale: FloatArray
    vectors: FloatArray

    @property
    def n(self) -> int:
        """Number of rows of Sigma."""
        return len(self.scale)

    @property
    def logdet(self) -> float:
        """Natural logarithm of the determinant of Sigma."""
        return 2.0 * float(np.log(self.scale).sum())

    @property
    def nbytes(self) -> int:
        """Bytes that the factor occupies, the shared eigenvectors included."""
        return self.vectors.nbytes + self.scale.nbytes

    def whiten(self, x: FloatArray) -> FloatArray:
        """diag(1 / scale) U' x."""
        return scale_rows(self.vectors.T @ x, 1.0 / self.scale)

    def whiten_transposed(self, x: FloatArray) -> FloatArray:
        """U diag(1 / scale) x."""
        return self.vectors @ scale_rows(x, 1.0 / self.scale)

    def unwhiten(self, x: FloatArray) -> FloatArray:
        """U diag(scale) x."""
        return self.vectors @ scale_rows(x, self.scale)

    def unwhiten_transposed(self, x: FloatArray) -> FloatArray:
        """diag(scale) U' x."""
        return scale_rows(self.vectors.T @ x, self.scale)

    def diagonal(self) -> FloatArray:
        """Diagonal of Sigma."""
        return np.asarray((self.vectors**2) @ self.scale**2)


@dataclass(frozen=True, eq=False)
class SpectralCovariance(Covariance):
    """K = U diag(values) U', ``values`` (n,) ascending, ``vectors`` (n, n)."""

    values: FloatArray
    vectors: FloatArray

    @property
    def n(self) -> int:
        """Number of rows of K."""
        return len(self.values)

    def matmul(self, x: FloatArray) -> FloatArray:
        """K x."""
        return self.vectors @ scale_rows(self.vectors.T @ x, self.values)

    def diagonal(self) -> FloatArray:
        """Diagonal of K."""
        return np.asarray((self.vectors**2) @ self.values)

    def to_dense(self) -> FloatArray:
        """K as a new array."""
        return (self.vectors * self.values) @ self.vectors.T

    def factor(self, weight: float) -> SpectralFactor:
        """Square root of Sigma in O(n), sharing the eigenvectors.

        Raises
        ------
        NotPositiveDefiniteError
            If an eigenvalue of Sigma is not positive.
        """
        squared = weight * self.values + (1.0 - weight)
        lowest = float(squared.min())
        if not lowest > 0.0:
            raise NotPositiveDefiniteError(
                f"a covariance matrix of {self.n} rows is not positive definite: its smallest "
                f"eigenvalue is {lowest:.3g} at weight {weight:.6g}; expected a relationship "
                "matrix without negative eigenvalues; check where the matrix comes from"
            )
        return SpectralFactor(np.sqrt(squared), self.vectors)


def spectral_covariance(k: FloatArray, *, overwrite: bool = False) -> SpectralCovariance:
    """Eigendecomposition of the symmetric array ``k`` (n, n).

    Cost: about 9 n^3 operations and one (n, n) array for the eigenvectors; ``overwrite`` lets the
    storage of ``k`` be reused.
    """
    count(operations=9.0 * len(k) ** 3)
    with few_threads(len(k)):
        values, vectors = linalg.eigh(k, driver="evd", overwrite_a=overwrite, check_finite=False)
    return SpectralCovariance(np.asarray(values), np.asarray(vectors))
