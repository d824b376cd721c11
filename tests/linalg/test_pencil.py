"""Divergence and spectra from random vectors against all eigenvalues of the dense pencil."""

import numpy as np
import pytest

from nextlmm.linalg.dense import DenseCovariance
from nextlmm.linalg.divergence import measure_divergence
from nextlmm.linalg.hodlr_levels import LEAVES, DenseBlocks, Ranks, build_hierarchy
from nextlmm.linalg.pencil import bounded_spectrum, estimate_divergence, lanczos
from nextlmm.linalg.tree import balanced_tree

from .conftest import structured

N = 150


def pencil(ranks, weight=0.5, seed=0):
    """A factor, the exact one, S as an array, and S as a product."""
    k = structured(N, seed=seed)
    factor = build_hierarchy(
        DenseBlocks(k), balanced_tree(N, 16), weight=weight, ranks=ranks
    ).factor(weight)
    exact = DenseCovariance(k).factor(weight)
    whitened = factor.whiten(np.asarray(exact.lower))
    return factor, exact, whitened @ whitened.T


def processes(s, count, seed=0):
    return lanczos(lambda x, _: s @ x, len(s), np.zeros(count, dtype=np.intp), seed=seed)


@pytest.mark.parametrize("ranks", [LEAVES, Ranks()])
def test_estimate_divergence__its_interval_holds_the_exact_one(ranks):
    factor, exact, s = pencil(ranks)
    kl = measure_divergence(factor, exact).kl
    found = [estimate_divergence(processes(s, 8, seed)) for seed in range(40)]
    inside = sum(each.low <= kl <= each.high for each in found)
    # 95 % intervals: fewer than 33 of 40 have a probability below 2e-3
    assert inside >= 33
    mean = np.mean([each.kl for each in found])
    spread = np.std([each.kl for each in found]) / np.sqrt(40)
    assert abs(mean - kl) < 4.0 * spread
    assert np.median([each.high - each.low for each in found]) < 0.5 * kl


@pytest.mark.parametrize("ranks", [LEAVES, Ranks()])
@pytest.mark.parametrize("count", [1, 4])
def test_bounded_spectrum__holds_every_eigenvalue_and_little_more(ranks, count):
    _, _, s = pencil(ranks)
    mu = np.linalg.eigvalsh(s)
    for seed in range(10):
        low, high = bounded_spectrum(processes(s, count, seed))
        assert low <= mu[0] * (1.0 + 1e-9)
        assert high >= mu[-1] * (1.0 - 1e-9)
        assert high < mu[-1] + 0.5 * (mu[-1] - mu[0])


def test_lanczos__an_exact_factor_is_known_to_be_one():
    found = processes(np.eye(N), 3)
    assert all(process.is_complete and process.steps == 1 for process in found)
    divergence = estimate_divergence(found)
    assert (divergence.kl, divergence.low, divergence.high) == pytest.approx((0, 0, 0), abs=1e-12)
    assert bounded_spectrum(found) == pytest.approx((1.0, 1.0))


def test_lanczos__every_column_has_its_own_matrix():
    first, second = (pencil(ranks)[2] for ranks in (LEAVES, Ranks()))
    of = np.array([0, 1, 1])

    def product(x, columns):
        return np.column_stack(
            [(first, second)[of[column]] @ v for v, column in zip(x.T, columns, strict=True)]
        )

    together = lanczos(product, N, of, seed=3)
    for number, s in ((0, first), (1, second), (2, second)):
        alone = lanczos(lambda x, _, s=s: np.column_stack([s @ v for v in x.T]), N, of, seed=3)
        steps = min(together[number].steps, alone[number].steps)
        np.testing.assert_allclose(
            together[number].main[:steps], alone[number].main[:steps], rtol=1e-8
        )


def test_lanczos__small_matrices_are_known_whole():
    s = np.diag([0.5, 1.0, 2.0])
    found = processes(s, 2)
    assert bounded_spectrum(found) == pytest.approx((0.5, 2.0), rel=1e-4)
    mu = np.diag(s)
    expected = np.sum(mu - 1.0 - np.log(mu)) / 2.0
    divergence = estimate_divergence(processes(s, 8))
    assert divergence.low <= expected <= divergence.high


@pytest.mark.parametrize("seed", range(20))
def test_bounded_spectrum__holds_the_difference_of_two_samples(seed):
    """An eigenvector of twins, to which random signs are orthogonal in one of two cases."""
    s = pencil(Ranks())[2]
    difference = np.zeros(N)
    difference[[3, 4]] = 1.0, -1.0
    apart = np.eye(N) - np.outer(difference, difference) / 2.0
    s = apart @ s @ apart + 9.0 * np.outer(difference, difference) / 2.0
    low, high = bounded_spectrum(processes(s, 1, seed))
    assert high >= 9.0
    assert low <= np.linalg.eigvalsh(s)[0] * (1.0 + 1e-9)
