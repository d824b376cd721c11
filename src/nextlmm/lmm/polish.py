"""Exact likelihoods near an estimate of h2, their slopes, and what they correct.

An estimate with a Monte-Carlo error is a good place to begin: a few factors of Sigma near it, each
with the exact slope of the likelihood, lead to the exact maximum, and turn the curve that was
estimated with random vectors into one that is exact where it matters.

With Sigma = h K + (1 - h) I, t = log(h / (1 - h)) and P as in ``likelihood``,

    d REML / dt = (1 - h) / 2 [tr P        - (n - c) y'PPy / y'Py]
    d ML / dt   = (1 - h) / 2 [tr Sigma^-1 -  n      y'PPy / y'Py]

because h dSigma/dh = Sigma - I and P Sigma P = P, so that what does not depend on h cancels.  With
B and r of ``likelihood``, tr P = |L^-1|^2 - |L^-T B|^2 and y'PPy = |L^-T r|^2.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import Polynomial
from scipy.special import expit, logit

from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.packed import PackedFactor
from nextlmm.lmm.design import Design
from nextlmm.lmm.likelihood import whiten_trait
from nextlmm.lmm.null import Boundary, Method
from nextlmm.lmm.profile import LOG_RATIO_LIMIT

Curve = Callable[[float], tuple[float, float]]

TOLERANCE = 0.002  # step, in standard errors of h2, below which an estimate is not moved
MOST_POINTS = 10
_ENDS = (float(expit(-LOG_RATIO_LIMIT)), float(expit(LOG_RATIO_LIMIT)))  # of the range of h2
_NEARLY_ONE = 0.998
_LONGEST_STEP = 2.0  # in standard errors, at first
_NEARBY = 0.02  # in standard errors; nearer points say nothing about the curvature
SEPARATION = 0.3  # in t; nearer points say the same about the error of a curve
_MOST_KEPT = 3
_DIFFERENCE = 0.05  # in t, between the points of a numerical derivative


@dataclass(frozen=True)
class ExactPoint:
    """Both log-likelihoods at t = log(h2 / (1 - h2)), and their derivatives with respect to t."""

    t: float
    reml: float
    ml: float
    reml_slope: float
    ml_slope: float

    @property
    def h2(self) -> float:
        """The weight of K."""
        return float(expit(self.t))

    def slope(self, method: Method) -> float:
        """The derivative of one of the two."""
        return self.ml_slope if method == "ml" else self.reml_slope


@dataclass(frozen=True)
class Polished:
    """An estimate of h2 from exact slopes.

    points : in the order of their evaluation; the last is the estimate.
    step_in_se : how far from it the maximum is expected, in standard errors of h2; 0 at an end.
    standard_error : of h2, from the curvature between points; None at an end of the line, or where
        it is not known.  The one of a corrected curve is better.
    boundary : "lower" or "upper" if the likelihood is highest at an end of the line.
    """

    points: tuple[ExactPoint, ...]
    step_in_se: float
    standard_error: float | None
    boundary: Boundary | None

    @property
    def h2(self) -> float:
        """The estimate."""
        return self.points[-1].h2


def exact_point(factor: PackedFactor, y: FloatArray, design: Design, h2: float) -> ExactPoint:
    """Both log-likelihoods and their slopes from one factor of Sigma(h2), 0 < h2 < 1.

    Cost: n^3/3 operations and memory like that of the factor, for the trace of Sigma^-1.
    """
    fit = whiten_trait(factor, y, design, h2=h2)
    back = factor.whiten_transposed(np.column_stack((fit.basis, fit.residual)))
    trace_sigma = factor.inverse_squares()
    trace_p = trace_sigma - float(np.square(back[:, :-1]).sum())
    ratio = float(back[:, -1] @ back[:, -1]) / fit.ypy
    return ExactPoint(
        t=float(logit(h2)),
        reml=fit.log_likelihood_reml,
        ml=fit.log_likelihood_ml,
        reml_slope=0.5 * (1.0 - h2) * (trace_p - (fit.n - fit.n_covariates) * ratio),
        ml_slope=0.5 * (1.0 - h2) * (trace_sigma - fit.n * ratio),
    )


def polish(
    start_h2: float,
    start_se: float | None,
    evaluate: Callable[[float], ExactPoint],
    *,
    method: Method = "reml",
    tolerance: float = TOLERANCE,
) -> Polished:
    """The maximum near ``start_h2`` of the likelihood that ``evaluate`` gives at h2.

    Newton's step with the curvature that ``start_se`` implies (None if it is not known), then
    secants, kept between points whose slopes have different signs.  Any method but "ml" means REML.
    The search ends where the next step would be less than ``tolerance`` standard errors, at an end
    of the line if the likelihood rises towards it, or after ten points; ``step_in_se`` says how
    good it is.

    Cost: two or three evaluations from a start that is a tenth of a standard error away, one if
    that is an end of the line and the maximum.
    """
    h2 = float(np.clip(start_h2, *_ENDS))
    search = _Search(method, h2, start_se)
    for _ in range(MOST_POINTS):
        search.add(h2, evaluate(h2))
        boundary = search.boundary()
        if boundary is not None:
            return Polished(tuple(search.points), 0.0, None, boundary)
        if search.step_in_se() <= tolerance:
            break
        h2 = search.next()
    return Polished(
        points=tuple(search.points),
        step_in_se=search.step_in_se(),
        standard_error=search.standard_error(),
        boundary=None,
    )


class _Search:
    """The state of ``polish``: points, the curvature, and where the slope changes its sign.

    It moves in u = -log(1 - h2), in which a likelihood is smooth at h2 = 0, and a straight line
    towards h2 = 1 if K is singular; derivatives here are with respect to u.
    """

    def __init__(self, method: Method, start_h2: float, standard_error: float | None) -> None:
        self._method = method
        self._curvature: float | None = None  # minus the second derivative, None if not known
        if standard_error:
            self._curvature = ((1.0 - start_h2) / standard_error) ** 2
        self._longest = _LONGEST_STEP
        self._h2: list[float] = []
        self._slope: list[float] = []
        self.points: list[ExactPoint] = []

    def add(self, h2: float, point: ExactPoint) -> None:
        self.points.append(point)
        self._h2.append(h2)
        self._slope.append(point.slope(self._method) / h2)
        if len(self._h2) < 2:
            return
        apart = _to_line(self._h2[-1]) - _to_line(self._h2[-2])
        if self._curvature is not None and abs(apart) * np.sqrt(self._curvature) < _NEARBY:
            return
        curvature = (self._slope[-2] - self._slope[-1]) / apart
        self._curvature = curvature if curvature > 0.0 else None

    def boundary(self) -> Boundary | None:
        h2, slope = self._h2[-1], self._slope[-1]
        if h2 == _ENDS[0] and slope <= 0.0:
            return "lower"
        return "upper" if h2 == _ENDS[1] and slope >= 0.0 else None

    def step_in_se(self) -> float:
        if self._curvature is None:
            return float("inf")
        return float(abs(self._slope[-1]) / np.sqrt(self._curvature))

    def standard_error(self) -> float | None:
        if self._curvature is None:
            return None
        return float((1.0 - self._h2[-1]) / np.sqrt(self._curvature))

    def next(self) -> float:
        pairs = list(zip(self._h2, self._slope, strict=True))
        low = max((h2 for h2, slope in pairs if slope > 0.0), default=_ENDS[0])
        high = min((h2 for h2, slope in pairs if slope <= 0.0 and h2 > low), default=_ENDS[1])
        middle = float(expit((logit(low) + logit(high)) / 2.0))
        if self._curvature is None:
            return middle
        step = self._slope[-1] / self._curvature
        longest = self._longest / np.sqrt(self._curvature)
        if abs(step) > longest:
            step = float(np.copysign(longest, step))
            self._longest *= 2.0
        moved = -float(np.expm1(-(_to_line(self._h2[-1]) + step)))
        # As a parabola in h2 the likelihood would then be highest beyond h2 = 1.
        is_beyond = high == _ENDS[1] and (0.5 <= step < longest or low > _NEARLY_ONE)
        if low < moved < high and not is_beyond:
            return moved
        if moved <= low == _ENDS[0] and low not in self._h2:
            return low
        # Nearly singular matrices are the last that are tried.
        is_beyond = is_beyond or moved >= high == _ENDS[1]
        is_last = is_beyond and middle > _NEARLY_ONE and high not in self._h2
        return high if is_last else middle


def _to_line(h2: float) -> float:
    return -float(np.log1p(-h2))


def corrected_curve(curve: Curve, points: tuple[ExactPoint, ...]) -> Curve:
    """``curve``, t to (REML, ML), made to agree with exact points in value and slope.

    What is added is the polynomial of lowest degree in ``tanh((t - t0) / 2)`` that does so, with t0
    the last point: smooth, straight near t0, and bounded where there are no points.  Of points
    closer than 0.3 in t the later one is used, because nothing but rounding errors would decide
    about the polynomial between them; three are used at most.

    Cost: 7 evaluations of the curve for each point.
    """
    kept: list[ExactPoint] = []
    for point in reversed(points):
        if all(abs(point.t - other.t) >= SEPARATION for other in kept):
            kept.append(point)
    kept = kept[:_MOST_KEPT]
    centre = kept[0].t
    rows, wanted = [], []
    for point in kept:
        value, slope = _value_and_slope(curve, point.t)
        v = np.tanh((point.t - centre) / 2.0)
        powers = v ** np.arange(2 * len(kept))
        degree = np.arange(1, 2 * len(kept))
        rows += [powers, np.append(0.0, degree * powers[:-1]) * (1.0 - v**2) / 2.0]
        exact_slope = np.array([point.reml_slope, point.ml_slope])
        wanted += [np.array([point.reml, point.ml]) - value, exact_slope - slope]
    coefficients = np.linalg.solve(np.array(rows), np.array(wanted))

    def corrected(t: float) -> tuple[float, float]:
        reml, ml = curve(t)
        powers = np.tanh((t - centre) / 2.0) ** np.arange(len(coefficients))
        added = powers @ coefficients
        return reml + float(added[0]), ml + float(added[1])

    return corrected


def _value_and_slope(curve: Curve, t: float) -> tuple[FloatArray, FloatArray]:
    """REML and ML of a curve, (2,), and their derivatives by a polynomial through seven points."""
    inside = LOG_RATIO_LIMIT - 3.0 * _DIFFERENCE
    nodes = float(np.clip(t, -inside, inside)) + _DIFFERENCE * np.arange(-3, 4)
    values = np.array([curve(float(node)) for node in nodes])
    at_point = np.array(curve(t))
    slopes = [Polynomial.fit(nodes, v - v[3], 6).deriv()(t) for v in values.T]
    return at_point, np.array(slopes)
