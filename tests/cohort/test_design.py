"""Covariates that can and cannot be told apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.cohort.design import (
    check_covariates,
    check_size,
    is_constant,
    residual_fraction,
    spread_out_of_range,
)
from nextlmm.errors import DesignError


def check(columns, names=("a", "b", "c", "d")):
    check_covariates(np.asarray(columns), names[: np.shape(columns)[1]], "c.txt")


@given(
    scales=st.lists(st.floats(1e-150, 1e150), min_size=3, max_size=3),
    shifts=st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3),
    dependent=st.booleans(),
)
def test_check_covariates__unit_and_origin_do_not_matter(scales, shifts, dependent):
    columns = np.random.default_rng(1).normal(size=(40, 3))
    if dependent:
        columns[:, 2] = 2 * columns[:, 0] - 3 * columns[:, 1]
    columns = (columns + shifts) * scales
    if not dependent:
        check(columns)
        return
    with pytest.raises(DesignError, match=r"covariate 'c' of c.txt is collinear with 'a' and 'b'"):
        check(columns)


def test_check_covariates__names_only_those_involved(rng):
    columns = rng.normal(size=(30, 4))
    columns[:, 3] = 5 - columns[:, 1]
    with pytest.raises(DesignError, match=r"'d' of c.txt is collinear with 'b' in the 30 analysed"):
        check(columns)


def test_check_covariates__dummies_that_add_up_to_the_intercept():
    group = np.arange(30) % 3
    with pytest.raises(DesignError, match=r"'c' of c.txt is collinear with 'a' and 'b'"):
        check((group[:, None] == np.arange(3)).astype(float))
    check((group[:, None] == np.arange(2)).astype(float))


def test_check_covariates__nearly_collinear_is_accepted(rng):
    columns = rng.normal(size=(30, 2))
    columns[:, 1] = columns[:, 0] + 1e-5 * columns[:, 1]
    check(columns)
    columns[:, 1] = columns[:, 0] + 1e-9 * rng.normal(size=30)
    with pytest.raises(DesignError, match="collinear"):
        check(columns)


@pytest.mark.parametrize("value", [0.0, 1.0, -3e200, 1e-300])
def test_check_covariates__constant(rng, value):
    columns = rng.normal(size=(20, 2))
    columns[:, 1] = value
    with pytest.raises(DesignError, match=r"'b' of c.txt is .* in all 20 analysed samples"):
        check(columns)


def test_check_size__leaves_a_degree_of_freedom():
    check_size(5, 2)
    with pytest.raises(DesignError, match=r"4 analysed, for an intercept and 2 cov.* at least 5"):
        check_size(4, 2)


def test_is_constant__small_spread_around_a_large_value():
    assert is_constant(np.array([1e9, 1e9]))
    assert not is_constant(np.array([1e9, 1e9 + 0.1]))
    assert not is_constant(np.array([0.0, 1e-300]))
    assert not is_constant(np.array([1e308, -1e308]))
    assert is_constant(np.zeros(3))


def test_check_covariates__a_large_offset_hides_nothing(rng):
    columns = rng.integers(0, 100, (50, 2)).astype(float)
    check(columns + 1e9)
    columns[:, 1] = columns[:, 0]
    with pytest.raises(DesignError, match=r"'b' of c.txt is collinear with 'a'"):
        check(columns + np.array([1e9, 3e9]))


def test_spread_out_of_range__says_which_spread():
    y = np.array([0.0, 1.0, 3.0])
    for scale, found in ((1.0, None), (1e-200, 3e-200), (1e200, 3e200), (1e12, None)):
        assert spread_out_of_range(scale * y) == (found and pytest.approx(found))
    assert spread_out_of_range(1e12 + y) is None


def test_residual_fraction__of_a_combination_and_of_noise(rng):
    columns = rng.normal(size=(50, 2)) * [1e6, 1e-6]
    y = columns @ [1.0, 2e12] + 7
    assert residual_fraction(y, columns) < 1e-12
    assert residual_fraction(rng.normal(size=50), columns) > 0.5
    assert residual_fraction(y, columns[:, :0]) == 1.0
