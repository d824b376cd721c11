import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nextlmm.assoc.statistics import neg_log10_chi2_sf, neg_log10_f_sf

# -log10 of the upper tails, computed with 60 digits
CHI2 = [
    (0.0, 0.0),
    (1e-08, 3.4653068613299594e-05),
    (0.01, 0.036049661062642284),
    (0.454936423119572, 0.30102999566398086),
    (3.841458820694124, 1.3010299956639806),
    (30.0, 7.364469703953147),
    (700.0, 153.52429584501908),
    (1400.0, 305.67757094696975),
    (1500.0, 327.4072560441665),
    (5000.0, 1087.6838365143224),
    (100000.0, 21717.322159443942),
    (100000000.0, 21714728.193222534),
]
F = [
    (0.01, 1, 0.02846951168573725),
    (3, 1, 0.47712125471966244),
    (39.5, 1, 0.9980437641087763),
    (1500, 1, 1.7842619885736146),
    (1000000.0, 1, 3.196120021794917),
    (1e200, 1, 100.19611987703016),
    (0.01, 3, 0.033083169108968996),
    (39.5, 3, 2.0896550154378106),
    (20000, 3, 6.108152414981643),
    (1e200, 3, 299.65652925400633),
    (3, 50, 1.0485155968419664),
    (39.5, 50, 7.103445348649595),
    (20000, 50, 66.02780427040052),
    (1000000.0, 50, 108.4759985750271),
    (1e200, 50, 4958.475466159996),
    (0.01, 345, 0.036022253392251354),
    (1500, 345, 126.93319903499463),
    (20000, 345, 306.798750276913),
    (1000000.0, 345, 598.6192573134828),
    (39.5, 1408, 9.359993553706055),
    (1500, 1408, 223.2831656026267),
    (20000, 1408, 833.7669896711393),
    (1000000.0, 1408, 2009.4860481092746),
    (1e200, 1408, 138585.05616939437),
    (0.01, 500000, 0.03604964214383206),
    (39.5, 500000, 9.483691726523796),
    (1500, 500000, 326.9189994707424),
    (1000000.0, 500000, 119283.1731798782),
    (1e200, 500000, 48575260.446461156),
]


@pytest.mark.parametrize(("statistic", "expected"), CHI2)
def test_neg_log10_chi2_sf__against_60_digits(statistic, expected):
    assert float(neg_log10_chi2_sf(statistic)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("statistic", "df2", "expected"), F)
def test_neg_log10_f_sf__against_60_digits(statistic, df2, expected):
    found = neg_log10_f_sf(np.array([statistic]), df2)
    assert found[0] == pytest.approx(expected, rel=1e-12)


def test_neg_log10_f_sf__is_needed():
    # the obvious ways end long before the statistics of a strong association do
    assert stats.f.sf(2000.0, 1, 1408) > 0.0 == stats.f.sf(20000.0, 1, 5000)
    assert neg_log10_f_sf(np.array([20000.0]), 5000)[0] > 1000.0


@given(st.floats(1, 1e6), st.floats(0, 1e6))
def test_neg_log10_f_sf__where_scipy_can_it_agrees(df2, statistic):
    p = stats.f.sf(statistic, 1, df2)
    if p > 1e-290:
        found = neg_log10_f_sf(np.array([statistic]), df2)[0]
        assert found == pytest.approx(-np.log10(p), rel=1e-9, abs=1e-12)


@given(st.floats(2, 1e6))
def test_neg_log10_f_sf__increases_through_the_change_of_method(df2):
    statistic = np.linspace(100.0, 2000.0, 400) ** 1.3
    assert (np.diff(neg_log10_f_sf(statistic, df2)) > 0.0).all()


def test_tails__keep_nan_and_infinity():
    for tail in (neg_log10_chi2_sf, lambda s: neg_log10_f_sf(s, 10)):
        found = tail(np.array([np.nan, np.inf, 0.0]))
        assert np.isnan(found[0])
        assert np.isinf(found[1])
        assert found[2] == 0.0
        assert not np.signbit(found[2])
