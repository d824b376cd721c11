"""Exact points, the search along their slopes, and corrected curves, against the textbook.

Tolerances.  A factor in single precision is exact for a matrix that differs from Sigma by some
n U |Sigma| with U = 2^-24 (Higham 2002, theorem 10.3), and whatever is computed from it by n U
times the condition number of Sigma; that is the worst case, which n = 90 does not come near.
"""

import numpy as np
import pytest
from scipy.special import expit, logit

from nextlmm.errors import NextlmmError
from nextlmm.linalg.dense import weighted_with_identity
from nextlmm.linalg.packed import PackedCovariance, pack
from nextlmm.lmm.design import make_design
from nextlmm.lmm.estimate import estimate_null_dense
from nextlmm.lmm.polish import (
    MOST_POINTS,
    TOLERANCE,
    ExactPoint,
    corrected_curve,
    exact_point,
    polish,
)
from nextlmm.lmm.profile import LOG_RATIO_LIMIT
from nextlmm.testing import reference

from .cohorts import small_cohort

U = 2.0**-24
N = 90


def textbook(cohort, t):
    """REML and ML at t."""
    h2 = float(expit(t))
    return tuple(
        reference.log_likelihood(cohort.y, cohort.covariates, cohort.k, h2, reml=reml)
        for reml in (True, False)
    )


def evaluation(cohort):
    design = make_design(cohort.covariates)
    covariance = PackedCovariance(pack(cohort.k))
    return lambda h2: exact_point(covariance.factor(h2), cohort.y, design, h2)


@pytest.mark.parametrize("h2", [1e-5, 0.01, 0.3, 0.76, 0.95])
@pytest.mark.parametrize("seed", [1, 2])
def test_exact_point__is_the_textbook(seed, h2):
    cohort = small_cohort(seed, n=N, h2=0.6)
    point = evaluation(cohort)(h2)
    condition = N * U * np.linalg.cond(weighted_with_identity(cohort.k, h2))
    assert point.t == pytest.approx(logit(h2), abs=1e-12)
    assert point.h2 == pytest.approx(h2, rel=1e-12)
    reml, ml = textbook(cohort, point.t)
    assert point.reml == pytest.approx(reml, abs=N * condition)
    assert point.ml == pytest.approx(ml, abs=N * condition)
    sigma = weighted_with_identity(cohort.k, h2)
    p = reference.projection(cohort.covariates, sigma)
    change = h2 * (1.0 - h2) * (cohort.k - np.eye(N))  # dSigma / dt
    py = p @ cohort.y
    for slope, inverse, df in (
        (point.reml_slope, p, N - 2),
        (point.ml_slope, np.linalg.inv(sigma), N),
    ):
        form = py @ change @ py / (cohort.y @ py)
        expected = 0.5 * (df * form - np.trace(inverse @ change))
        assert slope == pytest.approx(expected, abs=N * condition)
    assert (point.slope("reml"), point.slope("ml")) == (point.reml_slope, point.ml_slope)


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("shift", [0.0, 0.1, -1.0, 3.0])
def test_polish__finds_the_exact_estimate(method, shift):
    cohort = small_cohort(1, n=N, h2=0.6)
    null = estimate_null_dense(cohort.y, cohort.covariates, cohort.k, method=method)
    start = float(np.clip(null.h2 + shift * null.h2_se, 0.05, 0.95))
    found = polish(start, null.h2_se, evaluation(cohort), method=method)
    assert found.boundary is None
    assert found.step_in_se <= TOLERANCE
    assert abs(found.h2 - null.h2) <= 2 * TOLERANCE * null.h2_se
    assert found.h2 == found.points[-1].h2
    assert len(found.points) <= (3 if abs(shift) <= 0.1 else 7)


def test_polish__gives_the_standard_error_of_the_curvature():
    cohort = small_cohort(1, n=N, h2=0.6)
    null = estimate_null_dense(cohort.y, cohort.covariates, cohort.k, method="reml")
    found = polish(null.h2 + 0.2 * null.h2_se, 3.0 * null.h2_se, evaluation(cohort))
    # A secant over a fifth of a standard error, of a curve that is not a parabola.
    assert found.standard_error == pytest.approx(null.h2_se, rel=0.2)


@pytest.mark.parametrize(("h2", "side"), [(0.0, "lower"), (1.0, "upper")])
def test_polish__agrees_on_the_ends_of_the_line(h2, side):
    ends = 0
    for seed in range(12):
        cohort = small_cohort(seed, n=60, h2=h2)
        null = estimate_null_dense(cohort.y, cohort.covariates, cohort.k, method="reml")
        if null.h2_boundary != side:
            continue
        ends += 1
        found = polish(null.h2, None, dense_evaluation(cohort))
        assert found.boundary == side
        assert found.h2 == pytest.approx(null.h2, rel=1e-9)
        assert (found.standard_error, found.step_in_se) == (None, 0.0)
        assert len(found.points) == 1
        towards = polish(0.1 if side == "lower" else 0.9, 0.1, dense_evaluation(cohort))
        assert towards.boundary == side
    assert ends


