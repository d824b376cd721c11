"""Leaving out one sample in closed form against leaving it out."""

import numpy as np
import pytest

from nextlmm.linalg.dense import DenseCovariance
from nextlmm.lmm.design import make_design
from nextlmm.lmm.leave_one_out import leave_one_out
from nextlmm.lmm.likelihood import whiten_trait

N = 60


def predicted(y, c, k, h2):
    factor, design = DenseCovariance(k).factor(h2), make_design(c)
    return leave_one_out(factor, whiten_trait(factor, y, design, h2=h2), design)


@pytest.fixture
def arrays(rng):
    z = rng.normal(size=(N, 90))
    z -= z.mean(axis=0)
    k = z @ z.T
    k *= N / np.trace(k)
    c = np.column_stack([np.ones(N), rng.normal(size=N), np.arange(N) % 3 == 0])
    return rng.normal(size=N) + 50.0, c, k


@pytest.mark.parametrize("h2", [1e-5, 0.3, 0.95])
def test_leave_one_out__is_the_fit_of_the_others(arrays, h2):
    y, c, k = arrays
    found = predicted(y, c, k, h2)
    sigma = h2 * k + (1.0 - h2) * np.eye(N)
    for i in range(N):
        rest = np.delete(np.arange(N), i)
        inverse = np.linalg.inv(sigma[np.ix_(rest, rest)])
        beta = np.linalg.solve(c[rest].T @ inverse @ c[rest], c[rest].T @ inverse @ y[rest])
        genetic = sigma[i, rest] @ inverse @ (y[rest] - c[rest] @ beta)
        # the condition number of Sigma, some hundreds, times 1e-16, times the trait's 50
        assert found.adjusted[i] == pytest.approx(y[i] - c[i] @ beta, abs=1e-10)
        assert found.genetic[i] == pytest.approx(genetic, abs=1e-10)
        assert found.residual[i] == pytest.approx(y[i] - c[i] @ beta - genetic, abs=1e-10)


def test_leave_one_out__blocks_change_nothing(arrays, monkeypatch):
    first = predicted(*arrays, 0.5)
    monkeypatch.setattr("nextlmm.lmm.leave_one_out._BLOCK", 7)
    second = predicted(*arrays, 0.5)
    np.testing.assert_allclose(second.genetic, first.genetic, rtol=1e-10, atol=1e-12)


def test_leave_one_out__who_has_a_covariate_alone_is_not_known(arrays):
    y, c, k = arrays
    alone = np.column_stack([c, np.arange(N) == 4])
    found = predicted(y, alone, k, 0.4)
    assert np.flatnonzero(~found.is_known).tolist() == [4]
    # whom nobody knows helps nobody: the others are as without that sample
    rest = np.delete(np.arange(N), 4)
    others = predicted(y[rest], c[rest], k[np.ix_(rest, rest)], 0.4)
    np.testing.assert_allclose(found.genetic[rest], others.genetic, rtol=1e-8, atol=1e-10)


def test_leave_one_out__unit_and_origin_of_the_trait_scale(arrays):
    y, c, k = arrays
    one, two = predicted(y, c, k, 0.5), predicted(1e3 * y + 7.0, c, k, 0.5)
    np.testing.assert_allclose(two.genetic, 1e3 * one.genetic, rtol=1e-8, atol=1e-8)
