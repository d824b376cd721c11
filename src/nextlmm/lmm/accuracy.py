"""How well samples are predicted without themselves, and how well that itself is known.

Where the leave-one-out formula is exact for some samples, drawn at random, and predicted for all,
the mean of any quantity z over all samples is that of its predictions z~, corrected by what the
drawn samples D show::

    mean(z) = mean over all of z~  +  mean over D of (z - z~)

which is unbiased whatever the predictions are worth; its variance is (1 - s/n) var(z - z~) / s.
The correlation and the mean squared errors follow from the means of products, and their errors by
their derivatives.

Source: the difference estimator of survey sampling (Sarndal, Swensson and Wretman 1992, 6.3).
"""

from dataclasses import dataclass

import numpy as np

from nextlmm.linalg.covariance import FloatArray
from nextlmm.lmm.leave_one_out import LeaveOneOut

_NO_PREDICTION = 1e-10  # of the trait: genetic values that are nothing but rounding


@dataclass(frozen=True)
class Accuracy:
    """How well samples are predicted without themselves.

    Attributes
    ----------
    samples : how many can be; ``solved``, of how many of these the formula is exact.
    correlation : of the genetic value with the trait less covariates, both without the sample
        itself; None where the genetic values do not vary.  (With a mean in common, samples would
        seem to be predicted at random or worse.)
    correlation_se : its standard error as that of a correlation of independent normal pairs.
    correlation_error : standard error that comes of predicting the formula, 0 where it is exact.
    mean_squared_error, mean_squared_error_error : of the trait, and its error of the same kind.
    mean_squared_error_covariates : of the trait by the covariates alone.
    """

    samples: int
    solved: int
    correlation: float | None
    correlation_se: float | None
    correlation_error: float | None
    mean_squared_error: float
    mean_squared_error_error: float
    mean_squared_error_covariates: float


def accuracy(
    found: LeaveOneOut, exact: LeaveOneOut | None = None, drawn: np.ndarray | None = None
) -> Accuracy:
    """The accuracy of leave-one-out predictions.

    Parameters
    ----------
    found : all samples, (n,).
    exact : the samples ``drawn`` (s,), at random from those that are known, by the exact formula;
        None where ``found`` is exact.
    """
    known = found.is_known
    n = int(known.sum())
    centre = float(found.adjusted[known].mean()), float(found.genetic[known].mean())
    cheap = _products(found, centre)
    mean, covariance, solved = cheap[known].mean(axis=0), np.zeros((5, 5)), n
    if exact is not None and drawn is not None:
        difference = _products(exact, centre) - cheap[drawn]
        mean = mean + difference.mean(axis=0)
        solved = len(drawn)
        if solved < n:
            share = 1.0 - solved / n
            covariance = share / solved * np.atleast_2d(np.cov(difference, rowvar=False))
    a, g, aa, gg, ag = mean.tolist()
    shift = centre[0] - centre[1]
    # d = a - g; centring took a constant out of each, which comes back here.
    squared = aa + gg - 2.0 * ag + 2.0 * shift * (a - g) + shift**2
    slope = np.array([2.0 * shift, -2.0 * shift, 1.0, 1.0, -2.0])
    varies = np.ptp(found.genetic[known]) > _NO_PREDICTION * np.ptp(found.adjusted[known])
    correlation, error = _correlation(mean, covariance) if varies else (None, None)
    return Accuracy(
        samples=n,
        solved=solved,
        correlation=correlation,
        correlation_se=None
        if correlation is None
        else (1.0 - correlation**2) / float(np.sqrt(n - 1.0)),
        correlation_error=error,
        mean_squared_error=squared,
        mean_squared_error_error=_error(slope, covariance),
        mean_squared_error_covariates=aa + 2.0 * centre[0] * a + centre[0] ** 2,
    )


def _products(found: LeaveOneOut, centre: tuple[float, float]) -> FloatArray:
    """a, g, a^2, g^2 and a g of every sample, (n, 5), each of the two less a constant."""
    a, g = found.adjusted - centre[0], found.genetic - centre[1]
    return np.column_stack([a, g, a * a, g * g, a * g])


def _correlation(mean: FloatArray, covariance: FloatArray) -> tuple[float | None, float | None]:
    """The correlation of means of products, and its error."""
    a, g, aa, gg, ag = mean.tolist()
    of_a, of_g = aa - a * a, gg - g * g
    if min(of_a, of_g) <= 0.0:  # less than the correction of their means by the drawn samples
        return None, None
    scale = float(np.sqrt(of_a * of_g))
    r = (ag - a * g) / scale
    slope = [
        -g / scale + r * a / of_a,
        -a / scale + r * g / of_g,
        -0.5 * r / of_a,
        -0.5 * r / of_g,
        1.0 / scale,
    ]
    return r, _error(np.array(slope), covariance)


def _error(slope: FloatArray, covariance: FloatArray) -> float:
    return float(np.sqrt(slope @ covariance @ slope))
