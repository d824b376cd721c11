"""The maximum of a profile likelihood on a line: where, how sharp, and the interval around it.

The line is t = log(h2 / (1 - h2)), the logarithm of the ratio of the two variances.  There the
profile is a sum of terms log(d + e^-t), analytic in the strip |Im t| < pi, so a polynomial through
a few points a fraction of a unit apart gives position and curvature to many digits, with far fewer
factorisations than a search for six digits needs, and smooths rounding noise on the way.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import Polynomial
from scipy.special import expit

from nextlmm.errors import ConvergenceError
from nextlmm.linalg.covariance import FloatArray
from nextlmm.lmm.root import root_between

LOG_RATIO_LIMIT = 5.0 * float(np.log(10.0))  # variance ratios from 1e-5 to 1e5, as in GEMMA
GRID = np.linspace(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT, 11)
STEP = 0.15  # of the lattice on which the final polynomials are laid, whatever is maximised
MAX_MOVES = 40
INTERVAL_TOLERANCE = 1e-3
FLAT = 1e-9  # relative variation of a profile below which only rounding is left

Function = Callable[[float], float]


@dataclass(frozen=True)
class Maximum:
    """A maximum on the line.

    t, value : its position and height.
    curvature : second derivative at an interior maximum, None at an end of the line.
    boundary : "lower" or "upper" if the maximum is an end of the line.
    """

    t: float
    value: float
    curvature: float | None
    boundary: str | None


def maximise(function: Function) -> Maximum:
    """The highest maximum of a smooth ``function`` over [-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT].

    Every local maximum on a grid of eleven points is refined, so a profile with several maxima is
    handled.  Cost: about 11 + 2 + 7 + 1 evaluations if there is one.

    Raises
    ------
    ConvergenceError
        If the function is flat, or the refinement does not settle, which a smooth function cannot
        cause.
    """
    values = np.array([function(t) for t in GRID])
    _check_not_flat(values)
    padded = np.concatenate(([-np.inf], values, [-np.inf]))
    peaks = np.flatnonzero((padded[1:-1] >= padded[:-2]) & (padded[1:-1] > padded[2:]))
    return max((_refine(function, values, int(i)) for i in peaks), key=lambda found: found.value)


def _check_not_flat(values: FloatArray) -> None:
    """Refuse a profile that says nothing, as that of an identity matrix."""
    if float(np.ptp(values)) > FLAT * (1.0 + float(np.abs(values).max())):
        return
    raise ConvergenceError(
        "the model has the same likelihood at every heritability (it varies by "
        f"{np.ptp(values):.1g} over the whole range), so that none can be estimated; expected a "
        "relationship matrix that differs from the identity; check it, or use a linear model"
    )


def crossings(function: Function, maximum: Maximum, drop: float, known: FloatArray) -> FloatArray:
    """The two ends, (2,), of the region where ``function`` is within ``drop`` of its maximum.

    An end that lies beyond the line is returned as an infinity.  ``known`` are positions where the
    function has been evaluated already; they bracket the ends.
    """

    def excess(t: float) -> float:
        # square root of the drop: nearly linear in t, so that the search takes few steps
        below = max(maximum.value - function(t), 0.0)
        return float(np.sqrt(drop) - np.sqrt(below))

    t = np.unique(known[np.abs(known) <= LOG_RATIO_LIMIT])
    inside = np.flatnonzero([excess(x) >= 0.0 for x in t])
    ends = np.array([-np.inf, np.inf])
    if inside[0] > 0:
        ends[0] = _root(excess, t[inside[0] - 1], t[inside[0]])
    if inside[-1] < len(t) - 1:
        ends[1] = _root(excess, t[inside[-1]], t[inside[-1] + 1])
    return ends


def _root(function: Function, low: float, high: float) -> float:
    return root_between(function, low, high, tolerance=INTERVAL_TOLERANCE)


def _refine(function: Function, values: FloatArray, peak: int) -> Maximum:
    """The maximum between the neighbours of a grid point that is not below them."""
    if peak == 0 and function(-LOG_RATIO_LIMIT + STEP) <= values[0]:
        return Maximum(-LOG_RATIO_LIMIT, float(values[0]), None, "lower")
    if peak == len(GRID) - 1 and function(LOG_RATIO_LIMIT - STEP) <= values[-1]:
        return Maximum(LOG_RATIO_LIMIT, float(values[-1]), None, "upper")
    nodes = np.linspace(GRID[max(peak - 1, 0)], GRID[min(peak + 1, len(GRID) - 1)], 5)
    centre, half = nodes[2], nodes[3] - nodes[2]
    move, _ = _peak_of_polynomial(np.array([function(float(t)) for t in nodes]))
    return _polish(function, round(float(centre + half * move) / STEP))


def _polish(function: Function, centre: int) -> Maximum:
    """Maximum of the polynomial through seven lattice points, moved until it is central."""
    for _ in range(MAX_MOVES):
        values = np.array([function(STEP * (centre + k)) for k in range(-3, 4)])
        move, curvature = _peak_of_polynomial(values)
        if abs(move) <= 1.0 and curvature < 0.0:
            t = STEP * (centre + move)
            return Maximum(t, function(t), curvature / STEP**2, None)
        centre += round(move)
    raise ConvergenceError(
        f"the profile likelihood has no clear maximum near h2 = {expit(STEP * centre):.6g} after "
        f"{MAX_MOVES} attempts; expected a smooth curve; check the relationship matrix, or use "
        "the method of moments"
    )


def _peak_of_polynomial(values: FloatArray) -> tuple[float, float]:
    """Position, in steps from the middle value, and curvature of the polynomial through all."""
    half = len(values) // 2
    at = np.arange(-half, half + 1)
    curve = Polynomial.fit(at, values - values.max(), len(values) - 1).convert()
    roots = curve.deriv().roots()
    real = roots[np.abs(roots.imag) < 1e-9].real
    real = np.append(real[np.abs(real) <= half], at[np.argmax(values)])
    best = float(real[np.argmax(curve(real))])
    return best, float(curve.deriv(2)(best))
