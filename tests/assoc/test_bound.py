"""The bound on every variant's exact test holds, whatever the approximation and the variant."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextlmm.assoc.bound import SEARCHED, scan_bound, searched_ends, trait_ends
from nextlmm.assoc.scan import scan_model, test_block
from nextlmm.assoc.statistics import neg_log10_chi2_sf
from nextlmm.linalg.dense import DenseCovariance
from nextlmm.linalg.divergence import eigenvalue_range
from nextlmm.linalg.hodlr_build import Budget, hodlr_covariance
from nextlmm.linalg.tree import balanced_tree


def cohort(seed, n=40, m=60):
    """K with two populations and pairs of relatives, trait, covariates and variants."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, m)) + rng.normal(size=(2, m))[np.arange(n) % 2]
    z[::4] = (z[::4] + z[1::4]) / np.sqrt(2.0)
    z -= z.mean(axis=0)
    k = z @ z.T
    k *= n / np.trace(k)
    y = z @ rng.normal(size=m) / np.sqrt(m) + rng.normal(size=n)
    c = np.column_stack([np.ones(n), rng.normal(size=n)])
    x = np.column_stack([z[:, :20], rng.binomial(2, 0.3, (n, 10)), y + 0.1 * rng.normal(size=n)])
    return k, y, c, x


def bound_and_truth(seed, *, test, rank, h2, exact_h2):
    k, y, c, x = cohort(seed)
    compressed = hodlr_covariance(k, balanced_tree(len(y), 8), Budget(rank=rank), weight=h2)
    approximate = scan_model(y, c, compressed, h2=h2, h2_ml=h2, test=test)
    exact = scan_model(y, c, DenseCovariance(k), h2=exact_h2, h2_ml=exact_h2, test=test)
    factor = DenseCovariance(k).factor(exact_h2)
    ratio = eigenvalue_range(approximate.tested.factor, factor)
    bound = scan_bound(approximate, factor, exact.tested.trait, ratio)
    return bound, test_block(approximate, x), test_block(exact, x), x


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 100_000),
    test=st.sampled_from(["wald", "score", "lrt"]),
    rank=st.integers(0, 6),
    h2=st.floats(0.02, 0.98),
    shift=st.floats(-0.2, 0.2),
)
def test_interval__holds_the_exact_answer(seed, test, rank, h2, shift):
    exact_h2 = min(max(h2 + shift, 0.01), 0.99)
    bound, approximate, exact, x = bound_and_truth(
        seed, test=test, rank=rank, h2=h2, exact_h2=exact_h2
    )
    low, high = bound.interval(bound.py @ x, approximate.information)
    assert (low <= exact.neg_log_10_p_value).all()
    assert (exact.neg_log_10_p_value <= high).all()
    assert bound.z_error >= 0.0


@pytest.mark.parametrize("test", ["wald", "score", "lrt"])
def test_interval__closes_on_the_answer_when_nothing_is_approximated(test):
    bound, approximate, exact, x = bound_and_truth(1, test=test, rank=40, h2=0.5, exact_h2=0.5)
    low, high = bound.interval(bound.py @ x, approximate.information)
    np.testing.assert_allclose(low, exact.neg_log_10_p_value, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(high, exact.neg_log_10_p_value, rtol=1e-5, atol=1e-5)


def test_interval__untested_variants_stay_untested():
    bound, *_ = bound_and_truth(1, test="wald", rank=2, h2=0.5, exact_h2=0.5)
    low, high = bound.interval(np.array([np.nan, 1.0]), np.array([np.nan, 30.0]))
    assert np.isnan([low[0], high[0]]).all()
    assert low[1] <= high[1]


def test_interval__is_infinite_where_a_perfect_fit_cannot_be_excluded():
    bound, *_ = bound_and_truth(1, test="wald", rank=0, h2=0.9, exact_h2=0.9)
    assert bound.interval(np.array([1e6]), np.array([1.0]))[1][0] == np.inf


def test_z_error__bounds_every_score():
    bound, approximate, exact, x = bound_and_truth(3, test="score", rank=1, h2=0.6, exact_h2=0.5)
    k, y, c, _ = cohort(3)
    compressed = hodlr_covariance(k, balanced_tree(len(y), 8), Budget(rank=1), weight=0.6)
    lens = scan_model(y, c, compressed, h2=0.6, h2_ml=0.6, test="score").tested
    py = lens.factor.whiten_transposed(lens.trait.residual)
    error = np.abs((bound.py - py) @ x) / np.sqrt(approximate.information)
    assert (error <= bound.z_error * np.sqrt(bound.ypy / bound.df) * (1 + 1e-9)).all()
    assert np.isfinite(exact.chi2).all()


@given(ypy=st.floats(1e-3, 1e3), share=st.floats(0.0, 3.0))
def test_trait_ends__hold_what_a_solve_may_have_missed(ypy, share):
    """Whatever y'Py is, one solve of it is at most its root times the error away."""
    error = share * np.sqrt(ypy)
    low, high = trait_ends(np.array([ypy]), error)
    assert 0.0 < low[0] <= ypy * (1.0 + 1e-12)
    assert ypy <= high[0] * (1.0 + 1e-12)
    for end in (low[0], high[0]):
        assert abs(end - ypy) == pytest.approx(error * np.sqrt(end), rel=1e-9, abs=1e-12)


def test_searched_ends__leave_room_for_the_search_of_a_likelihood_ratio_alone():
    chi2, log_p = np.array([0.0, 4.0, 30.0]), np.array([0.0, 1.3, 7.0])
    low, high = searched_ends("wald", chi2, log_p)
    np.testing.assert_allclose(high - low, 2e-7 * (1.0 + log_p), rtol=0.6)
    low, high = searched_ends("lrt", chi2, neg_log10_chi2_sf(chi2))
    slope = (neg_log10_chi2_sf(chi2[1:] + 0.1) - neg_log10_chi2_sf(chi2[1:])) / 0.1
    np.testing.assert_allclose((high - low)[1:], 2.0 * SEARCHED * slope, rtol=0.05)
    assert (low <= neg_log10_chi2_sf(chi2)).all()
