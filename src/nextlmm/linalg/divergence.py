"""How far a factor is from the exact covariance matrix: measured, not assumed.

With Sigma = L L' exact and W the factor in question, S = W^-1 Sigma W^-T is the identity if W is
exact.  Everything that an approximation can do to an answer is in the eigenvalues mu of S::

    KL(N(0, Sigma) || N(0, W W')) = sum (mu - 1 - log mu) / 2
    x' Sigma^-1 x  lies within  [1/mu_max, 1/mu_min] * x' (W W')^-1 x  for every x
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize
from scipy.sparse import linalg as sparse_linalg

from nextlmm.linalg.covariance import Covariance, CovarianceFactor, FloatArray
from nextlmm.linalg.dense import CholeskyFactor
from nextlmm.linalg.threads import few_threads

_ALL_EIGENVALUES = 512
"""Up to this many rows all eigenvalues are computed; above, the two extreme ones."""
_LANCZOS_TOLERANCE = 1e-5
"""Relative accuracy of the extreme eigenvalues; the bounds are widened by ten times as much."""
_BLOCK = 1024


@dataclass(frozen=True)
class Divergence:
    """Distance of a factor W W' from an exact matrix Sigma.

    ``kl`` is in nats, ``kl_rounding`` the size below which its floating point value says nothing;
    ``logdet_error`` is logdet W W' - logdet Sigma; ``ratio_low`` and ``ratio_high`` bound the
    eigenvalues of W^-1 Sigma W^-T; ``relative_residual`` is ||Sigma (W W')^-1 b - b|| / ||b|| for
    a fixed b of random signs.
    """

    kl: float
    kl_rounding: float
    logdet_error: float
    ratio_low: float
    ratio_high: float
    relative_residual: float


def measure_divergence(approximate: CovarianceFactor, exact: CholeskyFactor) -> Divergence:
    """Compare a factor with the Cholesky factor of the exact matrix, in the same order of rows.

    Cost: one solve with n right-hand sides in blocks, and about a hundred with one; no new (n, n)
    array unless n is at most 512.  A factor compared with itself costs one solve.
    """
    if approximate is exact:
        return _no_divergence(exact)
    with few_threads(exact.n):
        return _measure(approximate, exact)


def _no_divergence(exact: CholeskyFactor) -> Divergence:
    """S is the identity by definition; what rounding leaves of it shows in the residual."""
    return Divergence(0.0, _rounding(exact), 0.0, 1.0, 1.0, _relative_residual(exact, exact))


def _measure(approximate: CovarianceFactor, exact: CholeskyFactor) -> Divergence:
    rounding = _rounding(exact)
    if exact.n <= _ALL_EIGENVALUES:
        excess = _all_eigenvalues(approximate, exact) - 1.0
        kl = float(np.sum(excess - np.log1p(excess))) / 2.0  # a sum of terms that are not negative
        margin = exact.n * float(np.finfo(np.float64).eps)
        extremes = (1.0 + float(excess.min()), 1.0 + float(excess.max()))
    else:
        kl = max(0.0, _trace_formula(approximate, exact))  # below 0 only by rounding
        margin = 10.0 * _LANCZOS_TOLERANCE
        extremes = _extreme_eigenvalues(approximate, exact)
    low, high = _within((extremes[0] * (1.0 - margin), extremes[1] * (1.0 + margin)), kl + rounding)
    return Divergence(
        kl=kl,
        kl_rounding=rounding,
        logdet_error=approximate.logdet - exact.logdet,
        ratio_low=low,
        ratio_high=high,
        relative_residual=_relative_residual(approximate, exact),
    )


def _all_eigenvalues(approximate: CovarianceFactor, exact: CholeskyFactor) -> FloatArray:
    whitened = approximate.whiten(np.asarray(exact.lower))
    return np.asarray(linalg.svdvals(whitened, check_finite=False) ** 2)


def _trace_formula(approximate: CovarianceFactor, exact: CholeskyFactor) -> float:
    n = exact.n
    trace = sum(
        float(np.sum(approximate.whiten(exact.lower[:, at : at + _BLOCK]) ** 2))
        for at in range(0, n, _BLOCK)
    )
    return (trace - n + approximate.logdet - exact.logdet) / 2.0


def relative_residual(covariance: Covariance, weight: float) -> float:
    """||Sigma x - b|| / ||b|| for x from the factor of ``covariance`` and b of random signs."""
    b = _signs(covariance.n)
    x = covariance.factor(weight).solve(b)
    residual = weight * covariance.matmul(x) + (1.0 - weight) * x - b
    return float(np.linalg.norm(residual) / np.linalg.norm(b))


def ratio_bounds(kl: float) -> tuple[float, float]:
    """Lowest and highest eigenvalue that any S with divergence ``kl`` nats can have.

    Each eigenvalue mu contributes (mu - 1 - log mu) / 2, which is never negative, so none can
    exceed the whole.

    >>> low, high = ratio_bounds(0.1)
    >>> round(low, 4), round(high, 4)
    (0.4932, 1.7722)
    """
    if kl <= 0.0:
        return 1.0, 1.0

    def excess(log_mu: float) -> float:
        return float(np.expm1(log_mu)) - log_mu - 2.0 * kl

    low = optimize.brentq(excess, -2.0 * kl - 2.0, 0.0, xtol=1e-14)
    high = optimize.brentq(excess, 0.0, np.log1p(2.0 * kl + 2.0 * np.sqrt(2.0 * kl) + 1.0))
    return float(np.exp(low)), float(np.exp(high))


def _rounding(exact: CholeskyFactor) -> float:
    """Size of the rounding error of a divergence: n terms, and a log-determinant."""
    return float(np.finfo(np.float64).eps) * max(float(exact.n), abs(exact.logdet))


def _within(extremes: tuple[float, float], kl: float) -> tuple[float, float]:
    """The tighter of what Lanczos converged to, and what the divergence allows."""
    low, high = ratio_bounds(kl)
    return max(extremes[0], low), min(extremes[1], high)


def _extreme_eigenvalues(
    approximate: CovarianceFactor, exact: CholeskyFactor
) -> tuple[float, float]:
    n = exact.n
    operator = sparse_linalg.LinearOperator(
        (n, n),
        matvec=lambda v: _apply(approximate, exact, v.ravel()),
        dtype=np.float64,
    )
    start = np.random.default_rng(n).standard_normal(n)
    high, low = (
        float(
            sparse_linalg.eigsh(
                operator,
                k=1,
                which=which,
                v0=start,
                tol=_LANCZOS_TOLERANCE,
                return_eigenvectors=False,
            )[0]
        )
        for which in ("LA", "SA")
    )
    return low, high


def _apply(approximate: CovarianceFactor, exact: CholeskyFactor, v: FloatArray) -> FloatArray:
    return approximate.whiten(exact.matmul(approximate.whiten_transposed(v)))


def _relative_residual(approximate: CovarianceFactor, exact: CholeskyFactor) -> float:
    b = _signs(exact.n)
    residual = exact.matmul(approximate.solve(b)) - b
    return float(np.linalg.norm(residual) / np.linalg.norm(b))


def _signs(n: int) -> FloatArray:
    return np.random.default_rng(n).choice([-1.0, 1.0], n)
