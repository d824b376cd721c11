"""The hierarchical factor: positive definite at any rank, within its budget, exact at the end."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextlmm.errors import UsageError
from nextlmm.linalg.dense import CholeskyFactor, DenseCovariance
from nextlmm.linalg.divergence import measure_divergence
from nextlmm.linalg.hierarchy import divergence_of
from nextlmm.linalg.hodlr import MergedFactor, ranks_per_level
from nextlmm.linalg.hodlr_build import Budget, hodlr_covariance, tree_of
from nextlmm.linalg.ordering import cluster_tree
from nextlmm.linalg.tree import balanced_tree

from .conftest import structured

LEAF = 16


def in_tree_order(k, leaf_size=LEAF):
    tree = cluster_tree(k, leaf_size=leaf_size)
    return np.asfortranarray(k[np.ix_(tree.permutation, tree.permutation)]), tree


def kl_by_definition(factor, k, weight):
    """(tr(A^-1 Sigma) - n - log det(A^-1 Sigma)) / 2 from eigenvalues of the dense matrices."""
    sigma = weight * k + (1.0 - weight) * np.eye(len(k))
    values = np.linalg.eigvals(np.linalg.solve(factor.to_dense(), sigma)).real
    return float(divergence_of(values).sum() / 2.0)


@pytest.mark.parametrize("rank", [0, 1, 2, 5, 20])
@pytest.mark.parametrize("weight", [0.1, 0.9, 0.999])
def test_build__is_positive_definite_at_every_rank(k, rank, weight):
    ordered, tree = in_tree_order(k)
    factor = hodlr_covariance(ordered, tree, Budget(rank=rank), weight=weight).built
    eigenvalues = np.linalg.eigvalsh(factor.to_dense())
    assert eigenvalues.min() > 0.0
    assert np.isfinite(factor.logdet)


@pytest.mark.parametrize("tolerance", [10.0, 1.0, 0.1, 0.01])
def test_build__stays_within_its_budget(k, tolerance):
    ordered, tree = in_tree_order(k)
    for weight in (0.2, 0.9):
        factor = hodlr_covariance(ordered, tree, Budget(kl=tolerance), weight=weight).built
        assert kl_by_definition(factor, ordered, weight) < tolerance + 1e-8


def test_build__divergence_falls_monotonically_to_rounding(k):
    ordered, tree = in_tree_order(k)
    exact = DenseCovariance(ordered).factor(0.5)
    measured = [
        measure_divergence(
            hodlr_covariance(ordered, tree, Budget(kl=10.0**-step), weight=0.5).built, exact
        )
        for step in range(-2, 13)
    ]
    kl = [m.kl for m in measured]
    slack = measured[0].kl_rounding
    assert all(later <= earlier + slack for earlier, later in pairwise(kl))
    assert abs(kl[-1]) < 1e-11


def test_build__divergence_falls_with_rank():
    ordered, tree = in_tree_order(structured())
    exact = DenseCovariance(ordered).factor(0.5)
    kl = [
        measure_divergence(
            hodlr_covariance(ordered, tree, Budget(rank=r), weight=0.5).built, exact
        ).kl
        for r in (0, 1, 2, 4, 8, 16, 32)
    ]
    assert kl == sorted(kl, reverse=True)
    assert kl[-1] < kl[0] / 20.0


def test_build__every_column_saves_what_the_identity_says():
    """The divergence of the whole is that of the leaves less the sum over all cores."""
    ordered, tree = in_tree_order(structured())
    exact = DenseCovariance(ordered).factor(0.5)
    leaves = hodlr_covariance(ordered, tree, Budget(rank=0), weight=0.5).built
    factor = hodlr_covariance(ordered, tree, Budget(rank=3), weight=0.5).built

    def saved(node):
        if not isinstance(node, MergedFactor):
            return 0.0
        return saved(node.left) + saved(node.right) + divergence_of(node.core).sum() / 2.0

    before, after = (measure_divergence(f, exact).kl for f in (leaves, factor))
    assert before - after == pytest.approx(saved(factor), rel=1e-9)


def test_build__a_matrix_that_does_not_compress_becomes_one_dense_leaf():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(120, 150))
    k = z @ z.T
    k *= 120 / np.trace(k)
    factor = hodlr_covariance(k, balanced_tree(120, 16), Budget(kl=1e-3), weight=0.8).built
    assert isinstance(factor, CholeskyFactor)
    assert tree_of(factor).children is None


def test_build__a_rank_cap_wins_over_the_tolerance():
    ordered, tree = in_tree_order(structured())
    factor = hodlr_covariance(ordered, tree, Budget(kl=1e-6, rank=2), weight=0.5).built
    ranks = [level.rank_max for level in ranks_per_level(factor) if level.rank_max is not None]
    assert max(ranks) <= 2
    assert measure_divergence(factor, DenseCovariance(ordered).factor(0.5)).kl > 1e-6


def test_factor__other_weights_keep_the_bases_and_stay_close():
    ordered, tree = in_tree_order(structured())
    covariance = hodlr_covariance(ordered, tree, Budget(rank=16), weight=0.5)
    same = covariance.factor(0.5)
    assert same.logdet == pytest.approx(covariance.built.logdet, abs=1e-9)
    other = covariance.factor(0.55)
    kl = measure_divergence(other, DenseCovariance(ordered).factor(0.55)).kl
    fresh = hodlr_covariance(ordered, tree, Budget(rank=16), weight=0.55).built
    best = measure_divergence(fresh, DenseCovariance(ordered).factor(0.55)).kl
    assert best - 1e-9 <= kl < 2.0 * best + 0.1


def test_build__same_seed_same_bytes():
    ordered, tree = in_tree_order(structured())
    first, second = (
        hodlr_covariance(ordered, tree, Budget(rank=4), weight=0.5, seed=3).built.to_dense()
        for _ in range(2)
    )
    assert (first == second).all()


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 40), leaf=st.integers(1, 12), rank=st.integers(0, 6), seed=st.integers(0, 99)
)
def test_build__any_size_leaf_and_rank(n, leaf, rank, seed):
    z = np.random.default_rng(seed).normal(size=(n, 5))
    k = z @ z.T + 0.1 * np.eye(n)
    k *= n / np.trace(k)
    factor = hodlr_covariance(k, balanced_tree(n, leaf), Budget(rank=rank), weight=0.7).built
    x = np.ones((n, 2))
    np.testing.assert_allclose(factor.matmul(factor.solve(x)), x, atol=1e-8)
    assert kl_by_definition(factor, k, 0.7) >= -1e-9


@pytest.mark.parametrize(
    ("kl", "rank", "message"),
    [(None, None, "got neither"), (0.0, None, "above 0"), (None, -1, "0 or more")],
)
def test_budget__refuses_what_it_cannot_mean(kl, rank, message):
    with pytest.raises(UsageError, match=message):
        Budget(kl=kl, rank=rank)
