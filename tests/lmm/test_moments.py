"""Against the regression with exact traces."""

import numpy as np
import pytest

from nextlmm.errors import NumericalError
from nextlmm.linalg.dense import DenseCovariance
from nextlmm.lmm.design import make_design
from nextlmm.lmm.haseman_elston import basis_with_components, haseman_elston
from nextlmm.lmm.krylov import centre_trait
from nextlmm.lmm.moments import haseman_elston_products

from .cohorts import small_cohort


def products(cohort, seed, tolerance=0.05, n_components=3):
    design, k = make_design(cohort.covariates), DenseCovariance(cohort.k)
    basis = basis_with_components(k, design, n_components)[:, design.n_covariates :]
    return haseman_elston_products(
        centre_trait(cohort.y, design),
        k,
        basis,
        rng=np.random.default_rng(seed),
        tolerance=tolerance,
    )


def test_products__agree_with_exact_traces_as_printed():
    cohort = small_cohort(8, n=100, m=150)
    exact = haseman_elston(cohort.y, cohort.covariates, DenseCovariance(cohort.k), n_components=3)
    found = [products(cohort, seed) for seed in range(30)]
    off = np.array([f.estimate.h2_raw - exact.h2_raw for f in found])
    printed = np.array([f.mc_error for f in found])
    # 30 seeds determine a spread to 13 %
    assert 0.6 < np.sqrt(np.mean((off / printed) ** 2)) < 1.5
    for f in found:
        assert f.mc_error <= 0.05 * f.estimate.h2_se
        assert f.estimate.h2_se == pytest.approx(exact.h2_se, rel=0.3)
        assert f.estimate.n_components == 3


def test_products__a_smaller_tolerance_takes_more_vectors():
    cohort = small_cohort(8, n=100, m=150)
    assert products(cohort, 0, 0.02).n_products > products(cohort, 0, 0.5).n_products


def test_products__do_not_see_unrelated_samples(rng):
    cohort = small_cohort(9, n=40)
    design = make_design(cohort.covariates)
    with pytest.raises(NumericalError, match="multiple of the identity"):
        haseman_elston_products(
            centre_trait(cohort.y, design),
            DenseCovariance(np.eye(40)),
            np.empty((40, 0)),
            rng=rng,
            tolerance=0.1,
        )
