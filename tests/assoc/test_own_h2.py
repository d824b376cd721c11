"""Against the tests by eigenvectors; both stop their searches within 1e-6 of the optimum in t."""

import numpy as np
import pytest
from scipy.special import expit

from nextlmm.assoc import own_h2, pair_lanczos
from nextlmm.assoc.own_h2 import own_h2_block
from nextlmm.assoc.pair_lanczos import PairLanczos
from nextlmm.assoc.per_variant import per_variant_block, per_variant_model
from nextlmm.errors import ConvergenceError, DesignError, NotPositiveDefiniteError
from nextlmm.linalg.dense import DenseCovariance
from nextlmm.linalg.spectral import spectral_covariance
from nextlmm.lmm.design import make_design
from nextlmm.lmm.null import FactoredLikelihood, fit_null
from nextlmm.lmm.profile import LOG_RATIO_LIMIT
from nextlmm.lmm.stochastic import estimate_null_stochastic

from ..lmm.cohorts import small_cohort

TESTS = ["wald", "score", "lrt"]
NUMBERS = ("beta", "standard_error", "chi2", "neg_log_10_p_value", "h2")


class Both:
    """One cohort, tested by eigenvectors and by products."""

    def __init__(self, cohort, *, y=None):
        self.y = cohort.y if y is None else y
        self.covariates, self.k = cohort.covariates, cohort.k
        self.covariance = spectral_covariance(cohort.k.copy())
        self.h2_ml = fit_null(self.y, self.covariates, self.covariance, method="ml").h2_ml
        self.design = make_design(self.covariates)
        self.likelihood = FactoredLikelihood(self.y, self.design, self.covariance)
        self.columns = []

    def dense(self, dosage, test):
        model = per_variant_model(
            self.y, self.covariates, self.covariance, h2_ml=self.h2_ml, test=test
        )
        return per_variant_block(model, dosage)

    def product(self, x):
        self.columns.append(x.shape[1])
        return self.k @ x

    def free(self, dosage, test="wald", **options):
        given = {"likelihood": self.likelihood, "product": self.product, "h2_ml": self.h2_ml}
        given |= options
        return own_h2_block(
            given["likelihood"],
            self.y,
            self.design,
            given["product"],
            dosage,
            test=test,
            h2_ml=given["h2_ml"],
        )


def assert_same(found, expected, *, rows=slice(None)):
    assert found.status.tolist() == expected.status.tolist()
    scale = np.nanmax(expected.standard_error[rows])
    for name, tolerance in zip(
        NUMBERS, (1e-5 * scale, 1e-5 * scale, 1e-4, 1e-5, 1e-5), strict=True
    ):
        np.testing.assert_allclose(
            getattr(found, name)[rows],
            getattr(expected, name)[rows],
            rtol=1e-6,
            atol=tolerance,
            err_msg=name,
        )


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize(("seed", "h2"), [(1, 0.5), (3, 0.3), (4, 0.95)])
def test_block__is_the_one_by_eigenvectors(seed, h2, test):
    cohort = small_cohort(seed, n=600, m=900, h2=h2, extra_covariates=2)
    both = Both(cohort)
    dosage = cohort.dosage[:, :60].copy()  # more than work at the same time
    dosage[:, 5], dosage[:, 6], dosage[:, 7] = 1.0, np.nan, cohort.covariates[:, 1]
    expected, found = both.dense(dosage, test), both.free(dosage, test)
    assert set(expected.status) == {"ok", "monomorphic", "all_missing", "collinear"}
    assert expected.neg_log_10_p_value[0] > 5.0
    assert_same(found, expected)
    # x'Px with P of Sigma, not of Sigma / (1 - h2)
    information = expected.information / (1.0 if test == "score" else 1.0 - expected.h2)
    if test != "lrt":
        np.testing.assert_allclose(found.information, information, rtol=1e-5)


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("h2", [0.0, 1.0])
def test_block__ends_of_the_range(h2, test):
    ends = 0
    for seed in range(4):
        cohort = small_cohort(seed, n=60, m=40, h2=h2)
        both = Both(cohort)
        found = both.free(cohort.dosage, test)
        assert_same(found, both.dense(cohort.dosage, test))
        limit = expit(LOG_RATIO_LIMIT)
        ends += np.sum(np.isclose(found.h2, 1.0 - limit, rtol=1e-9) | (found.h2 == limit))
    assert test == "score" or ends > 0


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("noise", [1e-1, 1e-3, 1e-6, 1e-9])
def test_block__a_variant_close_to_the_trait(noise, test):
    cohort = small_cohort(3, n=100, m=150)
    y = cohort.y - cohort.y.mean()
    both = Both(cohort, y=3.0 * cohort.dosage[:, 1] + noise * y)
    dosage = cohort.dosage[:, :4]
    found, expected = both.free(dosage, test), both.dense(dosage, test)
    assert_same(found, expected, rows=[0, 2, 3])
    for name in NUMBERS:
        # 1e-9 of a trait leaves 7 of its digits
        assert getattr(found, name)[1] == pytest.approx(getattr(expected, name)[1], rel=2e-5), name


