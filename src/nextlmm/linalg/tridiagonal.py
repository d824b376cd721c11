"""K by its tridiagonal form: every weight in O(n^2), at half the cost of eigenvectors.

K = Q T Q' with T tridiagonal and Q a product of n - 2 reflections, which are kept and never formed.
The Cholesky factor of weight T + (1 - weight) I has two diagonals, so that a likelihood costs one
multiplication of the right-hand sides by Q' and O(n) besides.
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from nextlmm.errors import NotPositiveDefiniteError
from nextlmm.linalg.covariance import Covariance, CovarianceFactor, FloatArray, scale_rows


@dataclass(frozen=True, eq=False)
class Reflections:
    """Q = diag(1, H_1 ... H_(n-2)), each H = I - tau v v'; columns v below the diagonal.

    ``vectors`` (n - 1, n - 1) as LAPACK stores them, ``scale`` (n - 1,) the factors tau.
    """

    vectors: FloatArray
    scale: FloatArray

    def apply(self, x: FloatArray, *, transposed: bool) -> FloatArray:
        """Q x, or Q' x, for x (n,) or (n, k)."""
        result = np.array(x, dtype=np.float64, order="F")
        if len(self.scale):
            below = result[1:].reshape(len(result) - 1, -1)
            side = b"T" if transposed else b"N"
            work = int(linalg.lapack.dormqr(b"L", side, self.vectors, self.scale, below, -1)[1][0])
            turned, _, info = linalg.lapack.dormqr(
                b"L", side, self.vectors, self.scale, below, work
            )
            assert info == 0  # noqa: S101  # arguments of the right shape cannot fail
            result[1:] = turned.reshape(result[1:].shape)
        return result


@dataclass(frozen=True, eq=False)
class TridiagonalFactor(CovarianceFactor):
    """Sigma = Q L L' Q' with L lower bidiagonal: ``main`` (n,) positive and ``below`` (n - 1,)."""

    reflections: Reflections
    main: FloatArray
    below: FloatArray

    @property
    def n(self) -> int:
        """Number of rows of Sigma."""
        return len(self.main)

    @property
    def logdet(self) -> float:
        """Natural logarithm of the determinant of Sigma."""
        return 2.0 * float(np.log(self.main).sum())

    @property
    def nbytes(self) -> int:
        """Bytes that the factor occupies, the shared reflections included."""
        return self.reflections.vectors.nbytes + self.main.nbytes + self.below.nbytes

    def whiten(self, x: FloatArray) -> FloatArray:
        """L^-1 Q' x."""
        rotated = self.reflections.apply(x, transposed=True)
        band = np.vstack([self.main, np.append(self.below, 0.0)])
        return np.asarray(linalg.solve_banded((1, 0), band, rotated, check_finite=False))

    def whiten_transposed(self, x: FloatArray) -> FloatArray:
        """Q L^-T x."""
        band = np.vstack([np.append(0.0, self.below), self.main])
        solved = linalg.solve_banded((0, 1), band, x, check_finite=False)
        return self.reflections.apply(np.asarray(solved), transposed=False)

    def unwhiten(self, x: FloatArray) -> FloatArray:
        """Q L x."""
        product = scale_rows(x, self.main)
        product[1:] += scale_rows(x[:-1], self.below)
        return self.reflections.apply(product, transposed=False)

    def unwhiten_transposed(self, x: FloatArray) -> FloatArray:
        """L' Q' x."""
        rotated = self.reflections.apply(x, transposed=True)
        product = scale_rows(rotated, self.main)
        product[:-1] += scale_rows(rotated[1:], self.below)
        return product

    def diagonal(self) -> FloatArray:
        """Diagonal of Sigma; O(n^3), for tests and small matrices."""
        return np.asarray((self.unwhiten(np.eye(self.n)) ** 2).sum(axis=1))


@dataclass(frozen=True, eq=False)
class TridiagonalCovariance(Covariance):
    """K = Q T Q', T with ``main`` (n,) and ``off`` (n - 1,) diagonals."""

    reflections: Reflections
    main: FloatArray
    off: FloatArray

    @property
    def n(self) -> int:
        """Number of rows of K."""
        return len(self.main)

    def matmul(self, x: FloatArray) -> FloatArray:
        """K x."""
        rotated = self.reflections.apply(x, transposed=True)
        product = scale_rows(rotated, self.main)
        product[1:] += scale_rows(rotated[:-1], self.off)
        product[:-1] += scale_rows(rotated[1:], self.off)
        return self.reflections.apply(product, transposed=False)

    def diagonal(self) -> FloatArray:
        """Diagonal of K; O(n^3), for tests and small matrices."""
        return np.asarray(self.to_dense().diagonal())

    def to_dense(self) -> FloatArray:
        """K as a new array."""
        return self.matmul(np.eye(self.n))

    def factor(self, weight: float) -> TridiagonalFactor:
        """Square root of Sigma in O(n), sharing the reflections.

        Raises
        ------
        NotPositiveDefiniteError
            If Sigma has an eigenvalue that is not positive.
        """
        main, off = weight * self.main + (1.0 - weight), weight * self.off
        if self.n == 1:
            pivots, multipliers, info = main, off, int(main[0] <= 0.0)
        else:
            pivots, multipliers, info = linalg.lapack.dpttrf(main, off)
        if info != 0:
            raise NotPositiveDefiniteError(
                f"a covariance matrix of {self.n} rows is not positive definite at weight "
                f"{weight:.6g}; expected a relationship matrix without negative eigenvalues; check "
                "where the matrix comes from"
            )
        root = np.sqrt(pivots)
        return TridiagonalFactor(self.reflections, root, multipliers * root[:-1])


def tridiagonal_covariance(k: FloatArray, *, overwrite: bool = False) -> TridiagonalCovariance:
    """Tridiagonal form of the symmetric array ``k`` (n, n).

    Cost: 4/3 n^3 operations and one (n, n) array, that of ``k`` itself if ``overwrite`` and if it
    is in Fortran order.
    """
    if len(k) == 1:  # nothing to reflect, which LAPACK's wrappers do not take
        nothing = np.empty(0)
        return TridiagonalCovariance(
            Reflections(np.empty((0, 0)), nothing), np.array(k, dtype=np.float64).ravel(), nothing
        )
    work = int(linalg.lapack.dsytrd_lwork(len(k), lower=1)[0])
    reduced, main, off, scale, info = linalg.lapack.dsytrd(
        k, lower=1, lwork=work, overwrite_a=int(overwrite)
    )
    assert info == 0  # noqa: S101  # a square array cannot fail
    return TridiagonalCovariance(Reflections(reduced[1:, :-1], scale), main, off)
