"""The mixed model of the textbooks, O(n^3) for every number: the specification of the package.

    y = C a + x b + g + e,   g ~ N(0, sigma_g2 K),   e ~ N(0, sigma_e2 I)

Nothing here is fast and nothing is shared with the fast code.  Matrices are formed as they are
written in a textbook, inverted and multiplied, one variant at a time::

    Sigma = h2 K + (1 - h2) I,   h2 = sigma_g2 / (sigma_g2 + sigma_e2)
    P     = Sigma^-1 - Sigma^-1 C (C' Sigma^-1 C)^-1 C' Sigma^-1

y : trait (n,).  C : covariates (n, c) with the intercept.  x : dosage of one variant (n,).
K : relationship matrix (n, n), mean diagonal 1.  sigma2 = sigma_g2 + sigma_e2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

Array = NDArray[np.float64]

LOG_RATIO = 5.0 * float(np.log(10.0))  # sigma_g2 / sigma_e2 between 1e-5 and 1e5


def relationship_matrix(dosage: Array, *, standardized: bool = True) -> Array:
    """K of all columns of ``dosage`` (n, m), NaN replaced by the column's mean."""
    z = np.where(np.isnan(dosage), np.nanmean(dosage, axis=0), dosage)
    z = z[:, z.std(axis=0) > 0]
    z = z - z.mean(axis=0)
    if standardized:
        z = z / z.std(axis=0)
    k = z @ z.T
    return np.asarray(k / np.mean(np.diag(k)))


def log_likelihood(y: Array, c: Array, k: Array, h2: float, *, reml: bool) -> float:
    """Log-likelihood at ``h2``, maximal over the covariate effects and sigma2."""
    n, columns = c.shape
    sigma = h2 * k + (1.0 - h2) * np.eye(n)
    ypy = residual_sum(y, c, sigma)
    df = n - columns if reml else n
    value = df * np.log(2.0 * np.pi * ypy / df) + df + np.linalg.slogdet(sigma)[1]
    if reml:
        information = c.T @ np.linalg.inv(sigma) @ c
        value += np.linalg.slogdet(information)[1] - np.linalg.slogdet(c.T @ c)[1]
    return float(-0.5 * value)


def residual_sum(y: Array, c: Array, sigma: Array) -> float:
    """y'Py, the weighted sum of squares of what generalised least squares leaves."""
    inverse = np.linalg.inv(sigma)
    residual = y - c @ np.linalg.solve(c.T @ inverse @ c, c.T @ inverse @ y)
    return float(residual @ inverse @ residual)


def projection(c: Array, sigma: Array) -> Array:
    """P, which removes the covariates and weighs by the inverse covariance."""
    inverse = np.linalg.inv(sigma)
    return np.asarray(inverse - inverse @ c @ np.linalg.inv(c.T @ inverse @ c) @ c.T @ inverse)


def estimate_h2(y: Array, c: Array, k: Array, *, reml: bool) -> float:
    """h2 of highest likelihood: a fine grid over all ratios, then a search around the best."""

    def loss(log_ratio: float) -> float:
        return -log_likelihood(y, c, k, 1.0 / (1.0 + np.exp(-log_ratio)), reml=reml)

    grid = np.linspace(-LOG_RATIO, LOG_RATIO, 61)
    losses = [loss(t) for t in grid]
    best = int(np.argmin(losses))
    around = (grid[max(best - 1, 0)], grid[min(best + 1, 60)])
    found = optimize.minimize_scalar(loss, bounds=around, method="bounded", options={"xatol": 1e-7})
    log_ratio = found.x if found.fun < losses[best] else grid[best]
    return float(1.0 / (1.0 + np.exp(-log_ratio)))


@dataclass(frozen=True)
class ReferenceResult:
    """One variant: Wald's effect and error, the chosen test's statistic and p-value, and the h2."""

    beta: float
    standard_error: float
    chi2: float
    p_value: float
    h2: float


def associate(
    x: Array,
    y: Array,
    c: Array,
    k: Array,
    *,
    test: str = "wald",
    h2: float | None = None,
    h2_ml: float | None = None,
) -> ReferenceResult:
    """Test one variant; where ``h2`` (REML) or ``h2_ml`` is None the variant gets its own.

    wald  : F = beta^2 / se^2 on (1, n - c - 1)
    score : F = n (x'Py)^2 / (x'Px y'Py) at the ML h2 of the model without the variant
    lrt   : twice the gain in ML log-likelihood, chi-square with 1 degree of freedom
    """
    n, df = len(y), len(y) - c.shape[1] - 1
    with_x = np.column_stack((c, x))
    own = estimate_h2(y, with_x, k, reml=True) if h2 is None else h2
    sigma = own * k + (1.0 - own) * np.eye(n)
    inverse = np.linalg.inv(sigma)
    information = np.linalg.inv(with_x.T @ inverse @ with_x)
    beta = (information @ with_x.T @ inverse @ y)[-1]
    sigma2 = residual_sum(y, with_x, sigma) / df
    standard_error = np.sqrt(sigma2 * information[-1, -1])
    if test == "wald":
        chi2 = (beta / standard_error) ** 2
        p_value, used = stats.f.sf(chi2, 1, df), own
    elif test == "score":
        used = estimate_h2(y, c, k, reml=False) if h2_ml is None else h2_ml
        ml_sigma = used * k + (1.0 - used) * np.eye(n)
        p = projection(c, ml_sigma)
        chi2 = n * (x @ p @ y) ** 2 / (x @ p @ x) / residual_sum(y, c, ml_sigma)
        p_value = stats.f.sf(chi2, 1, df)
    else:
        null = estimate_h2(y, c, k, reml=False) if h2_ml is None else h2_ml
        used = estimate_h2(y, with_x, k, reml=False) if h2_ml is None else h2_ml
        gain = [log_likelihood(y, z, k, h, reml=False) for z, h in ((with_x, used), (c, null))]
        chi2 = 2.0 * (gain[0] - gain[1])
        p_value = stats.chi2.sf(chi2, 1)
    return ReferenceResult(
        float(beta), float(standard_error), float(chi2), float(p_value), float(used)
    )
