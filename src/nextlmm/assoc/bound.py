"""What the exact model can say of a variant, from a scan with an approximate factor.

Let P be the exact projection (Sigma^-1 with the covariates taken out), P_H that of the approximate
factor W, mu the eigenvalues of W^-1 Sigma W^-T, u^2 = (x'P_H y)^2 / x'P_H x the part of y'P_H y
that variant x explains, and v = (P - P_H) y.  By Cauchy-Schwarz in the metric of P_H, and because
x'Px / x'P_H x lies between 1/mu_max and 1/mu_min, for every x whatever ::

    (max(0, u - rho))^2 mu_min  <=  (x'Py)^2 / x'Px  <=  (u + rho)^2 mu_max,    rho = ||W' v||

so that one vector and two numbers bound the exact test of every variant.
"""

from dataclasses import dataclass

import numpy as np

from nextlmm.assoc.scan import ScanModel, Test
from nextlmm.assoc.statistics import neg_log10_chi2_sf, neg_log10_f_sf
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.dense import CholeskyFactor
from nextlmm.lmm.likelihood import WhitenedTrait

ROUNDING = 1e-7
"""Relative widening of all bounds for rounding and for the search of the exact h2."""


@dataclass(frozen=True)
class ScanBound:
    """How far a scan can be from the exact one, for all variants at once.

    ``numerator`` is rho in trait units, ``ypy`` and ``ypy_exact`` are y'P_H y and y'Py,
    ``ratio_low`` and ``ratio_high`` bound mu.
    """

    test: Test
    n: int
    df: int
    numerator: float
    ypy: float
    ypy_exact: float
    ratio_low: float
    ratio_high: float

    @property
    def z_error(self) -> float:
        """Largest error of any variant's score in standard deviations, denominators apart."""
        return float(self.numerator / np.sqrt(self.ypy_exact / self.df))

    def interval(self, chi2: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest -log10 p that the exact test of each variant can have.

        ``chi2`` is the statistic of the approximate test, (b,); NaN stays NaN.  The upper end is
        infinite where the bound does not exclude a perfect fit.
        """
        u = np.sqrt(self._explained(chi2))
        low = np.maximum(0.0, u - self.numerator) ** 2 * self.ratio_low
        high = (u + self.numerator) ** 2 * self.ratio_high
        low, high = self._neg_log10_p(low), self._neg_log10_p(np.minimum(high, self.ypy_exact))
        return np.maximum(0.0, low - ROUNDING * (1.0 + low)), high + ROUNDING * (1.0 + high)

    def _explained(self, chi2: FloatArray) -> FloatArray:
        """u^2 from the statistic: the tests' definitions solved for it."""
        if self.test == "wald":
            return np.asarray(self.ypy * chi2 / (self.df + chi2))
        if self.test == "score":
            return self.ypy * chi2 / self.n
        return np.asarray(-self.ypy * np.expm1(-chi2 / self.n))

    def _neg_log10_p(self, explained: FloatArray) -> FloatArray:
        share = explained / self.ypy_exact
        result = np.full(share.shape, np.inf)
        some = ~(share >= 1.0)  # NaN is among them and stays NaN
        part = share[some]
        if self.test == "lrt":
            result[some] = neg_log10_chi2_sf(-self.n * np.log1p(-part))
        elif self.test == "score":
            result[some] = neg_log10_f_sf(self.n * part, self.df)
        else:
            result[some] = neg_log10_f_sf(self.df * part / (1.0 - part), self.df)
        return result


def scan_bound(
    model: ScanModel, exact: CholeskyFactor, exact_trait: WhitenedTrait, ratio: tuple[float, float]
) -> ScanBound:
    """Bound on a scan from the exact factor, at its own h2, and the range of mu.

    Cost: a few triangular solves with one right-hand side.
    """
    lens = model.tested
    v = exact.whiten_transposed(exact_trait.residual)
    v = v - lens.factor.whiten_transposed(lens.trait.residual)
    return ScanBound(
        test=model.test,
        n=model.design.n,
        df=model.design.n - model.design.n_covariates - 1,
        numerator=float(np.linalg.norm(lens.factor.unwhiten_transposed(v))),
        ypy=lens.trait.ypy,
        ypy_exact=exact_trait.ypy,
        ratio_low=ratio[0],
        ratio_high=ratio[1],
    )
