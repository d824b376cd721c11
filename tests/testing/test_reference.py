"""The specification itself, against formulas that share even less with it."""

import numpy as np
import pytest
from scipy import stats

from nextlmm.testing import reference

from ..lmm.cohorts import small_cohort


def test_relationship_matrix__each_entry_from_its_formula():
    dosage = np.array([[0.0, 1.0, 2.0], [1.0, np.nan, 2.0], [2.0, 0.0, 2.0]])
    k = reference.relationship_matrix(dosage)
    first, second = np.array([-1.0, 0.0, 1.0]), np.array([0.5, 0.0, -0.5])
    z = np.column_stack((first / first.std(), second / second.std()))
    expected = z @ z.T
    np.testing.assert_allclose(k, expected / np.mean(np.diag(expected)), atol=1e-12)
    assert np.mean(np.diag(reference.relationship_matrix(dosage, standardized=False))) == 1.0


@pytest.mark.parametrize("h2", [0.0, 0.4, 0.9])
def test_log_likelihood__ml_is_the_normal_density(h2):
    cohort = small_cohort(31, n=25)
    sigma = h2 * cohort.k + (1.0 - h2) * np.eye(25)
    c = cohort.covariates
    effect = np.linalg.solve(
        c.T @ np.linalg.solve(sigma, c), c.T @ np.linalg.solve(sigma, cohort.y)
    )
    sigma2 = reference.residual_sum(cohort.y, c, sigma) / 25
    density = stats.multivariate_normal(c @ effect, sigma2 * sigma).logpdf(cohort.y)
    found = reference.log_likelihood(cohort.y, c, cohort.k, h2, reml=False)
    assert found == pytest.approx(density, rel=1e-10)


@pytest.mark.parametrize("h2", [0.0, 0.4, 0.9])
def test_log_likelihood__reml_is_the_density_of_contrasts(h2):
    cohort = small_cohort(32, n=25)
    sigma = h2 * cohort.k + (1.0 - h2) * np.eye(25)
    contrasts = np.linalg.qr(cohort.covariates, mode="complete")[0][:, 2:]
    sigma2 = reference.residual_sum(cohort.y, cohort.covariates, sigma) / 23
    density = stats.multivariate_normal(np.zeros(23), sigma2 * contrasts.T @ sigma @ contrasts)
    found = reference.log_likelihood(cohort.y, cohort.covariates, cohort.k, h2, reml=True)
    assert found == pytest.approx(density.logpdf(contrasts.T @ cohort.y), rel=1e-10)


def test_projection__removes_covariates():
    cohort = small_cohort(33, n=25)
    sigma = 0.5 * cohort.k + 0.5 * np.eye(25)
    p = reference.projection(cohort.covariates, sigma)
    np.testing.assert_allclose(p @ cohort.covariates, 0.0, atol=1e-10)
    np.testing.assert_allclose(p @ sigma @ p, p, atol=1e-10)
    expected = cohort.y @ p @ cohort.y
    found = reference.residual_sum(cohort.y, cohort.covariates, sigma)
    assert found == pytest.approx(expected, rel=1e-8)


def test_associate__without_relatedness_is_ordinary_regression():
    cohort = small_cohort(34, n=40)
    x, c = cohort.dosage[:, 0], cohort.covariates
    found = reference.associate(x, cohort.y, c, np.eye(40), h2=0.3, h2_ml=0.3)
    residual = cohort.y - c @ np.linalg.lstsq(c, cohort.y)[0]
    explained = x - c @ np.linalg.lstsq(c, x)[0]
    beta = explained @ residual / (explained @ explained)
    rest = residual - beta * explained
    error = np.sqrt(rest @ rest / 37 / (explained @ explained))
    assert found.beta == pytest.approx(beta)
    assert found.standard_error == pytest.approx(error)
    assert found.p_value == pytest.approx(2.0 * stats.t.sf(abs(beta) / error, 37))
    lrt = reference.associate(x, cohort.y, c, np.eye(40), test="lrt", h2=0.3, h2_ml=0.3)
    assert lrt.chi2 == pytest.approx(40 * np.log(residual @ residual / (rest @ rest)))
    score = reference.associate(x, cohort.y, c, np.eye(40), test="score", h2=0.3, h2_ml=0.3)
    ratio = (explained @ residual) ** 2 / (explained @ explained) / (residual @ residual)
    assert score.chi2 == pytest.approx(40 * ratio)
    assert score.p_value == pytest.approx(stats.f.sf(40 * ratio, 1, 37))


def test_estimate_h2__is_the_top_of_the_profile():
    cohort = small_cohort(35, n=40)
    h2 = reference.estimate_h2(cohort.y, cohort.covariates, cohort.k, reml=True)

    def profile(value):
        return reference.log_likelihood(cohort.y, cohort.covariates, cohort.k, value, reml=True)

    assert profile(h2) >= max(profile(v) for v in np.linspace(0.001, 0.999, 200))
