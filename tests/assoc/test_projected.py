import numpy as np
import pytest

from nextlmm.assoc.projected import projected_factor
from nextlmm.linalg.dense import DenseCovariance
from nextlmm.lmm.design import make_design

N = 40
EPS = float(np.finfo(float).eps)


@pytest.fixture
def setting():
    rng = np.random.default_rng(1)
    z = rng.normal(size=(N, 60))
    covariates = np.column_stack([np.ones(N), rng.normal(size=(N, 2))])
    h2 = 0.6
    k = z @ z.T / 60
    sigma = h2 * k + (1 - h2) * np.eye(N)
    design = make_design(covariates)
    return design, sigma, projected_factor(DenseCovariance(k).factor(h2), design), rng


def textbook_p(sigma, covariates):
    inverse = np.linalg.inv(sigma)
    middle = np.linalg.inv(covariates.T @ inverse @ covariates)
    return inverse - inverse @ covariates @ middle @ covariates.T @ inverse


def test_apply_and_forms_are_those_of_the_textbook_projection(setting):
    design, sigma, factor, rng = setting
    p = textbook_p(sigma, design.covariates)
    x = rng.normal(size=(N, 5))
    # rounding grows with the condition of Sigma, below 1e2 here
    np.testing.assert_allclose(factor.apply(x), p @ x, atol=1e4 * EPS)
    np.testing.assert_allclose(factor.forms(x), np.einsum("ij,ij->j", x, p @ x), rtol=1e4 * EPS)


def test_it_inverts_the_projected_matrix_outside_the_covariates(setting):
    design, sigma, factor, rng = setting
    x = design.project(rng.normal(size=(N, 3)))
    projected = design.project(sigma @ x)
    np.testing.assert_allclose(factor.apply(projected), x, atol=1e4 * EPS)
