"""What a covariance matrix and its square root can do, whatever they are made of."""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def scale_rows(x: FloatArray, scale: FloatArray) -> FloatArray:
    """diag(scale) x for x of shape (n,) or (n, k)."""
    return np.asarray(x * (scale if x.ndim == 1 else scale[:, None]))


class CovarianceFactor(ABC):
    """A square root W of a positive definite matrix, Sigma = W W'.

    Arrays ``x`` are (n,) or (n, k); the result has the same shape.  A factor is a value: no call
    changes it or its argument.
    """

    @property
    @abstractmethod
    def n(self) -> int:
        """Number of rows of Sigma."""

    @property
    @abstractmethod
    def logdet(self) -> float:
        """Natural logarithm of the determinant of Sigma."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes that the factor occupies."""

    @abstractmethod
    def whiten(self, x: FloatArray) -> FloatArray:
        """W^-1 x; if x has covariance Sigma the result has covariance I."""

    @abstractmethod
    def whiten_transposed(self, x: FloatArray) -> FloatArray:
        """W^-T x."""

    @abstractmethod
    def unwhiten(self, x: FloatArray) -> FloatArray:
        """W x; if x has covariance I the result has covariance Sigma."""

    @abstractmethod
    def unwhiten_transposed(self, x: FloatArray) -> FloatArray:
        """W' x."""

    @abstractmethod
    def diagonal(self) -> FloatArray:
        """Diagonal of Sigma, (n,)."""

    def solve(self, x: FloatArray) -> FloatArray:
        """Sigma^-1 x."""
        return self.whiten_transposed(self.whiten(x))

    def matmul(self, x: FloatArray) -> FloatArray:
        """Sigma x."""
        return self.unwhiten(self.unwhiten_transposed(x))

    def to_dense(self) -> FloatArray:
        """Sigma as an (n, n) array; for tests and small matrices."""
        return self.matmul(np.eye(self.n))


class SymmetricOperator(ABC):
    """A symmetric positive semidefinite matrix K with mean diagonal 1, known by its products."""

    @property
    @abstractmethod
    def n(self) -> int:
        """Number of rows of K."""

    @abstractmethod
    def matmul(self, x: FloatArray) -> FloatArray:
        """K x for x of shape (n,) or (n, k)."""

    @abstractmethod
    def diagonal(self) -> FloatArray:
        """Diagonal of K, (n,)."""

    @abstractmethod
    def to_dense(self) -> FloatArray:
        """K as an (n, n) array; for tests and small matrices."""


class Covariance(SymmetricOperator):
    """A matrix K that can be factored together with a multiple of the identity."""

    @abstractmethod
    def factor(self, weight: float) -> CovarianceFactor:
        """A square root of Sigma = weight K + (1 - weight) I.

        Raises
        ------
        NotPositiveDefiniteError
            If Sigma has no Cholesky factor in floating point.
        """
