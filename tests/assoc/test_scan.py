import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextlmm.assoc.scan import scan_model, test_block
from nextlmm.assoc.statistics import neg_log10_f_sf
from nextlmm.errors import DesignError
from nextlmm.linalg.dense import DenseCovariance
from nextlmm.linalg.spectral import spectral_covariance
from nextlmm.testing import reference

from ..lmm.cohorts import small_cohort

TESTS = ["wald", "score", "lrt"]
H2, H2_ML = 0.6, 0.45
NUMBERS = ("beta", "standard_error", "chi2", "neg_log_10_p_value", "h2")


def scan(cohort, test="wald", dosage=None, covariance=DenseCovariance):
    model = scan_model(
        cohort.y, cohort.covariates, covariance(cohort.k), h2=H2, h2_ml=H2_ML, test=test
    )
    return test_block(model, cohort.dosage if dosage is None else dosage)


def assert_same(one, other, **signs):
    for name in NUMBERS:
        expected = getattr(one, name) * signs.get(name, 1.0)
        np.testing.assert_allclose(getattr(other, name), expected, rtol=1e-7, atol=1e-10)
    assert one.status.tolist() == other.status.tolist()


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("covariance", [DenseCovariance, spectral_covariance])
def test_block__is_the_textbook_test(covariance, test):
    cohort = small_cohort(11, n=50, m=30, extra_covariates=2)
    found = scan(cohort, test, covariance=covariance)
    for j in range(30):
        expected = reference.associate(
            cohort.dosage[:, j],
            cohort.y,
            cohort.covariates,
            cohort.k,
            test=test,
            h2=H2,
            h2_ml=H2_ML,
        )
        assert found.beta[j] == pytest.approx(expected.beta, rel=1e-8, abs=1e-10)
        assert found.standard_error[j] == pytest.approx(expected.standard_error, rel=1e-8)
        assert found.chi2[j] == pytest.approx(expected.chi2, rel=1e-7, abs=1e-9)
        p = -np.log10(expected.p_value)
        assert found.neg_log_10_p_value[j] == pytest.approx(p, rel=1e-7, abs=1e-7)
        assert found.h2[j] == expected.h2
    assert set(found.status) == {"ok"}


@pytest.mark.parametrize("test", TESTS)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=10)
def test_block__order_of_samples_and_allele_do_not_matter(test, seed):
    cohort = small_cohort(12, n=40, m=12)
    order = np.random.default_rng(seed).permutation(40)
    model = scan_model(
        cohort.y[order],
        cohort.covariates[order],
        DenseCovariance(cohort.k[np.ix_(order, order)]),
        h2=H2,
        h2_ml=H2_ML,
        test=test,
    )
    one = scan(cohort, test)
    assert_same(one, test_block(model, cohort.dosage[order]))
    assert_same(one, test_block(model, 2.0 - cohort.dosage[order]), beta=-1.0)


@pytest.mark.parametrize("test", TESTS)
@given(st.floats(-5, 5), st.floats(-100, 100), st.integers(0, 10**6))
@settings(max_examples=10)
def test_block__units_of_trait_and_covariates(test, log_scale, shift, seed):
    cohort = small_cohort(12, n=40, m=12)
    scale = 10.0**log_scale
    mix = np.triu(np.random.default_rng(seed).uniform(0.5, 2.0, (2, 2)))
    model = scan_model(
        scale * (cohort.y + shift),
        cohort.covariates @ mix,
        DenseCovariance(cohort.k),
        h2=H2,
        h2_ml=H2_ML,
        test=test,
    )
    found = test_block(model, cohort.dosage)
    one = scan(cohort, test)
    np.testing.assert_allclose(found.beta, scale * one.beta, rtol=1e-6, atol=1e-8 * scale)
    np.testing.assert_allclose(found.standard_error, scale * one.standard_error, rtol=1e-6)
    np.testing.assert_allclose(found.chi2, one.chi2, rtol=1e-6, atol=1e-8)


@given(st.integers(1, 12))
@settings(max_examples=6)
def test_block__size_does_not_matter(size):
    cohort = small_cohort(12, n=40, m=12)
    one = scan(cohort)
    for start in range(0, 12, size):
        part = scan(cohort, dosage=cohort.dosage[:, start : start + size])
        for name in NUMBERS:
            np.testing.assert_allclose(
                getattr(part, name), getattr(one, name)[start : start + size], rtol=1e-10
            )


def test_block__what_cannot_be_tested_has_a_status():
    cohort = small_cohort(13, n=40, m=8)
    dosage = cohort.dosage.copy()
    dosage[:, 1] = 1.0
    dosage[:, 2] = np.nan
    dosage[:, 3] = 0.1 * cohort.covariates[:, 1]
    found = scan(cohort, dosage=dosage)
    expected = ["ok", "monomorphic", "all_missing", "collinear", *["ok"] * 4]
    assert found.status.tolist() == expected
    good = scan(cohort)
    for name in NUMBERS:
        values = getattr(found, name)
        assert np.isnan(values[1:4]).all()
        np.testing.assert_allclose(values[[0, 4, 5, 6, 7]], getattr(good, name)[[0, 4, 5, 6, 7]])