@pytest.mark.parametrize("test", TESTS)
def test_block__a_variant_equal_to_the_trait(test):
    cohort = small_cohort(24, n=60, m=40)
    both = Both(cohort, y=3.0 * cohort.dosage[:, 1])
    found, expected = both.free(cohort.dosage[:, :4], test), both.dense(cohort.dosage[:, :4], test)
    for name in NUMBERS:
        assert getattr(found, name)[1] == pytest.approx(getattr(expected, name)[1], rel=1e-6), name
    assert_same(found, expected, rows=[0, 2, 3])


@pytest.mark.parametrize("test", TESTS)
def test_block__with_a_likelihood_from_products(test):
    cohort = small_cohort(1, n=600, m=900, h2=0.5, extra_covariates=2)
    fit = estimate_null_stochastic(
        cohort.y, cohort.covariates, DenseCovariance(cohort.k), method="reml", dense_below=0
    )
    assert fit.likelihood is not None
    assert fit.mc_error > 0.0
    both = Both(cohort)
    dosage = cohort.dosage[:, :20]
    free = both.free(dosage, test, likelihood=fit.likelihood, h2_ml=fit.null.h2_ml)
    expected = both.dense(dosage, test)
    # The error of the curve is common: all are moved by it, and by little else.  The searches of
    # the two null models differ by it as well, 4 standard errors of it are allowed.
    allowed = 4.0 * fit.mc_error + 1e-3 * fit.null.h2_se
    moved = free.h2 - expected.h2
    assert np.abs(moved).max() <= allowed
    assert np.ptp(moved) <= 0.5 * allowed
    np.testing.assert_allclose(free.beta, expected.beta, atol=0.02 * expected.standard_error.max())
    np.testing.assert_allclose(free.standard_error, expected.standard_error, rtol=0.01)
    # what h2 moved by so much does to the exact answers
    two = [
        per_variant_block(
            per_variant_model(cohort.y, cohort.covariates, both.covariance, h2_ml=h2, test="score"),
            dosage,
        ).neg_log_10_p_value
        for h2 in (fit.null.h2_ml, fit.null.h2_ml + allowed)
    ]
    slack = 2.0 * np.abs(two[1] - two[0]) + 0.01 * (1.0 + expected.neg_log_10_p_value)
    assert (np.abs(free.neg_log_10_p_value - expected.neg_log_10_p_value) <= slack).all()


def test_block__products_in_single_precision():
    cohort = small_cohort(1, n=300, m=100, h2=0.4)  # K is singular
    both = Both(cohort)
    k = cohort.k.astype(np.float32)
    found = both.free(cohort.dosage[:, :20], product=lambda x: k @ x.astype(np.float32))
    expected = both.dense(cohort.dosage[:, :20], "wald")
    # 1e-7 of the products, times the largest eigenvalue of some 30
    for name in NUMBERS:
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=1e-4, atol=1e-5, err_msg=name
        )


def test_block__depends_on_each_variant_alone():
    cohort = small_cohort(2, n=120, m=150)
    both = Both(cohort)
    every = both.free(cohort.dosage[:, :50])
    assert max(both.columns) == 2 * own_h2.WIDEST
    for j in (0, 17, 49):
        one = both.free(cohort.dosage[:, j : j + 1])
        for name in NUMBERS:
            assert getattr(one, name)[0] == pytest.approx(getattr(every, name)[j], rel=1e-8)


