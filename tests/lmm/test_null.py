import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from nextlmm.errors import NotPositiveDefiniteError, TraitError, UsageError
from nextlmm.linalg.dense import DenseCovariance
from nextlmm.linalg.spectral import spectral_covariance
from nextlmm.lmm.null import fit_null
from nextlmm.testing import reference

from .cohorts import small_cohort


def log_likelihood(cohort, h2, method):
    reml = method == "reml"
    return reference.log_likelihood(cohort.y, cohort.covariates, cohort.k, h2, reml=reml)


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("covariance", [DenseCovariance, spectral_covariance])
@pytest.mark.parametrize("seed", [1, 2, 5])
def test_fit_null__is_the_textbook_estimate(seed, covariance, method):
    cohort = small_cohort(seed, n=90, h2=0.6)
    null = fit_null(cohort.y, cohort.covariates, covariance(cohort.k), method=method)
    expected = {
        name: reference.estimate_h2(cohort.y, cohort.covariates, cohort.k, reml=name == "reml")
        for name in ("reml", "ml")
    }
    assert null.h2_boundary is None
    assert null.h2 == pytest.approx(expected[method], abs=1e-6)
    assert null.h2_reml == pytest.approx(expected["reml"], abs=1e-6)
    assert null.h2_ml == pytest.approx(expected["ml"], abs=1e-6)
    for name, value in (("reml", null.log_likelihood_reml), ("ml", null.log_likelihood_ml)):
        assert value == pytest.approx(log_likelihood(cohort, null.h2, name), abs=1e-8)
    sigma = null.h2 * cohort.k + (1.0 - null.h2) * np.eye(90)
    df = 90 if method == "ml" else 88
    sigma2 = reference.residual_sum(cohort.y, cohort.covariates, sigma) / df
    assert null.sigma_g2 == pytest.approx(null.h2 * sigma2, rel=1e-8)
    assert null.sigma_e2 == pytest.approx((1.0 - null.h2) * sigma2, rel=1e-8)


@pytest.mark.parametrize("method", ["reml", "ml"])
def test_fit_null__standard_error_is_the_curvature(method):
    cohort = small_cohort(1, n=90, h2=0.6)
    null = fit_null(cohort.y, cohort.covariates, DenseCovariance(cohort.k), method=method)
    step = 1e-3
    values = [log_likelihood(cohort, null.h2 + k * step, method) for k in (-2, -1, 0, 1, 2)]
    second = (np.array([-1, 16, -30, 16, -1]) @ values) / (12 * step**2)
    assert null.h2_se == pytest.approx(1.0 / np.sqrt(-second), rel=1e-4)


def test_fit_null__interval_is_the_profile_likelihood_interval():
    cohort = small_cohort(1, n=90, h2=0.6)
    null = fit_null(cohort.y, cohort.covariates, DenseCovariance(cohort.k))

    def excess(h2):
        return log_likelihood(cohort, h2, "reml") - null.log_likelihood + 0.5 * 3.841458820694124

    low = optimize.brentq(excess, 0.01, null.h2)
    high = optimize.brentq(excess, null.h2, 1 - 1e-6) if excess(1 - 1e-6) < 0 else 1.0
    assert null.h2_interval == pytest.approx((low, high), abs=3e-4)


@pytest.mark.parametrize(("h2", "side", "end"), [(0.0, "lower", 0), (1.0, "upper", 1)])
def test_fit_null__boundary_is_flagged(h2, side, end):
    found = []
    for seed in range(12):
        cohort = small_cohort(seed, n=60, h2=h2)
        null = fit_null(cohort.y, cohort.covariates, DenseCovariance(cohort.k))
        assert 0.0 <= null.h2 <= 1.0
        if null.h2_boundary is not None:
            found.append(null)
    assert found
    for null in found:
        assert null.h2_boundary == side
        assert null.h2_se is None
        assert null.h2_interval[end] == end
        assert f"{side} end" in null.warnings[0]


def test_fit_null__given_h2_is_taken():
    cohort = small_cohort(2)
    null = fit_null(cohort.y, cohort.covariates, DenseCovariance(cohort.k), method="he", h2=0.25)
    assert (null.h2, null.h2_ml, null.h2_reml, null.method) == (0.25, 0.25, 0.25, "he")
    assert null.h2_se is None
    assert null.h2_interval is None
    assert null.profile == ((0.25, null.log_likelihood),)
    assert null.log_likelihood == pytest.approx(log_likelihood(cohort, 0.25, "reml"), abs=1e-9)


