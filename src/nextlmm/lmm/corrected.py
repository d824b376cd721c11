"""A stochastic estimate made exact by a few factors of Sigma near it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from scipy.special import expit, logit

from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.packed import PackedFactor
from nextlmm.lmm.design import Design, make_design
from nextlmm.lmm.likelihood import WhitenedTrait, whiten_trait
from nextlmm.lmm.null import Likelihood, checked_trait, search_null
from nextlmm.lmm.polish import SEPARATION, Curve, ExactPoint, corrected_curve, exact_point, polish
from nextlmm.lmm.stochastic import StochasticFit

FactorAt = Callable[[float], PackedFactor]


@dataclass(frozen=True, eq=False)
class CorrectedLikelihood(Likelihood):
    """A curve with random errors, made exact at some points; all else from factors.

    curve : log(h2 / (1 - h2)) to REML and ML.
    """

    y: FloatArray
    design: Design
    factor_at: FactorAt
    curve: Curve

    def log_likelihoods(self, h2: float) -> tuple[float, float]:
        """REML and ML."""
        return self.curve(float(logit(h2)))

    def fit(self, h2: float) -> WhitenedTrait:
        """All that is known at ``h2``; one factor."""
        return whiten_trait(self.factor_at(h2), self.y, self.design, h2=h2)


def polish_null(
    fit: StochasticFit,
    y: FloatArray,
    covariates: FloatArray,
    factor_at: FactorAt,
    *,
    methods: tuple[Literal["reml", "ml"], ...],
) -> StochasticFit:
    """The exact null model that a stochastic one is close to.

    Parameters
    ----------
    fit : by REML or ML; returned as it is if it was not made with random vectors, or by moments.
    y, covariates : (n,) and (n, c), in the order of the factors.
    factor_at : an exact factor of Sigma at a heritability.
    methods : whose estimates matter, "reml", "ml" or both; the first is that of the model.

    Cost: two to four factors and traces of inverses for each method, 2/3 n^3 operations each.
    """
    if fit.likelihood is None:
        return fit
    design = make_design(covariates)
    y = checked_trait(y, design)
    likelihood = fit.likelihood
    points: list[ExactPoint] = []

    def evaluate(h2: float) -> ExactPoint:
        return exact_point(factor_at(h2), y, design, h2)

    def stochastic(t: float) -> tuple[float, float]:
        return likelihood.log_likelihoods(float(expit(t)))

    starts = {"ml": fit.null.h2_ml, "reml": fit.null.h2_reml}
    apart = abs(float(logit(starts["ml"]) - logit(starts["reml"])))
    # A point makes both curves exact in value and slope, so that a maximum nearby needs no other.
    for method in methods if apart > SEPARATION else methods[:1]:
        points += polish(starts[method], fit.null.h2_se, evaluate, method=method).points
    curve = corrected_curve(stochastic, tuple(points))
    exact = search_null(CorrectedLikelihood(y, design, factor_at, curve), methods[0])
    return replace(
        fit, null=exact, mc_error=0.0, mc_error_in_se=0.0, log_likelihood_error=0.0, n_probes=0
    )
