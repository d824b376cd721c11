"""What one factor of Sigma(h2) says about a trait and its covariates.

With Sigma = W W', covariates C = Q T (Q orthonormal) and P = Sigma^-1 - Sigma^-1 C (C' Sigma^-1
C)^-1 C' Sigma^-1, whitening gives W^-1 Q = B R (B orthonormal) and r = (I - B B') W^-1 y, hence
y'Py = r'r, and the likelihoods, sigma2 profiled out, are

    ML    -1/2 [n log(2 pi r'r / n) + n + log|Sigma|]
    REML  -1/2 [(n-c) log(2 pi r'r / (n-c)) + (n-c) + log|Sigma| + log|Q' Sigma^-1 Q|]

The last determinant is log|C' Sigma^-1 C| - log|C'C|, so that REML does not depend on the basis or
the units of the covariates (Welham and Thompson 1997).
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from nextlmm.linalg.covariance import CovarianceFactor, FloatArray
from nextlmm.lmm.design import Design


@dataclass(frozen=True, eq=False)
class WhitenedTrait:
    """Trait and covariates after whitening with one factor.

    h2 : the weight of K in Sigma.
    basis : B, (n, c), orthonormal basis of the whitened covariates.
    residual : r, (n,), the whitened trait without its covariate part.
    ypy : y'Py = r'r, in squared trait units.
    logdet_sigma, logdet_design : log|Sigma| and log|Q' Sigma^-1 Q|.
    effect, effect_scale : (c,) least-squares effects of C, and the square roots of the diagonal of
        (C' Sigma^-1 C)^-1.
    """

    h2: float
    basis: FloatArray
    residual: FloatArray
    ypy: float
    logdet_sigma: float
    logdet_design: float
    effect: FloatArray
    effect_scale: FloatArray

    def __repr__(self) -> str:
        return f"<trait of {self.n:,} samples at h2 = {self.h2:.4g}>"

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.residual)

    @property
    def n_covariates(self) -> int:
        """Number of covariates."""
        return int(self.basis.shape[1])

    @property
    def log_likelihood_ml(self) -> float:
        """Log-likelihood, maximal over the effects and sigma2."""
        return -0.5 * (self.logdet_sigma + gaussian_part(self.ypy, self.n))

    @property
    def log_likelihood_reml(self) -> float:
        """Restricted log-likelihood, maximal over sigma2."""
        part = gaussian_part(self.ypy, self.n - self.n_covariates)
        return -0.5 * (self.logdet_sigma + self.logdet_design + part)


def whiten_trait(
    factor: CovarianceFactor, y: FloatArray, design: Design, *, h2: float
) -> WhitenedTrait:
    """Whiten ``y`` (n,) and the covariates with a factor of Sigma(h2).

    The mean and the covariates are first taken out of y, which changes nothing but rounding errors.
    Cost: one whitening of c + 1 columns and O(n c^2).
    """
    centred, mean = design.centre(y)
    start = design.basis.T @ centred
    columns = factor.whiten(np.column_stack((design.basis, centred - design.basis @ start)))
    basis, triangle = linalg.qr(columns[:, :-1], mode="economic", check_finite=False)
    shift = basis.T @ columns[:, -1]
    residual = columns[:, -1] - basis @ shift
    in_covariates = linalg.solve_triangular(design.triangle, np.eye(design.n_covariates))
    in_basis = linalg.solve_triangular(triangle, np.column_stack((np.eye(len(shift)), shift)))
    effect = in_covariates @ (start + in_basis[:, -1])
    if design.intercept is not None:
        effect[0] += mean / design.intercept
    return WhitenedTrait(
        h2=h2,
        basis=basis,
        residual=residual,
        ypy=float(residual @ residual),
        logdet_sigma=factor.logdet,
        logdet_design=2.0 * float(np.log(np.abs(triangle.diagonal())).sum()),
        effect=effect,
        effect_scale=np.sqrt(((in_covariates @ in_basis[:, :-1]) ** 2).sum(axis=1)),
    )


def gaussian_part(ypy: float, df: int) -> float:
    """-2 log-likelihood of df degrees of freedom, sigma2 profiled out, without determinants."""
    return df * (float(np.log(2.0 * np.pi * ypy / df)) + 1.0)