def test_fit_null__few_factorisations():
    cohort = small_cohort(1, n=90, h2=0.6)

    class Counted(DenseCovariance):
        def factor(self, weight):
            weights.append(weight)
            return super().factor(weight)

    weights = []
    fit_null(cohort.y, cohort.covariates, Counted(cohort.k))
    assert len(weights) <= 40


@given(st.integers(0, 10**6), st.floats(-4, 4), st.floats(-1e3, 1e3))
def test_fit_null__permutation_and_units_of_the_trait(seed, log_scale, shift):
    cohort = small_cohort(7, n=40)
    order = np.random.default_rng(seed).permutation(40)
    scale = 10.0**log_scale
    one = fit_null(cohort.y, cohort.covariates, spectral_covariance(cohort.k))
    other = fit_null(
        (scale * (cohort.y + shift))[order],
        cohort.covariates[order],
        spectral_covariance(cohort.k[np.ix_(order, order)]),
    )
    assert other.h2 == pytest.approx(one.h2, abs=1e-6)
    assert other.sigma_g2 == pytest.approx(scale**2 * one.sigma_g2, rel=1e-5)
    assert other.beta[1:] == pytest.approx(scale * one.beta[1:], rel=1e-5)


@pytest.mark.parametrize("offset", [1e9, 1e12])
def test_fit_null__an_offset_of_the_trait_is_an_effect_of_the_intercept(offset):
    cohort = small_cohort(7, n=40)
    shifted = offset + cohort.y
    plain = shifted - offset  # exact, so that both hold the same digits
    covariance = spectral_covariance(cohort.k)
    one, other = (fit_null(y, cohort.covariates, covariance) for y in (plain, shifted))
    assert other.h2 == pytest.approx(one.h2, rel=1e-9)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-12)
    assert other.beta[1:] == pytest.approx(one.beta[1:], rel=1e-9)
    assert other.beta[0] == pytest.approx(offset + one.beta[0], rel=1e-14)


def test_fit_null__an_offset_of_a_covariate_is_an_effect_of_the_intercept():
    cohort = small_cohort(7, n=40)
    shifted = cohort.covariates + np.array([0.0, 1e9])
    plain = shifted - [0.0, 1e9]
    covariance = spectral_covariance(cohort.k)
    one, other = (fit_null(cohort.y, c, covariance) for c in (plain, shifted))
    assert other.h2 == pytest.approx(one.h2, rel=1e-8)
    assert other.beta[1] == pytest.approx(one.beta[1], rel=1e-8)


def test_null_model__prints_as_one_line():
    cohort = small_cohort(2)
    text = repr(fit_null(cohort.y, cohort.covariates, DenseCovariance(cohort.k)))
    assert text.startswith("NullModel(reml, n = 60, 2 covariates, h2 = 0.")
    assert "\n" not in text
    assert len(text) < 150


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y[:-1], "shape \\(59,\\)"),
        (lambda y: np.where(np.arange(60) == 3, np.nan, y), "nan for sample 4"),
        (lambda y: np.full(60, 7.0), "constant or a linear combination"),
        (lambda y: 1e-200 * y, "spans .*e-200"),
        (lambda y: 1e200 * y, "spans .*e.200"),
    ],
)
def test_fit_null__refuses_traits(change, message):
    cohort = small_cohort(2)
    with pytest.raises(TraitError, match=message):
        fit_null(change(cohort.y), cohort.covariates, DenseCovariance(cohort.k))


@pytest.mark.parametrize("h2", [-0.1, 1.0, np.nan])
def test_fit_null__refuses_a_given_h2_out_of_range(h2):
    cohort = small_cohort(2)
    with pytest.raises(UsageError, match="at least 0 and below 1"):
        fit_null(cohort.y, cohort.covariates, DenseCovariance(cohort.k), h2=h2)


def test_fit_null__moments_need_their_estimate():
    cohort = small_cohort(2)
    with pytest.raises(UsageError, match="haseman_elston"):
        fit_null(cohort.y, cohort.covariates, DenseCovariance(cohort.k), method="he")


def test_fit_null__an_indefinite_matrix_is_an_error():
    cohort = small_cohort(2)
    with pytest.raises(NotPositiveDefiniteError):
        fit_null(cohort.y, cohort.covariates, DenseCovariance(cohort.k - 0.5 * np.eye(60)))