def test_block__nothing_to_test():
    cohort = small_cohort(13, n=40, m=8)
    found = scan(cohort, dosage=np.ones((40, 2)))
    assert found.status.tolist() == ["monomorphic", "monomorphic"]
    assert np.isnan(found.beta).all()
    assert len(scan(cohort, dosage=np.empty((40, 0))).beta) == 0


@pytest.mark.parametrize("test", TESTS)
def test_block__leaves_its_argument_alone_and_takes_single_precision(test):
    cohort = small_cohort(13, n=40, m=8)
    dosage = cohort.dosage.astype(np.float32)
    copy = dosage.copy()
    assert_same(scan(cohort, test), scan(cohort, test, dosage=dosage))
    np.testing.assert_array_equal(dosage, copy)


def test_block__an_almost_perfect_fit_keeps_its_digits():
    cohort = small_cohort(14, n=60, m=4)
    noise = np.random.default_rng(0).standard_normal(60)
    y = 3.0 * cohort.dosage[:, 1] + 1e-7 * noise
    model = scan_model(y, cohort.covariates, DenseCovariance(cohort.k), h2=H2)
    found = test_block(model, cohort.dosage)
    sigma = H2 * cohort.k + (1.0 - H2) * np.eye(60)
    predictors = np.column_stack((cohort.covariates, cohort.dosage[:, 1]))
    root = np.linalg.cholesky(sigma)
    a, b = np.linalg.solve(root, predictors), np.linalg.solve(root, 1e-7 * noise)
    sigma2 = np.sum((b - a @ np.linalg.lstsq(a, b)[0]) ** 2) / 57
    variance = sigma2 * np.linalg.inv(a.T @ a)[-1, -1]
    assert found.standard_error[1] == pytest.approx(np.sqrt(variance), rel=1e-5)
    expected = neg_log10_f_sf(np.array([9.0 / variance]), 57)[0]
    assert expected > 300.0
    assert found.neg_log_10_p_value[1] == pytest.approx(expected, rel=1e-5)


def test_block__a_perfect_fit_has_a_large_finite_statistic():
    cohort = small_cohort(14, n=60, m=4)
    model = scan_model(
        3.0 * cohort.dosage[:, 1], cohort.covariates, DenseCovariance(cohort.k), h2=H2
    )
    found = test_block(model, cohort.dosage)
    assert found.beta[1] == pytest.approx(3.0)
    assert found.neg_log_10_p_value[1] > 300.0


@pytest.mark.parametrize("test", ["wald", "lrt"])
def test_block__a_perfect_fit_does_not_measure_the_rounding_of_its_factor(test):
    cohort = small_cohort(14, n=60, m=4)
    y = 3.0 * cohort.dosage[:, 1]
    found = []
    for covariance in (DenseCovariance, spectral_covariance):
        for h2 in (0.0, 0.4, 0.9999):
            model = scan_model(y, cohort.covariates, covariance(cohort.k), h2=h2, test=test)
            found.append(test_block(model, cohort.dosage).neg_log_10_p_value[1])
    assert found == pytest.approx([found[0]] * 6, rel=1e-12)


@pytest.mark.parametrize("offset", [1e6, 1e9])
def test_block__an_offset_of_the_trait_does_not_matter(offset):
    cohort = small_cohort(14, n=60, m=10)
    shifted = offset + cohort.y
    plain = shifted - offset  # exact, so that both hold the same digits
    one, other = (
        test_block(
            scan_model(y, cohort.covariates, DenseCovariance(cohort.k), h2=H2), cohort.dosage
        )
        for y in (plain, shifted)
    )
    for name in NUMBERS:
        np.testing.assert_allclose(getattr(other, name), getattr(one, name), rtol=1e-10)


def test_scan_model__uses_one_factor_where_one_is_enough():
    cohort = small_cohort(14, n=40, m=4)
    covariance = DenseCovariance(cohort.k)
    for kwargs in ({"test": "wald", "h2_ml": 0.1}, {"test": "lrt"}, {"test": "lrt", "h2_ml": H2}):
        model = scan_model(cohort.y, cohort.covariates, covariance, h2=H2, **kwargs)
        assert model.tested is model.wald


def test_scan_model__needs_a_degree_of_freedom():
    rng = np.random.default_rng(0)
    with pytest.raises(DesignError, match="leave 0 degrees of freedom"):
        scan_model(
            rng.standard_normal(4), rng.standard_normal((4, 3)), DenseCovariance(np.eye(4)), h2=0.5
        )
