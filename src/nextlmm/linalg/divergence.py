"""How far a factor is from the exact covariance matrix: measured, not assumed.

With Sigma = L L' exact and W the factor in question, S = W^-1 Sigma W^-T is the identity if W is
exact.  Everything that an approximation can do to an answer is in the eigenvalues mu of S::

    KL(N(0, Sigma) || N(0, W W')) = sum (mu - 1 - log mu) / 2
    x' Sigma^-1 x  lies within  [1/mu_max, 1/mu_min] * x' (W W')^-1 x  for every x
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg
from scipy.sparse import linalg as sparse_linalg

from nextlmm.linalg.covariance import Covariance, CovarianceFactor, FloatArray
from nextlmm.linalg.dense import CholeskyFactor
from nextlmm.linalg.threads import few_threads

_ALL_EIGENVALUES = 512
"""Up to this many rows all eigenvalues are computed; above, the two extreme ones."""
_LANCZOS_TOLERANCE = 1e-5
"""Relative accuracy of the extreme eigenvalues; the bounds are widened by ten times as much."""
_BLOCK = 1024
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Divergence:
    """Distance of a factor W W' from an exact matrix Sigma.

    ``kl`` is in nats, ``kl_rounding`` the size below which its floating point value says nothing;
    ``logdet_error`` is logdet W W' - logdet Sigma; ``relative_residual`` is ||Sigma (W W')^-1 b -
    b|| / ||b|| for a fixed b of random signs.
    """

    kl: float
    kl_rounding: float
    logdet_error: float
    relative_residual: float


def measure_divergence(approximate: CovarianceFactor, exact: CholeskyFactor) -> Divergence:
    """Compare a factor with the Cholesky factor of the exact matrix, in the same order of rows.

    Cost: one solve with n right-hand sides in blocks; no new (n, n) array unless n is at most 512.
    A factor compared with itself costs one solve with one.
    """
    kl = logdet_error = 0.0  # S is the identity if there is but one factor
    with few_threads(exact.n):
        if approximate is not exact:
            kl = _divergence(approximate, exact)
            logdet_error = approximate.logdet - exact.logdet
        residual = _relative_residual(approximate, exact)
    rounding = _EPS * max(float(exact.n), abs(exact.logdet))
    return Divergence(kl, rounding, logdet_error, residual)


def eigenvalue_range(approximate: CovarianceFactor, exact: CholeskyFactor) -> tuple[float, float]:
    """Bounds on the smallest and the largest eigenvalue of S.

    Up to 512 rows from all eigenvalues, above by Lanczos iteration, widened by what either leaves
    open.

    Cost: about a hundred products with Sigma and with the factor, or O(n^3).
    """
    if approximate is exact:
        return 1.0, 1.0
    with few_threads(exact.n):
        if exact.n <= _ALL_EIGENVALUES:
            values, margin = _all_eigenvalues(approximate, exact), exact.n * _EPS
        else:
            values, margin = _extreme_eigenvalues(approximate, exact), 10.0 * _LANCZOS_TOLERANCE
    return float(values.min()) * (1.0 - margin), float(values.max()) * (1.0 + margin)


def relative_residual(covariance: Covariance, weight: float) -> float:
    """||Sigma x - b|| / ||b|| for x from the factor of ``covariance`` and b of random signs."""
    b = _signs(covariance.n)
    x = covariance.factor(weight).solve(b)
    residual = weight * covariance.matmul(x) + (1.0 - weight) * x - b
    return float(np.linalg.norm(residual) / np.linalg.norm(b))


def _divergence(approximate: CovarianceFactor, exact: CholeskyFactor) -> float:
    n = exact.n
    if n <= _ALL_EIGENVALUES:
        excess = _all_eigenvalues(approximate, exact) - 1.0
        return float(np.sum(excess - np.log1p(excess))) / 2.0  # no term is negative
    trace = sum(
        float(np.sum(approximate.whiten(exact.lower[:, at : at + _BLOCK]) ** 2))
        for at in range(0, n, _BLOCK)
    )
    return max(0.0, (trace - n + approximate.logdet - exact.logdet) / 2.0)  # < 0 by rounding only


def _all_eigenvalues(approximate: CovarianceFactor, exact: CholeskyFactor) -> FloatArray:
    whitened = approximate.whiten(np.asarray(exact.lower))
    return np.asarray(linalg.svdvals(whitened, check_finite=False) ** 2)


def _extreme_eigenvalues(approximate: CovarianceFactor, exact: CholeskyFactor) -> FloatArray:
    """The smallest and the largest eigenvalue of S from one Krylov space."""

    def product(v: FloatArray) -> FloatArray:
        return approximate.whiten(exact.matmul(approximate.whiten_transposed(v.ravel())))

    shape = (exact.n, exact.n)
    values = sparse_linalg.eigsh(
        sparse_linalg.LinearOperator(shape, matvec=product, dtype=np.float64),
        k=2,
        which="BE",
        v0=np.random.default_rng(exact.n).standard_normal(exact.n),
        tol=_LANCZOS_TOLERANCE,
        return_eigenvectors=False,
    )
    return np.asarray(values)


def _relative_residual(approximate: CovarianceFactor, exact: CholeskyFactor) -> float:
    b = _signs(exact.n)
    residual = exact.matmul(approximate.solve(b)) - b
    return float(np.linalg.norm(residual) / np.linalg.norm(b))


def _signs(n: int) -> FloatArray:
    return np.random.default_rng(n).choice([-1.0, 1.0], n)