def test_block__nothing_to_test():
    both = Both(small_cohort(2, n=40, m=30))
    assert both.free(np.ones((40, 2))).status.tolist() == ["monomorphic", "monomorphic"]
    assert both.free(np.empty((40, 0))).status.tolist() == []


def test_block__refuses(monkeypatch):
    cohort = small_cohort(2, n=60, m=90)
    both = Both(cohort)
    shifted = cohort.k - 0.5 * np.eye(60)
    with pytest.raises(NotPositiveDefiniteError, match="negative eigenvalues"):
        both.free(cohort.dosage[:, :3], product=lambda x: shifted @ x)
    monkeypatch.setattr(own_h2, "MOST_STEPS", own_h2.FIRST_STEPS)
    with pytest.raises(ConvergenceError, match="per-variant-h2 never"):
        both.free(cohort.dosage[:, :3])
    both.design = make_design(np.random.default_rng(0).standard_normal((60, 59)))
    with pytest.raises(DesignError, match="degrees of freedom"):
        both.free(cohort.dosage[:, :3])


def forms(k, first, second, h):
    pair = np.column_stack((first, second))
    return pair.T @ np.linalg.solve(h * k + (1.0 - h) * np.eye(len(k)), pair)


def as_matrix(schur):
    return np.linalg.inv(np.array([[schur[0], schur[1]], [schur[1], schur[2]]]))


@pytest.mark.parametrize("m", [30, 300])
def test_pairs__bounds_close_on_the_forms(m):
    k = small_cohort(7, n=80, m=m).k
    pair = np.linalg.qr(np.random.default_rng(0).standard_normal((80, 2)))[0]
    process = PairLanczos(lambda x: k @ x, pair[:, :1], pair[:, 1:])
    h = np.array([[0.01, 0.5, 0.9]])
    exact = [forms(k, *pair.T, x) for x in h[0]]
    for steps in (1, 3, 6, 60):
        process.extend(np.array([0]), steps)
        low, high = (find(np.array([0]), h)[:, 0] for find in (process.lower, process.upper))
        for i, form in enumerate(exact):
            rounding = 1e-12 * np.trace(form)
            assert np.linalg.eigvalsh(form - as_matrix(low[:, i])).min() >= -rounding
            assert np.linalg.eigvalsh(as_matrix(high[:, i]) - form).min() >= -rounding
    for i, form in enumerate(exact):  # 70 steps of 2 in 80 dimensions
        np.testing.assert_allclose(as_matrix(low[:, i]), form, rtol=1e-10, atol=1e-11)
        np.testing.assert_allclose(as_matrix(high[:, i]), form, rtol=1e-10, atol=1e-11)


def test_pairs__a_long_process_keeps_the_spectrum():
    """Rounding must not give T eigenvalues that K does not have: the bounds stay bounds."""
    cohort = small_cohort(4, n=200, m=300)
    pair = np.linalg.qr(np.random.default_rng(0).standard_normal((200, 2)))[0]
    process = PairLanczos(lambda x: cohort.k @ x, pair[:, :1], pair[:, 1:])
    process.extend(np.array([0]), 400)
    h = np.array([[0.3, 0.99]])
    low, high = (find(np.array([0]), h)[:, 0] for find in (process.lower, process.upper))
    for i in range(2):
        form = forms(cohort.k, *pair.T, h[0, i])
        np.testing.assert_allclose(as_matrix(low[:, i]), form, rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(as_matrix(high[:, i]), form, rtol=1e-8, atol=1e-9)


def test_pairs__a_form_without_upper_bound():
    k = small_cohort(7, n=80, m=300).k
    pair = np.linalg.qr(np.random.default_rng(0).standard_normal((80, 2)))[0]
    process = PairLanczos(lambda x: k @ x, pair[:, :1], pair[:, 1:])
    process.extend(np.array([0]), 3)
    beyond = 1.0 / (1.0 + 0.5 * abs(pair_lanczos.LOWEST))
    high = process.upper(np.array([0]), np.array([[beyond]]))[:, 0, 0]
    assert np.trace(as_matrix(high)) > 1e100
