import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextlmm.assoc.per_variant import per_variant_block, per_variant_model
from nextlmm.assoc.scan import scan_model, test_block
from nextlmm.errors import DesignError, NotPositiveDefiniteError
from nextlmm.linalg.spectral import SpectralCovariance, spectral_covariance
from nextlmm.lmm.null import fit_null
from nextlmm.testing import reference

from ..lmm.cohorts import small_cohort

TESTS = ["wald", "score", "lrt"]
NUMBERS = ("beta", "standard_error", "chi2", "neg_log_10_p_value", "h2")


def scan(cohort, test="wald", dosage=None):
    model = per_variant_model(
        cohort.y, cohort.covariates, spectral_covariance(cohort.k.copy()), test=test
    )
    return per_variant_block(model, cohort.dosage if dosage is None else dosage)


def textbook(cohort, j, test):
    return reference.associate(
        cohort.dosage[:, j], cohort.y, cohort.covariates, cohort.k, test=test
    )


@pytest.mark.parametrize("test", TESTS)
def test_block__is_the_textbook_test(test):
    cohort = small_cohort(21, n=50, m=20, extra_covariates=2)
    found = scan(cohort, test)
    for j in range(8):
        expected = textbook(cohort, j, test)
        # the searches stop within 1e-6 of the optimum on the logit scale
        assert found.h2[j] == pytest.approx(expected.h2, abs=2e-6)
        assert found.beta[j] == pytest.approx(expected.beta, rel=1e-5, abs=1e-7)
        assert found.standard_error[j] == pytest.approx(expected.standard_error, rel=1e-5)
        assert found.chi2[j] == pytest.approx(expected.chi2, rel=1e-5, abs=1e-6)
        p = -np.log10(expected.p_value)
        assert found.neg_log_10_p_value[j] == pytest.approx(p, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("test", ["wald", "lrt"])
@pytest.mark.parametrize("h2", [0.0, 1.0])
def test_block__ends_of_the_range(h2, test):
    ends = 0
    for seed in range(6):
        cohort = small_cohort(seed, n=30, m=6, h2=h2)
        found = scan(cohort, test)
        for j in range(3):
            expected = textbook(cohort, j, test)
            assert found.h2[j] == pytest.approx(expected.h2, abs=1e-5)
            assert found.chi2[j] == pytest.approx(expected.chi2, rel=1e-4, abs=1e-5)
            ends += not 2e-5 < found.h2[j] < 1 - 2e-5
    assert ends > 3


@pytest.mark.parametrize("reml", [True, False])
def test_block__no_local_maximum_is_taken_for_the_global_one(reml):
    rng = np.random.default_rng(5)
    local = 0
    for _ in range(40):
        n = 12
        values = np.sort(10.0 ** rng.uniform(-4, 1.5, n))
        values *= n / values.sum()
        vectors = np.linalg.qr(rng.standard_normal((n, n)))[0]
        covariates, y = np.ones((n, 1)), rng.standard_normal(n)
        x = rng.standard_normal((n, 5))
        model = per_variant_model(
            y, covariates, SpectralCovariance(values, vectors), test="wald" if reml else "lrt"
        )
        found = per_variant_block(model, x)
        k = (vectors * values) @ vectors.T
        for j in range(5):
            c = np.column_stack((covariates, x[:, j]))
            grid = 1.0 / (1.0 + np.exp(-np.linspace(-11.5, 11.5, 47)))
            profile = [reference.log_likelihood(y, c, k, h2, reml=reml) for h2 in grid]
            own = reference.log_likelihood(y, c, k, found.h2[j], reml=reml)
            assert own >= max(profile) - 1e-9
            inner = np.array(profile)
            local += np.sum((inner[1:-1] > inner[:-2]) & (inner[1:-1] > inner[2:])) > 1
    assert local > 0  # some profiles had several maxima


@pytest.mark.parametrize("test", TESTS)
@given(seed=st.integers(0, 10**6), log_scale=st.floats(-3, 3))
@settings(max_examples=8)
def test_block__order_allele_units_and_basis_do_not_matter(test, seed, log_scale):
    cohort = small_cohort(22, n=40, m=10)
    rng = np.random.default_rng(seed)
    order, scale = rng.permutation(40), 10.0**log_scale
    mix = np.triu(rng.uniform(0.5, 2.0, (2, 2)))
    model = per_variant_model(
        scale * cohort.y[order],
        cohort.covariates[order] @ mix,
        spectral_covariance(cohort.k[np.ix_(order, order)]),
        test=test,
    )
    one, other = scan(cohort, test), per_variant_block(model, 2.0 - cohort.dosage[order])
    np.testing.assert_allclose(other.beta, -scale * one.beta, rtol=1e-4, atol=1e-6 * scale)
    np.testing.assert_allclose(other.standard_error, scale * one.standard_error, rtol=1e-4)
    np.testing.assert_allclose(other.chi2, one.chi2, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(other.h2, one.h2, atol=1e-5)


@pytest.mark.parametrize("test", TESTS)
def test_block__size_does_not_matter(test):
    cohort = small_cohort(22, n=40, m=10)
    one = scan(cohort, test)
    for start in range(10):
        part = scan(cohort, test, cohort.dosage[:, start : start + 1])
        for name in NUMBERS:
            np.testing.assert_allclose(getattr(part, name)[0], getattr(one, name)[start], rtol=1e-8)


def test_block__more_variants_than_one_chunk():
    cohort = small_cohort(22, n=40, m=10)
    one = scan(cohort)
    many = scan(cohort, dosage=np.tile(cohort.dosage, (1, 400)))
    np.testing.assert_allclose(many.beta, np.tile(one.beta, 400), rtol=1e-8)


def test_block__what_cannot_be_tested_has_a_status():
    cohort = small_cohort(23, n=40, m=6)
    dosage = cohort.dosage.copy()
    dosage[:, 1], dosage[:, 2], dosage[:, 3] = 2.0, np.nan, cohort.covariates[:, 1]
    found = scan(cohort, dosage=dosage)
    assert found.status.tolist() == ["ok", "monomorphic", "all_missing", "collinear", "ok", "ok"]
    assert np.isnan(found.h2[1:4]).all()
    np.testing.assert_allclose(found.beta[[0, 4]], scan(cohort).beta[[0, 4]])
    assert scan(cohort, dosage=np.ones((40, 1))).status.tolist() == ["monomorphic"]


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("noise", [1e-7, 0.0])
def test_block__an_almost_perfect_fit(noise, test):
    cohort = small_cohort(24, n=60, m=4)
    error = noise * np.random.default_rng(0).standard_normal(60)
    y = 3.0 * cohort.dosage[:, 1] + error
    model = per_variant_model(y, cohort.covariates, spectral_covariance(cohort.k), test=test)
    found = per_variant_block(model, cohort.dosage)
    assert found.beta[1] == pytest.approx(3.0)
    assert found.standard_error[1] < 1e-6
    least = {"wald": 300.0, "score": 5.0, "lrt": 200.0}[test]
    assert found.neg_log_10_p_value[1] > least
    assert np.isfinite(found.neg_log_10_p_value).all()


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("noise", [0.0, 1e-17, 1e-15, 1e-13, 1e-11, 1e-10, 1e-8, 1e-5, 1e-3, 0.03])
def test_block__no_fit_is_too_good_for_a_number(noise, test):
    for seed in range(24, 28):
        cohort = small_cohort(seed, n=60, m=4)
        y = 3.0 * cohort.dosage[:, 1]
        y = y + noise * np.random.default_rng(seed).standard_normal(60)
        model = per_variant_model(y, cohort.covariates, spectral_covariance(cohort.k), test=test)
        found = per_variant_block(model, cohort.dosage)
        for name in NUMBERS:
            assert np.isfinite(getattr(found, name)).all(), name
        assert (found.standard_error > 0.0).all()
        assert found.beta[1] == pytest.approx(3.0, abs=noise + 1e-9)


@pytest.mark.parametrize("test", ["wald", "lrt"])
@pytest.mark.parametrize("noise", [1e-8, 1e-6, 1e-4, 1e-2])
def test_block__what_a_variant_leaves_decides_its_h2(noise, test):
    cohort = small_cohort(3, n=60, m=4)
    y = cohort.y - cohort.y.mean()
    covariance = spectral_covariance(cohort.k)

    def tested(trait):
        model = per_variant_model(trait, cohort.covariates, covariance, test=test)
        return per_variant_block(model, cohort.dosage[:, 1:2])

    one, close = tested(y), tested(3.0 * cohort.dosage[:, 1] + noise * y)
    assert 0.01 < one.h2[0] < 0.99
    assert close.h2 == pytest.approx(one.h2, abs=1e-5)
    assert close.standard_error == pytest.approx(noise * one.standard_error, rel=1e-5)
    assert close.beta - 3.0 == pytest.approx(noise * one.beta, abs=1e-4 * noise)


@pytest.mark.parametrize("test", TESTS)
def test_block__an_exact_fit_is_tested_at_the_h2_of_the_model_without_it(test):
    cohort = small_cohort(24, n=60, m=4)
    covariance = spectral_covariance(cohort.k)
    y = 3.0 * cohort.dosage[:, 1]
    null = fit_null(y, cohort.covariates, covariance, method="ml")
    model = per_variant_model(y, cohort.covariates, covariance, test=test)
    shared = scan_model(y, cohort.covariates, covariance, h2=null.h2, h2_ml=null.h2, test=test)
    own, expected = per_variant_block(model, cohort.dosage), test_block(shared, cohort.dosage)
    for name in NUMBERS:
        assert getattr(own, name)[1] == pytest.approx(getattr(expected, name)[1], rel=1e-6), name


def test_model__score_is_taken_where_asked():
    cohort = small_cohort(24, n=40, m=4)
    covariance = spectral_covariance(cohort.k)
    model = per_variant_model(cohort.y, cohort.covariates, covariance, test="score", h2_ml=0.3)
    assert set(per_variant_block(model, cohort.dosage).h2) == {0.3}


def test_model__prints_as_one_line():
    cohort = small_cohort(24, n=40, m=4)
    model = per_variant_model(cohort.y, cohort.covariates, spectral_covariance(cohort.k))
    assert repr(model) == "<wald tests on 40 samples, each variant at its own h2>"
    block = per_variant_block(model, np.column_stack((cohort.dosage, np.ones(40))))
    assert repr(block) == "<results of 5 variants, 4 tested>"
    shared = scan_model(cohort.y, cohort.covariates, spectral_covariance(cohort.k), h2=0.25)
    assert repr(shared) == "<wald tests on 40 samples at h2 = 0.25>"


def test_model__refuses():
    cohort = small_cohort(24, n=40, m=4)
    with pytest.raises(NotPositiveDefiniteError):
        per_variant_model(
            cohort.y, cohort.covariates, spectral_covariance(cohort.k - 0.5 * np.eye(40))
        )
    with pytest.raises(DesignError, match="degrees of freedom"):
        per_variant_model(
            cohort.y[:3], np.vander(np.arange(3.0), 2), SpectralCovariance(np.ones(3), np.eye(3))
        )
