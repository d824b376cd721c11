import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nextlmm.assoc.summary import lambda_gc


@given(st.integers(0, 10**6), st.integers(1, 40), st.floats(0.2, 3))
def test_lambda_gc__is_the_ratio_of_medians(seed, n, inflation):
    chi2 = inflation * np.random.default_rng(seed).chisquare(1, n)
    p = -np.log10(stats.chi2.sf(chi2, 1))
    expected = np.median(chi2) / stats.chi2.isf(0.5, 1)
    assert lambda_gc(p) == pytest.approx(expected, rel=1e-9)


def test_lambda_gc__works_where_p_underflows():
    assert lambda_gc(np.array([1000.0, 1000.0])) == pytest.approx(4596.8 / 0.454936, rel=1e-3)


def test_lambda_gc__ignores_untested_variants():
    p = np.array([0.1, np.nan, 0.5, 0.9, np.nan])
    assert lambda_gc(p) == lambda_gc(p[[0, 2, 3]])
    assert np.isnan(lambda_gc(np.array([np.nan])))
