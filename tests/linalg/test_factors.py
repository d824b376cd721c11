"""Every factor and covariance does what the array it stands for does."""

import numpy as np
import pytest

from nextlmm.errors import NotPositiveDefiniteError, NumericalError
from nextlmm.linalg.dense import DenseCovariance, weighted_with_identity
from nextlmm.linalg.hodlr_build import Budget, HodlrCovariance, hodlr_covariance
from nextlmm.linalg.spectral import spectral_covariance
from nextlmm.linalg.tree import balanced_tree
from nextlmm.linalg.tridiagonal import tridiagonal_covariance
from nextlmm.work import Ledger

EPS = np.finfo(float).eps
WEIGHT = 0.6


def exact_tree_covariance(k):
    return hodlr_covariance(k, balanced_tree(len(k), 16), Budget(rank=8), weight=WEIGHT)


COVARIANCES = {
    "dense": DenseCovariance,
    "spectral": spectral_covariance,
    "tridiagonal": tridiagonal_covariance,
    "hodlr": exact_tree_covariance,
}


@pytest.fixture(params=COVARIANCES)
def covariance(request, k):
    return COVARIANCES[request.param](k)


def check_factor(factor, sigma):
    """The conformance suite: one definition per method, tolerance from the condition number."""
    n = len(sigma)
    tolerance = 100.0 * n * EPS * np.linalg.cond(sigma)
    x = np.random.default_rng(5).normal(size=(n, 3))
    scale = np.abs(sigma).max() * np.abs(x).max() * n
    w = factor.unwhiten(np.eye(n))
    assert factor.n == n
    np.testing.assert_allclose(w @ w.T, sigma, atol=tolerance * np.abs(sigma).max(), rtol=0)
    np.testing.assert_allclose(factor.to_dense(), sigma, atol=tolerance * 10, rtol=0)
    np.testing.assert_allclose(factor.matmul(x), sigma @ x, atol=tolerance * scale, rtol=0)
    np.testing.assert_allclose(factor.diagonal(), sigma.diagonal(), atol=tolerance * 10, rtol=0)
    np.testing.assert_allclose(factor.unwhiten_transposed(x), w.T @ x, atol=tolerance * scale)
    np.testing.assert_allclose(factor.unwhiten(factor.whiten(x)), x, atol=tolerance * scale)
    np.testing.assert_allclose(
        factor.unwhiten_transposed(factor.whiten_transposed(x)), x, atol=tolerance * scale
    )
    np.testing.assert_allclose(sigma @ factor.solve(x), x, atol=tolerance * scale)
    np.testing.assert_allclose(factor.whiten(x[:, 0]), factor.whiten(x)[:, 0], atol=tolerance * 10)
    sign, logdet = np.linalg.slogdet(sigma)
    assert sign == 1.0
    assert factor.logdet == pytest.approx(logdet, abs=tolerance * n)
    assert factor.nbytes > 0


def test_factor__conforms_to_the_array_it_stands_for(covariance):
    if not isinstance(covariance, HodlrCovariance):
        sigma = weighted_with_identity(covariance.to_dense(), WEIGHT)
    else:
        sigma = covariance.built.to_dense()
    check_factor(covariance.factor(WEIGHT), sigma)


def test_covariance__conforms_to_its_own_array(covariance):
    dense = covariance.to_dense()
    x = np.random.default_rng(6).normal(size=(covariance.n, 2))
    np.testing.assert_allclose(covariance.matmul(x), dense @ x, atol=1e-9)
    np.testing.assert_allclose(covariance.matmul(x[:, 1]), dense @ x[:, 1], atol=1e-9)
    np.testing.assert_allclose(covariance.diagonal(), dense.diagonal(), atol=1e-9)


def test_factor__leaves_its_input_alone(k):
    before = k.copy()
    for make in COVARIANCES.values():
        factor = make(k).factor(0.3)
        x = np.ones((len(k), 2))
        factor.solve(x)
        factor.matmul(x)
        assert (x == 1.0).all()
    assert (k == before).all()


@pytest.mark.parametrize("make", [DenseCovariance, spectral_covariance, tridiagonal_covariance])
def test_factor__refuses_a_matrix_that_is_not_positive_definite(make):
    k = np.diag([3.0, 1.0, -1.0])
    with pytest.raises(NotPositiveDefiniteError, match="not positive definite"):
        make(k).factor(0.9)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("make", [DenseCovariance, spectral_covariance, tridiagonal_covariance])
def test_factor__of_very_few_rows(make, n):
    z = np.random.default_rng(n).normal(size=(n, 9))
    k = np.asfortranarray(z @ z.T / 9)
    check_factor(make(k).factor(WEIGHT), weighted_with_identity(k, WEIGHT))


def test_hodlr__built_at_weight_0_says_nothing_of_k():
    covariance = hodlr_covariance(np.eye(20), balanced_tree(20, 8), Budget(rank=2), weight=0.0)
    np.testing.assert_allclose(covariance.factor(0.0).to_dense(), np.eye(20), atol=1e-14)
    for refused in (lambda: covariance.matmul(np.ones(20)), covariance.diagonal):
        with pytest.raises(NumericalError, match="says nothing of K"):
            refused()


def test_hodlr__refuses_a_matrix_that_is_not_positive_definite():
    k = np.diag([1.0] * 20 + [-3.0] * 20)
    with pytest.raises(NotPositiveDefiniteError):
        hodlr_covariance(k, balanced_tree(40, 8), Budget(kl=0.1), weight=0.9)


def test_operations_are_counted():
    n, columns = 12, 5
    k = np.eye(n)
    x = np.ones((n, columns))
    ledger = Ledger()
    with ledger.stage("factor"):
        factor = DenseCovariance(k).factor(0.5)
    with ledger.stage("solve"):
        factor.solve(x)
    with ledger.stage("product"):
        DenseCovariance(k).matmul(x)
    counted = {name: work.operations for name, work in ledger.stages().items()}
    assert counted == {
        "factor": n**3 / 3,  # LAPACK's count of a Cholesky factorisation, to leading order
        "solve": 2 * n * n * columns,  # two triangles
        "product": 2 * n * n * columns,
    }
