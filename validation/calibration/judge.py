"""Verdicts: what may be chance and what may not.

Every threshold is that of an exact binomial (or normal) interval at a family-wise error of 1 %
over all verdicts of a run, and a margin within which a difference is of no consequence: a test
that plugs in an estimated h2 is exact only in the limit.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

FAMILY_WISE = 0.01
LEVELS = (1e-2, 1e-3, 1e-4, 1e-5)
RATE_MARGIN = 0.05
"""Share by which a rate of false positives may differ from its level."""
BIAS_MARGIN = 0.02
"""Of the mean of h2 from what was simulated: a likelihood is not symmetric, and ends at 0 and 1."""
COVERAGE, COVERAGE_MARGIN = 0.95, 0.02
POWER_MARGIN = 0.02
"""Share of the effects found by the dense model that another mode may miss, or find in excess."""


@dataclass(frozen=True)
class Verdict:
    """One figure: what it is of, what was found with its interval, what was expected."""

    of: str
    found: float
    low: float
    high: float
    expected: float
    stands: bool


def interval(count: float, trials: float, miss: float) -> tuple[float, float]:
    """Clopper and Pearson's interval of a rate; neither number need be whole."""
    low = float(stats.beta.ppf(miss / 2.0, count, trials - count + 1.0)) if count > 0.0 else 0.0
    high = float(stats.beta.ppf(1.0 - miss / 2.0, count + 1.0, trials - count))
    return low, high if count < trials else 1.0


def rejections(of: str, log_p: np.ndarray, level: float, miss: float) -> Verdict:
    """Rate of false positives among p-values (t, m), whose rows are independent.

    Neighbouring variants are no independent trials: the variance of the number of rejections over
    traits against the binomial one says how many trials they are worth.
    """
    traits, m = log_p.shape
    hits = np.count_nonzero(log_p > -np.log10(level), axis=1)
    binomial = m * level * (1.0 - level)
    worth = max(1.0, float(np.var(hits, ddof=1)) / binomial)
    trials = traits * m / worth
    rate = float(hits.mean()) / m
    low, high = interval(rate * trials, trials, miss)
    stands = low <= level * (1.0 + RATE_MARGIN) and high >= level * (1.0 - RATE_MARGIN)
    return Verdict(of, rate, low, high, level, bool(stands))


def bias(of: str, h2: np.ndarray, simulated: float, miss: float) -> Verdict:
    """Mean of estimates against what was simulated."""
    mean = float(h2.mean())
    half = float(stats.norm.isf(miss / 2.0)) * float(h2.std(ddof=1)) / np.sqrt(len(h2))
    stands = abs(mean - simulated) <= BIAS_MARGIN + half
    return Verdict(of, mean, mean - half, mean + half, simulated, bool(stands))


def coverage(of: str, inside: np.ndarray, miss: float) -> Verdict:
    """Share of intervals that hold what was simulated."""
    share = float(inside.mean())
    low, high = interval(float(inside.sum()), len(inside), miss)
    stands = low <= COVERAGE + COVERAGE_MARGIN and high >= COVERAGE - COVERAGE_MARGIN
    return Verdict(of, share, low, high, COVERAGE, bool(stands))


def power(of: str, dense: np.ndarray, other: np.ndarray, miss: float) -> Verdict:
    """Share of effects whose verdict is not that of the dense model, at the same level, (e,) each.

    Expected is none, allowed the margin.
    """
    differs = dense != other
    share = float(differs.mean())
    low, high = interval(float(differs.sum()), len(differs), miss)
    return Verdict(of, share, low, high, 0.0, bool(low <= POWER_MARGIN))
