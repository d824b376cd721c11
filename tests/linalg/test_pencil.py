"""Divergence and solves from Lanczos processes against the dense pencil."""

import numpy as np
import pytest

from nextlmm.linalg.dense import DenseCovariance
from nextlmm.linalg.divergence import measure_divergence
from nextlmm.linalg.hodlr_levels import LEAVES, DenseBlocks, Ranks, build_hierarchy
from nextlmm.linalg.pencil import directions, estimate_divergence, lanczos
from nextlmm.linalg.tree import balanced_tree

from .conftest import structured

N = 150


def pencil(ranks, weight=0.5, seed=0):
    """A factor, the exact one, and S as an array."""
    k = structured(N, seed=seed)
    factor = build_hierarchy(
        DenseBlocks(k), balanced_tree(N, 16), weight=weight, ranks=ranks
    ).factor(weight)
    exact = DenseCovariance(k).factor(weight)
    whitened = factor.whiten(np.asarray(exact.lower))
    return factor, exact, whitened @ whitened.T


def some(count, seed=0):
    return directions(N, count, np.random.default_rng(seed))


def is_settled(processes):
    return estimate_divergence(processes).is_settled


def run(s, start, enough=is_settled, **options):
    return lanczos(lambda x: s @ x, start, enough, **options)


@pytest.mark.parametrize("ranks", [LEAVES, Ranks()])
def test_estimate_divergence__its_interval_holds_the_exact_one(ranks):
    factor, exact, s = pencil(ranks)
    kl = measure_divergence(factor, exact).kl
    runs = [run(s, some(8, seed)).processes for seed in range(40)]
    found = [estimate_divergence(processes) for processes in runs]
    inside = sum(each.low <= kl <= each.high for each in found)
    # 95 % intervals: fewer than 33 of 40 have a probability below 2e-3
    assert inside >= 33
    mean = np.mean([each.kl for each in found])
    spread = np.std([each.kl for each in found]) / np.sqrt(40)
    assert abs(mean - kl) < 4.0 * spread
    assert np.median([each.high - each.low for each in found]) < 0.5 * kl
    # settled, and no later than that
    assert all(each.is_settled for each in found)
    assert max(processes[0].steps for processes in runs) < 30


def test_estimate_divergence__says_what_too_few_steps_leave_open():
    factor, exact, s = pencil(LEAVES)
    kl = measure_divergence(factor, exact).kl
    short = estimate_divergence(run(s, some(8), most=3).processes)
    settled = estimate_divergence(run(s, some(8)).processes)
    assert not short.is_settled
    assert short.low <= kl <= short.high
    assert short.high - short.low > settled.high - settled.low


def test_lanczos__an_exact_factor_is_known_to_be_one():
    found = run(np.eye(N), some(3))
    assert all(process.is_complete and process.steps == 1 for process in found.processes)
    divergence = estimate_divergence(found.processes)
    assert (divergence.kl, divergence.low, divergence.high) == pytest.approx((0, 0, 0), abs=1e-12)
    np.testing.assert_allclose(found.solutions(), some(3), rtol=1e-12)


def test_solutions__are_those_of_a_dense_solve_and_their_residuals_are_known():
    _, _, s = pencil(LEAVES)
    start = np.column_stack([some(2), 1e3 * np.random.default_rng(1).normal(size=N)])
    found = run(s, start, lambda processes: max(p.residual() for p in processes) < 1e-3)
    x = found.solutions()
    residual = np.linalg.norm(s @ x - start, axis=0) / np.linalg.norm(start, axis=0)
    np.testing.assert_allclose([p.residual() for p in found.processes], residual, rtol=1e-6)
    assert residual.max() < 1e-3
    assert found.processes[0].steps < N
    whole = run(s, start, lambda _: False, most=N).solutions()
    np.testing.assert_allclose(whole, np.linalg.solve(s, start), rtol=1e-7, atol=1e-9)


def test_extremes__are_the_eigenvectors_furthest_from_1():
    _, _, s = pencil(LEAVES)
    mu, vectors = np.linalg.eigh(s)
    worth = mu - 1.0 - np.log(mu)
    best = np.argsort(-worth)[:3]
    found = run(s, some(6), lambda processes: processes[0].steps == 14)
    values, directions = found.extremes(3)
    np.testing.assert_allclose(values, mu[best], rtol=1e-3)
    cosines = np.abs(np.sum(directions * vectors[:, best], axis=0))
    np.testing.assert_allclose(cosines, 1.0, atol=1e-2)
    values, directions = found.extremes(20)
    np.testing.assert_allclose(directions.T @ directions, np.eye(20), atol=1e-6)
    np.testing.assert_allclose(np.sum(directions * (s @ directions), axis=0), values, rtol=1e-6)
    of_identity, whole = run(np.eye(N), some(3)).extremes(5)
    np.testing.assert_allclose(of_identity, np.ones(3), rtol=1e-12)
    assert whole.shape == (N, 3)


def test_lanczos__a_process_that_has_ended_waits_for_the_others():
    s = np.diag(np.linspace(0.5, 2.0, N))
    start = np.column_stack([np.eye(N)[0] * 3.0, some(1)[:, 0], np.zeros(N)])
    found = run(s, start, lambda processes: processes[1].steps == 6)
    assert [process.steps for process in found.processes] == [1, 6, 1]
    expected = np.zeros(N)
    expected[0] = 3.0 / s[0, 0]
    np.testing.assert_allclose(found.solutions()[:, 0], expected, atol=1e-12)
    assert not found.solutions()[:, 2].any()


def test_lanczos__small_matrices_are_known_whole():
    mu = np.array([0.5, 1.0, 2.0])
    start = directions(3, 8, np.random.default_rng(2))
    found = run(np.diag(mu), start, lambda _: False).processes
    assert all(process.is_complete for process in found)
    expected = np.sum(mu - 1.0 - np.log(mu)) / 2.0
    divergence = estimate_divergence(found)
    assert divergence.low <= expected <= divergence.high
