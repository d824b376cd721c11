"""The null model: heritability and variance components of a trait without any variant."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from scipy.special import expit

from nextlmm.cohort.design import (
    LARGEST_SPREAD,
    SMALLEST_SPREAD,
    is_constant,
    spread_out_of_range,
)
from nextlmm.errors import TraitError, UsageError
from nextlmm.linalg.covariance import Covariance, FloatArray
from nextlmm.lmm.described import null_rows
from nextlmm.lmm.design import Design, make_design
from nextlmm.lmm.likelihood import WhitenedTrait, whiten_trait
from nextlmm.lmm.profile import Maximum, crossings, maximise
from nextlmm.notebook import card

Method = Literal["reml", "ml", "he"]
Boundary = Literal["lower", "upper"]

DROP_95 = 0.5 * 3.841458820694124  # half the 95 % point of a chi-square with 1 degree of freedom
CONSTANT_TOLERANCE = 1e-10  # share of the trait's spread that the covariates may leave unexplained


@dataclass(frozen=True, eq=False)
class NullModel:
    """A fitted null model y ~ N(C a, sigma2 [h2 K + (1 - h2) I]).

    method : how h2 was found; "he" also stands for any h2 that was given.
    n, n_covariates : samples, and columns of C with the intercept.
    h2 : heritability, in [0, 1]; never outside.
    h2_se : standard error from the curvature of the profile likelihood, None where there is none
        (see ``warnings``).
    h2_interval : 95 % profile-likelihood interval, None if h2 was given.
    h2_boundary : "lower" or "upper" if the likelihood is highest at an end of the search range.
    sigma_g2, sigma_e2 : variance components in squared trait units, unbiased (n - c) unless ML.
    log_likelihood : of the method used; REML if h2 was given.
    log_likelihood_reml, log_likelihood_ml : both at ``h2``.
    h2_reml, h2_ml : both estimates; equal to ``h2`` if h2 was given.
    beta, beta_se : (c,) covariate effects in trait units per covariate unit.
    profile : (h2, log-likelihood) wherever it was evaluated, ascending.
    warnings : sentences for the user.
    h2_mc_error : Monte-Carlo standard error of h2, on top of ``h2_se``, where the likelihood was
        estimated with random vectors; None where it was computed.
    """

    method: Method
    n: int
    n_covariates: int
    h2: float
    h2_se: float | None
    h2_interval: tuple[float, float] | None
    h2_boundary: Boundary | None
    sigma_g2: float
    sigma_e2: float
    log_likelihood: float
    log_likelihood_reml: float
    log_likelihood_ml: float
    h2_reml: float
    h2_ml: float
    beta: FloatArray
    beta_se: FloatArray
    profile: tuple[tuple[float, float], ...]
    warnings: tuple[str, ...]
    h2_mc_error: float | None = None

    def __repr__(self) -> str:
        error = "" if self.h2_se is None else f" (se {self.h2_se:.4f})"
        return (
            f"NullModel({self.method}, n = {self.n}, {self.n_covariates} covariates, "
            f"h2 = {self.h2:.4f}{error}, sigma_g2 = {self.sigma_g2:.4g}, "
            f"sigma_e2 = {self.sigma_e2:.4g})"
        )

    def _repr_html_(self) -> str:
        return card(
            f"Null model ({self.method.upper()})", null_rows(vars(self)), warnings=self.warnings
        )


class TraitFit(Protocol):
    """What is known of a trait at one h2; fields as in ``likelihood.WhitenedTrait``."""

    @property
    def h2(self) -> float:
        """The weight of K."""

    @property
    def n(self) -> int:
        """Number of samples."""

    @property
    def n_covariates(self) -> int:
        """Number of covariates."""

    @property
    def ypy(self) -> float:
        """y'Py, in squared trait units."""

    @property
    def effect(self) -> FloatArray:
        """(c,) effects of the covariates."""

    @property
    def effect_scale(self) -> FloatArray:
        """(c,) their standard errors, over sigma."""

    @property
    def log_likelihood_reml(self) -> float:
        """Restricted log-likelihood."""

    @property
    def log_likelihood_ml(self) -> float:
        """Log-likelihood."""