def dense_evaluation(cohort):
    """Points by differences of the textbook likelihood; single precision fails near h2 = 1."""

    def evaluate(h2):
        t, step = float(logit(h2)), 1e-3
        below, at, above = (np.array(textbook(cohort, t + k * step)) for k in (-1, 0, 1))
        return ExactPoint(t, *at, *((above - below) / (2.0 * step)))

    return evaluate


def test_polish__leaves_an_end_where_the_likelihood_does_not_rise_to_it():
    cohort = small_cohort(1, n=N, h2=0.6)
    null = estimate_null_dense(cohort.y, cohort.covariates, cohort.k, method="reml")
    for start in (float(expit(-LOG_RATIO_LIMIT)), float(expit(LOG_RATIO_LIMIT))):
        found = polish(start, None, dense_evaluation(cohort))
        assert found.boundary is None
        assert abs(found.h2 - null.h2) <= max(found.step_in_se, 2 * TOLERANCE) * null.h2_se


def scripted(slope):
    def evaluate(h2):
        t = float(logit(h2))
        return ExactPoint(t, 0.0, 0.0, slope(t), slope(t))

    return evaluate


@pytest.mark.parametrize("power", [0.7, 1.0, 1.5])
@pytest.mark.parametrize("root", [-0.5, 0.4, 1.5])
@pytest.mark.parametrize("start", [0.3, 0.7])
def test_polish__stays_between_slopes_of_different_signs(root, power, start):
    def slope(t):
        return 4.0 * float(np.sign(root - t)) * abs(root - t) ** power * expit(t) * expit(-t)

    found = polish(start, 0.15, scripted(slope))
    assert len(found.points) <= MOST_POINTS
    assert abs(found.points[-1].t - root) < 0.2


def test_polish__is_not_led_astray_by_rounding():
    rng = np.random.default_rng(0)

    def noisy(t):
        return 25.0 * (0.3 - t) + 5.0 * 0.001 * rng.standard_normal()  # 0.001 standard errors

    for start in (0.3, 0.0, 0.55):
        h2 = float(expit(0.3 + start))
        found = polish(h2, h2 * (1 - h2) / 5.0, scripted(noisy))
        assert abs(found.points[-1].t - 0.3) * 5.0 < 0.006


def smooth_error(t):
    return 0.4 + 0.3 * np.tanh(t / 3.0), -0.2 + 0.25 * np.sin(t / 5.0)


def test_corrected_curve__agrees_at_the_points():
    cohort = small_cohort(1, n=N, h2=0.6)

    def curve(t):
        return tuple(a + b for a, b in zip(textbook(cohort, t), smooth_error(t), strict=True))

    evaluate = dense_evaluation(cohort)
    points = tuple(evaluate(float(expit(t))) for t in (1.4, 0.0, 0.5))
    corrected = corrected_curve(curve, points)
    step = 1e-3
    for point in points:
        below, at, above = (np.array(corrected(point.t + k * step)) for k in (-1, 0, 1))
        np.testing.assert_allclose(at, [point.reml, point.ml], atol=1e-8)
        # Slopes by central differences and by seven points: step^2 of third derivatives.
        np.testing.assert_allclose(
            (above - below) / (2 * step), [point.reml_slope, point.ml_slope], atol=1e-4
        )
    grid = np.linspace(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT, 31)
    left = np.array([np.subtract(corrected(t), textbook(cohort, t)) for t in grid])
    assert np.abs(left).max() < 2.0  # no likelihood of its own where there are no points
    near = [np.subtract(corrected(t), textbook(cohort, t)) for t in np.linspace(0.0, 1.0, 5)]
    assert np.abs(near).max() < 1e-3


def test_corrected_curve__uses_the_later_of_two_near_points():
    def curve(t):
        return -((t - 1.0) ** 2), -(t**2)

    first = ExactPoint(0.50, 99.0, 99.0, 99.0, 99.0)
    last = ExactPoint(0.55, 1.0, 2.0, 3.0, 4.0)
    corrected = corrected_curve(curve, (first, last))
    np.testing.assert_allclose(corrected(0.55), (1.0, 2.0), atol=1e-12)
    assert np.abs(corrected(0.5)).max() < 3.0


@pytest.mark.parametrize("end", [-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT])
def test_corrected_curve__does_not_look_beyond_the_line(end):
    def curve(t):
        assert abs(t) <= LOG_RATIO_LIMIT
        return float(np.tanh(t / 4.0)), 0.0

    slope = 0.25 / np.cosh(end / 4.0) ** 2
    value = float(np.tanh(end / 4.0))
    corrected = corrected_curve(curve, (ExactPoint(end, value + 1.0, 0.0, slope, 0.0),))
    for t in (end, end / 2.0, 0.0):
        assert corrected(t)[0] == pytest.approx(curve(t)[0] + 1.0, abs=1e-6)


def test_exact_point__passes_on_that_single_precision_does_not_do():
    cohort = small_cohort(1, n=N, m=20)
    design = make_design(cohort.covariates)
    covariance = PackedCovariance(pack(cohort.k - 1e-3 * np.eye(N)))
    with pytest.raises(NextlmmError, match="double precision"):
        exact_point(covariance.factor(0.9999), cohort.y, design, 0.9999)
