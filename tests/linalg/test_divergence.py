"""The measured divergence against its definition, and bounds that hold for every vector."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextlmm.linalg import divergence as module
from nextlmm.linalg.dense import CholeskyFactor, DenseCovariance, cholesky_in_place
from nextlmm.linalg.divergence import (
    eigenvalue_range,
    measure_divergence,
    relative_residual,
)
from nextlmm.linalg.hierarchy import divergence_of
from nextlmm.linalg.hodlr_build import Budget, hodlr_covariance
from nextlmm.linalg.spectral import spectral_covariance
from nextlmm.linalg.tree import balanced_tree

from .conftest import structured


def pair(n=90, rank=2, seed=0, weight=0.6):
    k = structured(n, 300, seed)
    approximate = hodlr_covariance(k, balanced_tree(n, 12), Budget(rank=rank), weight=weight).built
    return approximate, DenseCovariance(k).factor(weight)


def eigenvalues(approximate, exact):
    return np.linalg.eigvals(np.linalg.solve(approximate.to_dense(), exact.to_dense())).real


def test_measure__agrees_with_the_definition():
    approximate, exact = pair()
    measured = measure_divergence(approximate, exact)
    mu = eigenvalues(approximate, exact)
    assert measured.kl == pytest.approx(divergence_of(mu).sum() / 2.0, rel=1e-8)
    low, high = eigenvalue_range(approximate, exact)
    assert low == pytest.approx(mu.min(), rel=1e-8)
    assert high == pytest.approx(mu.max(), rel=1e-8)
    assert measured.logdet_error == pytest.approx(-np.log(mu).sum(), rel=1e-8)


def test_measure__lanczos_brackets_the_same_eigenvalues(monkeypatch):
    approximate, exact = pair()
    mu = eigenvalues(approximate, exact)
    monkeypatch.setattr(module, "_ALL_EIGENVALUES", 10)
    low, high = eigenvalue_range(approximate, exact)
    assert mu.min() * (1 - 3e-4) <= low <= mu.min() * (1 + 1e-9)
    assert mu.max() * (1 - 1e-9) <= high <= mu.max() * (1 + 3e-4)
    assert measure_divergence(approximate, exact).kl == pytest.approx(
        divergence_of(mu).sum() / 2.0, rel=1e-8
    )


def test_measure__exact_factor_is_zero_to_rounding():
    covariance = DenseCovariance(structured())
    exact, again = covariance.factor(0.5), covariance.factor(0.5)
    for measured in (measure_divergence(exact, exact), measure_divergence(again, exact)):
        check_zero(measured)


def check_zero(measured):
    assert abs(measured.kl) <= 10 * measured.kl_rounding
    assert abs(measured.logdet_error) <= 10 * measured.kl_rounding
    assert measured.relative_residual < 1e-12


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), rank=st.integers(0, 4), weight=st.floats(0.05, 0.98))
def test_measure__bounds_hold_for_every_vector(seed, rank, weight):
    approximate, exact = pair(40, rank, seed, weight)
    low, high = eigenvalue_range(approximate, exact)
    x = np.random.default_rng(seed).normal(size=(40, 50))
    ratio = np.sum(x * exact.solve(x), axis=0) / np.sum(x * approximate.solve(x), axis=0)
    assert (ratio <= 1.0 / low * (1 + 1e-12)).all()
    assert (ratio >= 1.0 / high * (1 - 1e-12)).all()


@pytest.mark.parametrize("make", [DenseCovariance, spectral_covariance], ids=["dense", "spectral"])
def test_relative_residual__of_an_exact_covariance_is_rounding(make):
    assert 0.0 < relative_residual(make(structured()), 0.7) < 1e-12


def test_relative_residual__of_a_poor_factor_is_large():
    class Poor(DenseCovariance):
        def factor(self, weight):
            return DenseCovariance(np.eye(self.n)).factor(weight)

    assert relative_residual(Poor(structured()), 0.7) > 0.1


def test_cholesky_in_place__is_the_factor():
    sigma = structured() + np.eye(150)
    lower = cholesky_in_place(np.asfortranarray(sigma))
    np.testing.assert_allclose(CholeskyFactor(lower).to_dense(), sigma, atol=1e-12)