class Likelihood(Protocol):
    """A trait, covariates and K, as a function of h2, however it is computed."""

    def log_likelihoods(self, h2: float) -> tuple[float, float]:
        """REML and ML at ``h2``, smooth functions of log(h2 / (1 - h2))."""

    def fit(self, h2: float) -> TraitFit:
        """All that is known at ``h2``, with the same log-likelihoods."""


@dataclass(frozen=True, eq=False)
class FactoredLikelihood:
    """The likelihood by one factor of Sigma for each h2."""

    y: FloatArray
    design: Design
    covariance: Covariance

    def log_likelihoods(self, h2: float) -> tuple[float, float]:
        """REML and ML."""
        fit = self.fit(h2)
        return fit.log_likelihood_reml, fit.log_likelihood_ml

    def fit(self, h2: float) -> WhitenedTrait:
        """The trait, whitened; the factor is used once and dropped."""
        return whiten_trait(self.covariance.factor(weight=h2), self.y, self.design, h2=h2)


class _Profile:
    """Both log-likelihoods along t = log(h2 / (1 - h2)), each computed once."""

    def __init__(self, likelihood: Likelihood) -> None:
        self._likelihood = likelihood
        self._values: dict[float, tuple[float, float]] = {}

    def reml(self, t: float) -> float:
        return self._both(t)[0]

    def ml(self, t: float) -> float:
        return self._both(t)[1]

    def positions(self) -> FloatArray:
        return np.array(sorted(self._values))

    def _both(self, t: float) -> tuple[float, float]:
        if t not in self._values:
            self._values[t] = self._likelihood.log_likelihoods(float(expit(t)))
        return self._values[t]


def fit_null(
    y: FloatArray,
    covariates: FloatArray,
    covariance: Covariance,
    *,
    method: Method = "reml",
    h2: float | None = None,
) -> NullModel:
    """Fit the null model by REML or ML, or describe it at a given h2.

    Parameters
    ----------
    y : trait, (n,), no missing values.
    covariates : (n, c), the intercept included.
    covariance : K, mean diagonal 1; only its factors at a few weights are used.
    method : "reml" or "ml"; "he" needs ``h2``, the estimate by moments.
    h2 : if given, taken as it is, in [0, 1); nothing is searched.

    Raises
    ------
    DesignError, TraitError
        If the covariates are dependent, or explain the trait completely.
    UsageError
        If h2 is outside [0, 1), or missing where the method needs it.
    NotPositiveDefiniteError
        If K has negative eigenvalues.

    Cost : about 35 factorisations, or one if ``h2`` is given.
    Source : the profile of Zhou and Stephens 2012, equations 6 to 8, maximised without its
        derivatives; the standard error is -1 / (second derivative) carried over to h2.
    """
    design = make_design(covariates)
    likelihood = FactoredLikelihood(checked_trait(y, design), design, covariance)
    if h2 is not None:
        return null_at(likelihood, method, h2)
    if method == "he":
        raise UsageError('method "he" got no h2; expected the estimate of haseman_elston')
    return search_null(likelihood, method)


def null_at(likelihood: Likelihood, method: Method, h2: float) -> NullModel:
    """The null model at a given h2 in [0, 1), with ``method`` for its name; nothing is searched."""
    if not 0.0 <= h2 < 1.0:
        raise UsageError(f"h2 is {h2}; expected a heritability of at least 0 and below 1")
    fit = likelihood.fit(h2)
    return _null_model(fit, method, h2_reml=h2, h2_ml=h2, profile=((h2, _chosen(fit, method)),))


