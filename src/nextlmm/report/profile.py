"""The profile likelihood of the heritability as a curve."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

FloatArray = NDArray[np.float64]

DEEPEST = 4.0
"""Units of log-likelihood below the maximum that a profile is drawn to."""

_CURVE = 201


@dataclass(frozen=True, eq=False)
class ProfileCurve:
    """A profile likelihood near its maximum, as log-likelihoods below that, 0 or less.

    Attributes
    ----------
    span : heritabilities between which it is drawn.
    h2, drop : (k,) the curve.
    evaluated_h2, evaluated_drop : (p,) where it was computed.
    """

    span: tuple[float, float]
    h2: FloatArray
    drop: FloatArray
    evaluated_h2: FloatArray
    evaluated_drop: FloatArray


def profile_curve(
    h2: float, log_likelihood: float, profile: Sequence[Sequence[float]]
) -> ProfileCurve | None:
    """The curve through a profile of (h2, log-likelihood); None if it was not searched.

    Between the heritabilities where it was evaluated the square root of its drop is taken to be
    linear in log(h2 / (1 - h2)), in which the interval was found too.

    Parameters
    ----------
    h2, log_likelihood : the estimate and its log-likelihood.
    profile : at least three points inside (0, 1), ascending.
    """
    inner = [(at, value) for at, value in profile if 0.0 < at < 1.0]
    if len(inner) < 3:
        return None
    t, value = logit(np.array([at for at, _ in inner])), np.array([v for _, v in inner])
    best = float(logit(min(max(h2, 1e-9), 1 - 1e-9)))
    highest = max(float(value.max()), log_likelihood)
    root = np.sign(t - best) * np.sqrt(np.maximum(highest - value, 0.0))
    if not np.any(t == best):
        at = int(np.searchsorted(t, best))
        t, root = np.insert(t, at, best), np.insert(root, at, 0.0)
    fine = np.linspace(t[0], t[-1], 4001)
    shown = fine[np.abs(np.interp(fine, t, root)) <= math.sqrt(DEEPEST)]
    low, high = _padded(float(expit(shown[0])), float(expit(shown[-1])))
    grid = np.clip(np.linspace(low, high, _CURVE), expit(t[0]), expit(t[-1]))
    drop = -(np.interp(logit(grid), t, root) ** 2)
    return ProfileCurve((low, high), grid, drop, expit(t), -(root**2))


def _padded(low: float, high: float) -> tuple[float, float]:
    margin = 0.05 * (high - low)
    return max(0.0, low - margin), min(1.0, high + margin)
