"""Against the dense fit; what is random is compared with the error that is printed."""

import numpy as np
import pytest

from nextlmm.errors import (
    ConvergenceError,
    DesignError,
    NotPositiveDefiniteError,
    TraitError,
)
from nextlmm.linalg.dense import DenseCovariance
from nextlmm.lmm.design import make_design
from nextlmm.lmm.estimate import estimate_null_dense
from nextlmm.lmm.ground import BATCH
from nextlmm.lmm.krylov_run import FORM_TOLERANCE
from nextlmm.lmm.stochastic import _outstanding, estimate_null_stochastic, ground_of

from .cohorts import small_cohort

WITHIN = 4.0  # Monte-Carlo standard errors, and 0.01 standard errors of quadrature


def both(cohort, *, method="reml", **options):
    dense = estimate_null_dense(cohort.y, cohort.covariates, cohort.k, method=method)
    found = estimate_null_stochastic(
        cohort.y,
        cohort.covariates,
        DenseCovariance(cohort.k),
        method=method,
        dense_below=0,
        **options,
    )
    return dense, found


@pytest.mark.parametrize("method", ["reml", "ml", "he"])
@pytest.mark.parametrize(("seed", "h2"), [(1, 0.3), (6, 0.3)])
def test_estimate__agrees_with_the_dense_one_within_its_error(seed, h2, method):
    cohort = small_cohort(seed, n=150, m=400, h2=h2, extra_covariates=3)
    dense, found = both(cohort, method=method)
    null = found.null
    assert dense.h2_boundary is None
    assert null.h2_boundary is None
    assert abs(null.h2 - dense.h2) <= WITHIN * found.mc_error + 0.01 * dense.h2_se
    assert found.mc_error_in_se <= 0.05
    assert null.h2_mc_error == found.mc_error
    assert null.h2_se == pytest.approx(dense.h2_se, rel=0.1)
    assert null.h2_interval == pytest.approx(dense.h2_interval, abs=0.3 * dense.h2_se)
    slack = WITHIN * found.log_likelihood_error + 0.02
    if method != "he":  # where the dense one is at another h2
        assert abs(null.log_likelihood_reml - dense.log_likelihood_reml) <= slack
        assert abs(null.log_likelihood_ml - dense.log_likelihood_ml) <= slack
    assert (np.abs(null.beta - dense.beta) <= 0.05 * dense.beta_se).all()
    assert null.beta_se == pytest.approx(dense.beta_se, rel=0.05)
    assert null.sigma_e2 == pytest.approx(dense.sigma_e2, rel=0.1)
    assert null.sigma_g2 + null.sigma_e2 == pytest.approx(dense.sigma_g2 + dense.sigma_e2, rel=0.1)


@pytest.mark.parametrize("method", ["reml", "ml", "he"])
def test_estimate__knows_about_the_solution_at_its_h2(method):
    cohort = small_cohort(1, n=150, m=400, h2=0.3, extra_covariates=3)
    _, found = both(cohort, method=method)
    h2 = found.null.h2
    sigma = h2 * cohort.k + (1.0 - h2) * np.eye(len(cohort.y))
    whitened = np.linalg.solve(sigma, np.column_stack((cohort.y, cohort.covariates)))
    effect = np.linalg.solve(cohort.covariates.T @ whitened[:, 1:], cohort.covariates.T)
    py = whitened[:, 0] - whitened[:, 1:] @ (effect @ whitened[:, 0])
    design = make_design(cohort.covariates)
    solution = found.solution.at(h2)
    residual = design.project(cohort.y - sigma @ solution)
    # The log-likelihood, n / 2 times the logarithm of the form, is known to a tolerance, and the
    # error of the form is at least the square of the residual over the largest eigenvalue.
    form_error = 2.0 * FORM_TOLERANCE * float(cohort.y @ py) / len(py)
    allowed = form_error * np.linalg.norm(sigma, 2)
    assert residual @ residual <= allowed
    assert solution == pytest.approx(py, abs=np.sqrt(allowed) / (1.0 - h2))


@pytest.mark.parametrize("method", ["reml", "he"])
def test_estimate__on_shared_ground_is_that_of_the_trait_alone(method, rng):
    cohort = small_cohort(1, n=150, m=400, h2=0.3, extra_covariates=3)
    noise = rng.normal(size=len(cohort.y))
    traits = np.column_stack((cohort.y, noise, cohort.y + noise, 1e3 * cohort.y - noise))
    k = DenseCovariance(cohort.k)
    ground = ground_of(traits, cohort.covariates, k, method=method)
    few = {"covariates": cohort.covariates, "operator": k, "method": method, "dense_below": 0}
    for y in (traits.T[2], *traits.T, cohort.y):  # in any order, and twice
        alone = estimate_null_stochastic(y, **few)
        before = ground.process.n_products
        together = estimate_null_stochastic(y, ground=ground, **few)
        spent = ground.process.n_products - before
        # The last digits differ where a product of many columns adds up in another order.
        assert together.null.h2 == pytest.approx(alone.null.h2, rel=1e-9)
        assert together.null.h2_se == pytest.approx(alone.null.h2_se, rel=1e-8)
        assert together.null.beta == pytest.approx(alone.null.beta, rel=1e-8)
        assert together.mc_error == pytest.approx(alone.mc_error, rel=1e-8)
        assert together.n_products == alone.n_products
    # Its own process alone, in products of 16 columns.
    assert spent < alone.n_products / 3


