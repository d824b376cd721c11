"""How well x'P_F x of an approximate factor predicts the exact x'Px, measured on an audit sample.

The ratio of the two is not the same for all variants: it depends on how a variant lies in the
structure of the samples, which shows in its share x'P_F x / x'x, and beyond that varies by chance,
because the bulk of a relationship matrix has full rank.  So the audit sample is spread over the
shares, its extremes included, a broken line through the logarithm of the ratio corrects the
prediction, and the spread around the line, with a quantile far out, is the bound.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from nextlmm.errors import NumericalError
from nextlmm.linalg.covariance import FloatArray

IndexArray = NDArray[np.intp]

STRATA = (0.0, 0.02, 0.1, 0.5, 0.9, 0.98, 1.0)
"""Quantiles of the share between which equally many variants are audited: the ends most densely."""
EXTREMES = 6
"""Variants of the smallest and of the largest share that every audit has, each."""
MISS = 1e-7
"""Probability, per variant, that a deviation exceeds the bound."""
_PER_KNOT = 16  # audited variants for each knot of the broken line
_MOST_KNOTS = 7
_HEAVY_TAILS = 24
"""Degrees of freedom of the quantile at most: a quadratic form has heavier tails than a normal
variable, and neighbours in linkage disequilibrium lie in them together."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """What an audit found.

    knots : (q,) logarithms of the share, ascending, of the broken line; height : (q,) its values.
    spread_at : (q + 1,) standard deviation of the relative error below, between and above knots.
    precision : (q, q) inverse of the normal matrix of the fit.
    quantile : standard deviations that the bound reaches out.
    n_audited : variants with an exact x'Px.
    spread : standard deviation of the relative error over all of them.
    largest : largest relative error among them.
    """

    knots: FloatArray
    height: FloatArray
    spread_at: FloatArray
    precision: FloatArray
    quantile: float
    n_audited: int
    spread: float
    largest: float

    def corrected(self, predicted: FloatArray, share: FloatArray) -> tuple[FloatArray, FloatArray]:
        """X'Px and the bound of its relative error, (m,) each, from x'P_F x and the share."""
        hats = _hats(np.log(share), self.knots)
        leverage = np.einsum("ij,jk,ik->i", hats, self.precision, hats)
        spread = self.spread_at[np.searchsorted(self.knots, np.log(share))]
        value = predicted * np.exp(hats @ self.height)
        return value, np.expm1(self.quantile * spread * np.sqrt(1.0 + leverage))


def choose_audit(share: FloatArray, count: int, rng: np.random.Generator) -> IndexArray:
    """Positions, ascending, of at most ``count`` variants to audit, given the share of all (m,).

    Variants without a share (NaN) are never chosen.
    """
    known = np.flatnonzero(np.isfinite(share))
    if len(known) <= count:
        return known
    ordered = known[np.argsort(share[known], kind="stable")]
    ends = min(EXTREMES, count // 8)
    chosen = [ordered[:ends], ordered[len(ordered) - ends :]]
    middle = ordered[ends : len(ordered) - ends]
    cuts = (np.array(STRATA) * len(middle)).astype(int)
    each = max(1, (count - 2 * ends) // (len(cuts) - 1))
    for start, stop in pairwise(cuts):
        chosen.append(rng.permutation(middle[start:stop])[:each])
    return np.sort(np.concatenate(chosen))


def calibrate(share: FloatArray, predicted: FloatArray, exact: FloatArray) -> Calibration:
    """Calibration from an audit sample: share, x'P_F x and x'Px of each variant, (a,).

    The spread of a part of the line is its own or that of all together, whichever is larger, and
    the quantile is that of Student's t for a new observation, so that few audited variants make a
    wide bound and not a bold one.

    Raises
    ------
    NumericalError
        If fewer than three variants were audited.
    """
    count = len(exact)
    if count < 3:
        raise NumericalError(
            f"the prediction of denominators was audited on {count} variants; expected at least "
            "3; use dense algebra for so few variants (--route dense)"
        )
    at, ratio = np.log(share), np.log(exact / predicted)
    knots = _knots(at)
    hats = _hats(at, knots)
    precision = np.asarray(np.linalg.inv(hats.T @ hats), dtype=np.float64)
    height = precision @ (hats.T @ ratio)
    deviation = ratio - hats @ height
    df = count - len(knots)
    pooled = float(np.sqrt(np.sum(deviation**2) / df))
    part = np.searchsorted(knots, at)
    size = np.bincount(part, minlength=len(knots) + 1)
    squares = np.bincount(part, weights=deviation**2, minlength=len(knots) + 1)
    own = np.sqrt(squares / np.maximum(size - 1, 1))
    return Calibration(
        knots=knots,
        height=height,
        spread_at=np.maximum(own, pooled),
        precision=precision,
        quantile=-float(stdtrit(min(df, _HEAVY_TAILS), MISS / 2.0)),  # upper, by symmetry
        n_audited=count,
        spread=pooled,
        largest=float(np.abs(np.expm1(deviation)).max()),
    )


def _knots(at: FloatArray) -> FloatArray:
    """Places where the line may bend, as many audited variants between any two of them."""
    count = min(_MOST_KNOTS, len(at) // _PER_KNOT)
    if count < 2 or not np.ptp(at) > 0.0:
        return np.array([float(np.mean(at))])
    knots = np.unique(np.quantile(at, np.linspace(0.0, 1.0, count)))
    return knots if len(knots) > 1 else np.array([float(np.mean(at))])


def _hats(at: FloatArray, knots: FloatArray) -> FloatArray:
    """Values (m, q) of the piecewise linear functions that are 1 at one knot; constant outside."""
    if len(knots) == 1:
        return np.ones((len(at), 1))
    right = np.clip(np.searchsorted(knots, at), 1, len(knots) - 1)
    width = knots[right] - knots[right - 1]
    weight = np.clip((at - knots[right - 1]) / width, 0.0, 1.0)
    hats = np.zeros((len(at), len(knots)))
    rows = np.arange(len(at))
    hats[rows, right - 1], hats[rows, right] = 1.0 - weight, weight
    return hats