def search_null(likelihood: Likelihood, method: Method) -> NullModel:
    """The null model where the likelihood, REML unless ``method`` is "ml", is highest."""
    profile = _Profile(likelihood)
    reml, ml = maximise(profile.reml), maximise(profile.ml)
    best, function = (ml, profile.ml) if method == "ml" else (reml, profile.reml)
    fit = likelihood.fit(float(expit(best.t)))
    known = np.append(profile.positions(), best.t)
    low, high = crossings(function, best, DROP_95, known)
    points = tuple((float(expit(t)), function(t)) for t in profile.positions())
    return _null_model(
        fit,
        method,
        h2_reml=float(expit(reml.t)),
        h2_ml=float(expit(ml.t)),
        profile=points,
        best=best,
        interval=(float(expit(low)), float(expit(high))),
    )


def _null_model(
    fit: TraitFit,
    method: Method,
    *,
    h2_reml: float,
    h2_ml: float,
    profile: tuple[tuple[float, float], ...],
    best: Maximum | None = None,
    interval: tuple[float, float] | None = None,
) -> NullModel:
    sigma2 = fit.ypy / (fit.n if method == "ml" else fit.n - fit.n_covariates)
    boundary: Boundary | None = None
    if best is not None and best.boundary is not None:
        boundary = "lower" if best.boundary == "lower" else "upper"
    curvature = None if best is None else best.curvature
    slope = fit.h2 * (1.0 - fit.h2)  # dh2 / dt
    return NullModel(
        method=method,
        n=fit.n,
        n_covariates=fit.n_covariates,
        h2=fit.h2,
        h2_se=None if curvature is None else float(slope / np.sqrt(-curvature)),
        h2_interval=interval,
        h2_boundary=boundary,
        sigma_g2=fit.h2 * sigma2,
        sigma_e2=(1.0 - fit.h2) * sigma2,
        log_likelihood=_chosen(fit, method),
        log_likelihood_reml=fit.log_likelihood_reml,
        log_likelihood_ml=fit.log_likelihood_ml,
        h2_reml=h2_reml,
        h2_ml=h2_ml,
        beta=fit.effect,
        beta_se=fit.effect_scale * float(np.sqrt(sigma2)),
        profile=profile,
        warnings=_warnings(fit, boundary),
    )


def _warnings(fit: TraitFit, boundary: Boundary | None) -> tuple[str, ...]:
    if boundary is None:
        return ()
    return (
        f"the likelihood is highest at the {boundary} end of its range, h2 = {fit.h2:.6g}: the "
        "estimate is a bound, it has no standard error, and the interval is one-sided",
    )


def _chosen(fit: TraitFit, method: Method) -> float:
    return fit.log_likelihood_ml if method == "ml" else fit.log_likelihood_reml


def checked_trait(y: FloatArray, design: Design) -> FloatArray:
    """The trait as float64, (n,), or a TraitError that says what is wrong with it."""
    y = np.ascontiguousarray(y, dtype=np.float64)
    if y.shape != (design.n,):
        raise TraitError(
            f"the trait is an array of shape {y.shape}; expected ({design.n},), one value for "
            "each row of the covariates"
        )
    if not np.isfinite(y).all():
        row = int(np.flatnonzero(~np.isfinite(y))[0])
        raise TraitError(
            f"the trait is {y[row]} for sample {row + 1}; expected finite numbers; leave out "
            "samples without a value"
        )
    spread = None if is_constant(y) else spread_out_of_range(y)
    if spread is not None:
        raise TraitError(
            f"the trait spans {spread:g}, from its smallest to its largest value; expected "
            f"{SMALLEST_SPREAD:g} to {LARGEST_SPREAD:g}, so that its variance is a number that a "
            "computer can hold; give it in another unit"
        )
    centred, _ = design.centre(y)
    left = np.linalg.norm(design.project(centred))
    if is_constant(y) or left <= CONSTANT_TOLERANCE * np.linalg.norm(centred):
        raise TraitError(
            "the trait is constant or a linear combination of the covariates; expected variation "
            "that the covariates do not explain; check the trait's column"
        )
    return y
