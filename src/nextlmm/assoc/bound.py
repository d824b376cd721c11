"""What the exact model can say of a variant, from a scan with an approximate factor.

Let P be the exact projection (Sigma^-1 with the covariates taken out), P_H that of the approximate
factor W, and mu the eigenvalues of W^-1 Sigma W^-T.  The exact statistic of variant x depends on
q = (x'Py)^2 / x'Px.  Its numerator needs one exact vector, Py, for all variants, and its
denominator is bounded by that of the scan, because x'Px / x'P_H x lies in [1/mu_max, 1/mu_min] for
every x::

    (x'Py)^2 / x'P_H x * mu_min  <=  q  <=  (x'Py)^2 / x'P_H x * mu_max

Even without the exact numerators the scores of all variants at once are known to within
|x'(P - P_H) y| <= sqrt(x'P_H x) * ||W' (P - P_H) y||, by Cauchy-Schwarz in the metric of P_H.
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
SEARCHED = 1e-4
"""Room in a likelihood ratio for the search of both maxima."""


@dataclass(frozen=True, eq=False)
class ScanBound:
    """How far a scan can be from the exact one.

    py : exact Py, (n,), in the order of the samples.
    ypy : exact y'Py, in squared trait units.
    ratio_low, ratio_high : bounds on mu.
    z_error : largest error of any variant's score in standard deviations, denominators apart.
    """

    test: Test
    df: int
    py: FloatArray
    ypy: float
    ratio_low: float
    ratio_high: float
    z_error: float

    def interval(self, score: FloatArray, information: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest -log10 p that the exact test of each variant can have.

        Parameters
        ----------
        score : exact x'Py, (b,): the products of the dosages with ``py``.
        information : x'P_H x of the scan, (b,); NaN stays NaN.

        The upper end is infinite where the bound does not exclude a perfect fit.
        """
        q = score**2 / information / self.ypy
        n = len(self.py)
        return widened(
            log_p_of_share(self.test, q * self.ratio_low, n, self.df),
            log_p_of_share(self.test, q * self.ratio_high, n, self.df),
        )


def widened(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Ends of an interval of -log10 p, (b,) each, with room for rounding."""
    low = np.maximum(0.0, low * (1.0 - ROUNDING) - ROUNDING)
    return low, high * (1.0 + ROUNDING) + ROUNDING


def searched_ends(test: Test, chi2: FloatArray, log_p: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Ends of -log10 p of variants that were tested exactly at an h2 of their own, (b,) each.

    A likelihood ratio compares two maxima, which a search finds to within `SEARCHED`.
    """
    if test != "lrt":
        return widened(log_p, log_p)
    least = np.maximum(chi2 - SEARCHED, 0.0)
    return widened(neg_log10_chi2_sf(least), neg_log10_chi2_sf(chi2 + SEARCHED))


def trait_ends(ypy: FloatArray, error: FloatArray | float) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest y'Py, where a solve left b'a = ``ypy`` and |b'P r| <= error sqrt(y'Py).

    The ends are where |y'Py - ypy| = error sqrt(y'Py), both positive.
    """
    middle = np.sqrt(np.square(error) + 4.0 * ypy)
    return np.square(middle - error) / 4.0, np.square(middle + error) / 4.0


def log_p_of_share(test: Test, share: FloatArray, n: int, df: int) -> FloatArray:
    """-log10 p of variants, (b,), that explain a share of y'Py; infinite from a share of 1 on."""
    result = np.full(share.shape, np.inf)
    some = ~(share >= 1.0)  # NaN is among them and stays NaN
    part = share[some]
    if test == "lrt":
        result[some] = neg_log10_chi2_sf(-n * np.log1p(-part))
    elif test == "score":
        result[some] = neg_log10_f_sf(n * part, df)
    else:
        result[some] = neg_log10_f_sf(df * part / (1.0 - part), df)
    return result


def scan_bound(
    model: ScanModel, exact: CholeskyFactor, exact_trait: WhitenedTrait, ratio: tuple[float, float]
) -> ScanBound:
    """Bound on a scan from the exact factor, at its own h2, and the range of mu.

    Cost: a few triangular solves with one right-hand side.
    """
    lens = model.tested
    df = model.design.n - model.design.n_covariates - 1
    py = exact.whiten_transposed(exact_trait.residual)
    error = py - lens.factor.whiten_transposed(lens.trait.residual)
    rho = float(np.linalg.norm(lens.factor.unwhiten_transposed(error)))
    return ScanBound(
        test=model.test,
        df=df,
        py=py,
        ypy=exact_trait.ypy,
        ratio_low=ratio[0],
        ratio_high=ratio[1],
        z_error=rho / float(np.sqrt(exact_trait.ypy / df)),
    )
