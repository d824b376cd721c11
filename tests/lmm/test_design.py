import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.errors import DesignError
from nextlmm.lmm.design import make_design


@given(st.integers(0, 1000), st.integers(1, 6), st.integers(-6, 6))
def test_make_design__basis_spans_the_covariates(seed, columns, exponent):
    rng = np.random.default_rng(seed)
    c = rng.standard_normal((20, columns)) * 10.0**exponent
    design = make_design(c)
    np.testing.assert_allclose(design.basis.T @ design.basis, np.eye(columns), atol=1e-12)
    np.testing.assert_allclose(design.basis @ design.triangle, c, atol=1e-12 * 10.0**exponent * 10)
    assert np.abs(design.project(c)).max() <= 1e-12 * 10.0**exponent * 10
    assert (design.n, design.n_covariates) == (20, columns)


def test_project__takes_vectors_and_matrices(rng):
    design = make_design(np.column_stack((np.ones(9), np.arange(9.0))))
    x = rng.standard_normal((9, 2))
    np.testing.assert_allclose(design.project(x)[:, 1], design.project(x[:, 1]), atol=1e-14)


@pytest.mark.parametrize(
    ("covariates", "message"),
    [
        (np.ones((3, 3)), "shape \\(3, 3\\)"),
        (np.ones(3), "shape \\(3,\\)"),
        (np.ones((3, 0)), "shape \\(3, 0\\)"),
        (np.array([[1.0, 1.0], [1.0, np.nan], [1.0, 3.0]]), "column 2 is nan for sample 2"),
        (np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]), "column 2 of 2 is a linear"),
        (np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]), "column 2 of 2 is a linear"),
    ],
)
def test_make_design__refuses(covariates, message):
    with pytest.raises(DesignError, match=message):
        make_design(covariates)


def test_make_design__units_do_not_make_a_covariate_dependent(rng):
    position = 1e9 + 1e4 * rng.standard_normal(50)
    make_design(np.column_stack((np.ones(50), 1e-12 * rng.standard_normal(50), position)))


@pytest.mark.parametrize("offset", [1e6, 1e9, -1e11])
def test_make_design__an_offset_does_not_make_a_covariate_dependent(rng, offset):
    column = np.round(rng.standard_normal(50), 2)
    design = make_design(np.column_stack((np.ones(50), offset + column)))
    plain = make_design(np.column_stack((np.ones(50), (offset + column) - offset)))
    np.testing.assert_allclose(design.basis, plain.basis, atol=1e-13)
    rebuilt = design.basis @ design.triangle
    np.testing.assert_allclose(rebuilt, design.covariates, rtol=1e-14)


def test_make_design__refuses_a_constant_that_its_mean_does_not_equal():
    with pytest.raises(DesignError, match="column 2 of 2"):
        make_design(np.column_stack((np.ones(49), np.full(49, 0.1))))


def test_make_design__prints_as_one_line():
    design = make_design(np.column_stack((np.ones(9), np.arange(9.0))))
    assert repr(design) == "<design of 9 samples and 2 covariates>"