def test_estimate__products_take_along_what_costs_nothing():
    cohort = small_cohort(1, n=150, m=400, h2=0.3, extra_covariates=3)
    widths = []

    def product(x):
        widths.append(x.shape[1])
        return cohort.k @ x

    found = estimate_null_stochastic(
        cohort.y,
        cohort.covariates,
        DenseCovariance(cohort.k),
        components=(np.empty(0), np.empty((150, 0))),
        product=product,
        dense_below=0,
    )
    # As many as are asked for, or full batches while there are vectors that have not begun.
    assert found.n_products <= sum(widths) + cohort.covariates.shape[1]
    assert all(width % BATCH == 0 for width in widths[:8])


def test_estimate__the_printed_error_is_the_spread_over_seeds():
    cohort = small_cohort(1, n=100, m=200, h2=0.6)
    dense = estimate_null_dense(cohort.y, cohort.covariates, cohort.k, method="reml")
    fits = [
        estimate_null_stochastic(
            cohort.y,
            cohort.covariates,
            DenseCovariance(cohort.k),
            seed=seed,
            tolerance=0.2,
            dense_below=0,
        )
        for seed in range(30)
    ]
    h2 = np.array([fit.null.h2 for fit in fits])
    printed = np.sqrt(np.mean([fit.mc_error**2 for fit in fits]))
    # 30 seeds determine a spread to 13 %; a factor of 1.5 is three times that and more
    assert printed / 1.5 <= h2.std(ddof=1) <= printed * 1.5
    assert abs(h2.mean() - dense.h2) <= WITHIN * h2.std(ddof=1) / np.sqrt(30) + 1e-3 * dense.h2_se
    values = np.array([fit.null.log_likelihood for fit in fits]) - dense.log_likelihood
    likelihood_error = np.sqrt(np.mean([fit.log_likelihood_error**2 for fit in fits]))
    assert np.sqrt(np.mean(values**2)) <= 1.5 * likelihood_error + 0.01


def test_estimate__a_smaller_tolerance_is_met():
    cohort = small_cohort(1, n=150, m=300, h2=0.6)
    _, coarse = both(cohort, tolerance=0.5)
    dense, fine = both(cohort, tolerance=0.01)
    assert fine.mc_error_in_se <= 0.01
    assert fine.n_products > coarse.n_products
    assert abs(fine.null.h2 - dense.h2) <= WITHIN * fine.mc_error + 0.01 * dense.h2_se


def test_estimate__the_same_bytes_for_the_same_seed():
    cohort = small_cohort(1, n=120, m=300)
    _, one = both(cohort, seed=3)
    _, two = both(cohort, seed=3)
    _, other = both(cohort, seed=4)
    assert one.null.h2 == two.null.h2
    assert one.null.profile == two.null.profile
    assert one.null.beta.tobytes() == two.null.beta.tobytes()
    assert one.null.h2 != other.null.h2


@pytest.mark.parametrize("components", [0, 3])
def test_estimate__components_may_be_rough(components, rng):
    cohort = small_cohort(1, n=150, m=400, h2=0.6)
    values, vectors = np.linalg.eigh(cohort.k)
    rough, _ = np.linalg.qr(vectors[:, -3:] + 0.03 * rng.normal(size=(150, 3)))
    given = (values[-3:][3 - components :], rough[:, 3 - components :])
    dense, found = both(cohort, components=given)
    assert found.n_components == (2 if components else 0)  # the third is one among many
    assert abs(found.null.h2 - dense.h2) <= WITHIN * found.mc_error + 0.01 * dense.h2_se


def test_estimate__products_of_low_precision_will_do():
    cohort = small_cohort(1, n=150, m=400, h2=0.6)
    low = cohort.k.astype(np.float32)
    dense, found = both(cohort, product=lambda x: low @ x.astype(np.float32))
    assert abs(found.null.h2 - dense.h2) <= WITHIN * found.mc_error + 0.01 * dense.h2_se


