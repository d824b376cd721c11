import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.linalg.dense import DenseCovariance
from nextlmm.linalg.spectral import spectral_covariance
from nextlmm.lmm.design import make_design
from nextlmm.lmm.likelihood import whiten_trait
from nextlmm.testing import reference

from .cohorts import small_cohort


def whitened(cohort, h2, covariance=DenseCovariance):
    factor = covariance(cohort.k).factor(weight=h2)
    return whiten_trait(factor, cohort.y, make_design(cohort.covariates), h2=h2)


@pytest.mark.parametrize("covariance", [DenseCovariance, spectral_covariance])
@pytest.mark.parametrize("h2", [0.0, 1e-5, 0.3, 0.97, 0.99999])
@pytest.mark.parametrize("reml", [True, False])
def test_log_likelihood__is_the_textbook_one(covariance, h2, reml):
    cohort = small_cohort(3)
    fit = whitened(cohort, h2, covariance)
    value = fit.log_likelihood_reml if reml else fit.log_likelihood_ml
    expected = reference.log_likelihood(cohort.y, cohort.covariates, cohort.k, h2, reml=reml)
    # condition of Sigma times rounding, relative to a likelihood of order n
    assert value == pytest.approx(expected, abs=60 * 1e-15 / (1.0 - h2) * 1e2)


def test_effect__is_generalised_least_squares():
    cohort = small_cohort(4, extra_covariates=2)
    h2 = 0.4
    fit = whitened(cohort, h2)
    c, sigma = cohort.covariates, h2 * cohort.k + (1.0 - h2) * np.eye(60)
    information = c.T @ np.linalg.solve(sigma, c)
    effect = np.linalg.solve(information, c.T @ np.linalg.solve(sigma, cohort.y))
    np.testing.assert_allclose(fit.effect, effect, rtol=1e-9)
    scale = np.sqrt(np.diag(np.linalg.inv(information)))
    np.testing.assert_allclose(fit.effect_scale, scale, rtol=1e-9)
    residual = cohort.y - c @ effect
    assert fit.ypy == pytest.approx(residual @ np.linalg.solve(sigma, residual), rel=1e-10)


@given(st.integers(0, 10**6), st.floats(-3, 3))
def test_log_likelihood__ignores_the_basis_of_the_covariates(seed, log_scale):
    cohort = small_cohort(5, n=40, extra_covariates=2)
    rng = np.random.default_rng(seed)
    mix = np.triu(rng.uniform(0.5, 2.0, (3, 3))) * 10.0**log_scale
    design = make_design(cohort.covariates @ mix)
    factor = DenseCovariance(cohort.k).factor(weight=0.5)
    one = whitened(cohort, 0.5)
    other = whiten_trait(factor, cohort.y, design, h2=0.5)
    assert other.log_likelihood_reml == pytest.approx(one.log_likelihood_reml, abs=1e-9)
    assert other.log_likelihood_ml == pytest.approx(one.log_likelihood_ml, abs=1e-9)
    np.testing.assert_allclose(mix @ other.effect, one.effect, rtol=1e-8)
