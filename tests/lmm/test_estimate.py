"""The null model on a compressed matrix: exact when nothing is compressed, near it otherwise."""

import numpy as np
import pytest

from nextlmm.linalg.dense import DenseCovariance
from nextlmm.linalg.hodlr_build import Budget
from nextlmm.linalg.ordering import cluster_tree
from nextlmm.lmm import estimate as module
from nextlmm.lmm.estimate import estimate_null, estimate_null_hodlr


def cohort(n=160, m=600, seed=0):
    """Three populations and families, in tree order, with a trait of h2 about one half."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0.0, 0.8, (3, m))[np.arange(n) % 3] + rng.normal(size=(n, m))
    z[: n // 2] = (z[: n // 2] + rng.normal(size=(n // 8, m)).repeat(4, axis=0) * 2) / np.sqrt(5)
    z -= z.mean(axis=0)
    k = z @ z.T
    k *= n / np.trace(k)
    tree = cluster_tree(k, leaf_size=24)
    order = tree.permutation
    genetic = z @ rng.normal(size=m)
    y = genetic / genetic.std() + rng.normal(size=n)
    c = np.column_stack([np.ones(n), rng.normal(size=n)])
    return y[order], c[order], np.asfortranarray(k[np.ix_(order, order)]), tree


@pytest.mark.parametrize("method", ["reml", "ml", "he"])
def test_estimate_null_hodlr__within_a_small_tolerance_is_the_exact_one(method):
    y, c, k, tree = cohort()
    fit = estimate_null_hodlr(y, c, k, tree, budget=Budget(kl=1e-9), method=method)
    exact = estimate_null(y, c, DenseCovariance(k), method=method)
    assert fit.null.h2 == pytest.approx(exact.h2, abs=1e-6)
    assert fit.null.h2_se == pytest.approx(exact.h2_se, rel=1e-4)
    assert fit.null.sigma_g2 == pytest.approx(exact.sigma_g2, rel=1e-5)


def test_estimate_null_hodlr__nears_the_exact_one_with_rank():
    y, c, k, tree = cohort()
    exact = estimate_null(y, c, DenseCovariance(k), method="reml")
    error = [
        abs(
            estimate_null_hodlr(y, c, k, tree, budget=Budget(rank=r), method="reml").null.h2
            - exact.h2
        )
        for r in (2, 40)
    ]
    assert error[1] < error[0]
    assert error[1] < exact.h2_se


def test_estimate_null_hodlr__the_matrix_is_built_at_the_estimate():
    y, c, k, tree = cohort()
    fit = estimate_null_hodlr(y, c, k, tree, budget=Budget(rank=8), method="reml")
    assert fit.covariance.weight == fit.null.h2


def test_estimate_null_hodlr__a_trait_without_heritability_ends_at_the_boundary():
    _, c, k, tree = cohort()
    y = np.random.default_rng(0).normal(size=len(k))
    y -= np.linalg.eigh(k)[1][:, -60:] @ (np.linalg.eigh(k)[1][:, -60:].T @ y)
    fit = estimate_null_hodlr(y, c, k, tree, budget=Budget(rank=8), method="reml")
    assert fit.null.h2_boundary == "lower"
    assert fit.null.h2 < 1e-4


def test_estimate_null_hodlr__says_when_it_does_not_settle(monkeypatch):
    y, c, k, tree = cohort()
    monkeypatch.setattr(module, "_MOST_BUILDS", 1)
    fit = estimate_null_hodlr(y, c, k, tree, budget=Budget(rank=2), method="reml")
    assert fit.h2_movement == pytest.approx(abs(fit.null.h2 - 0.5))
    assert any("too coarse" in sentence for sentence in fit.null.warnings)


def test_estimate_null__moments_outside_the_range_are_flagged():
    _, c, k, _ = cohort()
    vectors = np.linalg.eigh(k)[1]
    y = vectors[:, 2:90] @ np.random.default_rng(1).normal(size=88)
    null = estimate_null(y, c, DenseCovariance(k), method="he")
    assert null.h2_boundary == "lower"
    assert null.h2 == 0.0
    assert any("outside its range" in sentence for sentence in null.warnings)