@pytest.mark.parametrize(("h2", "side"), [(0.0, "lower"), (1.0, "upper")])
def test_estimate__boundaries_are_those_of_the_dense_fit(h2, side):
    found = 0
    for seed in range(5):
        cohort = small_cohort(seed, n=80, m=300, h2=h2)
        dense, fit = both(cohort)
        assert fit.null.h2_boundary == dense.h2_boundary
        if dense.h2_boundary is not None:
            found += 1
            assert dense.h2_boundary == side
            assert fit.null.h2 == dense.h2
            assert fit.null.h2_se is None
            assert any(f"{side} end" in sentence for sentence in fit.null.warnings)
    assert found


def test_estimate__a_flat_likelihood_is_the_same_error_as_in_a_dense_fit(rng):
    y, ones = rng.normal(size=60), np.ones((60, 1))
    for options in ({}, {"dense_below": 0}):
        with pytest.raises(ConvergenceError, match="same likelihood at every heritability"):
            estimate_null_stochastic(y, ones, DenseCovariance(np.eye(60)), **options)


@pytest.mark.parametrize("n", [6, 20, 40])
def test_estimate__few_samples(n):
    cohort = small_cohort(3, n=n, h2=0.5)
    dense, found = both(cohort)
    if dense.h2_se is None:
        assert found.null.h2 == dense.h2
    else:
        assert abs(found.null.h2 - dense.h2) <= WITHIN * found.mc_error + 0.02 * dense.h2_se


def test_estimate__few_samples_are_fitted_without_random_vectors():
    cohort = small_cohort(3, n=60, h2=0.5)
    dense = estimate_null_dense(cohort.y, cohort.covariates, cohort.k, method="reml")
    found = estimate_null_stochastic(cohort.y, cohort.covariates, DenseCovariance(cohort.k))
    assert found.null.h2 == dense.h2
    assert (found.mc_error, found.n_probes, found.n_products) == (0.0, 0, 60)
    assert found.null.h2_mc_error is None


def test_estimate__samples_may_be_duplicated():
    cohort = small_cohort(1, n=80, m=300)
    twice = np.repeat(np.arange(80), 2)
    k = cohort.k[np.ix_(twice, twice)]
    y = cohort.y[twice] + np.random.default_rng(0).normal(size=160)
    covariates = cohort.covariates[twice]
    dense = estimate_null_dense(y, covariates, k, method="reml")
    found = estimate_null_stochastic(y, covariates, DenseCovariance(k), dense_below=0)
    assert abs(found.null.h2 - dense.h2) <= WITHIN * found.mc_error + 0.01 * dense.h2_se


def test_estimate__refuses_what_the_dense_fit_refuses(rng):
    cohort = small_cohort(2, n=80)
    k = DenseCovariance(cohort.k)
    with pytest.raises(TraitError, match="constant"):
        estimate_null_stochastic(np.full(80, 7.0), cohort.covariates, k, dense_below=0)
    with pytest.raises(DesignError, match="linear combination"):
        estimate_null_stochastic(cohort.y, np.ones((80, 2)), k, dense_below=0)
    with pytest.raises(NotPositiveDefiniteError, match="without negative eigenvalues"):
        estimate_null_stochastic(
            cohort.y,
            cohort.covariates,
            DenseCovariance(cohort.k - 0.5 * np.eye(80)),
            dense_below=0,
        )


def test_stochastic_fit__prints_as_one_line():
    _, found = both(small_cohort(2, n=80))
    assert "Monte-Carlo error" in repr(found)
    assert "\n" not in repr(found)


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ([147.0, 134.0, 2.6, 2.5], 2),  # populations above the edge of a bulk
        ([147.0, 145.0, 139.0, 134.0], 4),  # all of them stand out, though alike
        ([5.0, 4.8, 4.5, 4.2], 4),  # a wide bulk, whose ends matter
        ([1.5, 1.4, 1.4, 1.3], 0),
        ([], 0),
    ],
)
def test_outstanding__are_the_components_worth_their_products(values, kept):
    vectors = np.eye(6)[:, : len(values)]
    assert _outstanding(np.array(values), vectors).shape == (6, kept)


@pytest.mark.parametrize("seed", range(3))
def test_moments__that_end_at_zero_are_an_answer(seed):
    """Samples less alike than strangers, and a covariate that is not of equal mean in relatives."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(90, 200)) + 2.0 * rng.normal(size=(30, 200)).repeat(3, axis=0)
    z -= z.mean(axis=0)
    k = z @ z.T
    k *= 90 / np.trace(k)
    y = rng.normal(size=90)
    y -= 0.9 * y.reshape(30, 3).mean(axis=1).repeat(3)
    c = np.column_stack((np.ones(90), rng.normal(size=30).repeat(3)))
    null = estimate_null_stochastic(y, c, DenseCovariance(k), method="he", dense_below=0).null
    assert null.h2 == 0.0
    assert null.h2_boundary == "lower"
    assert null.h2_se is not None
    assert null.h2_se > 0.0
