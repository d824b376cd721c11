"""Populations contiguous, relatives in one leaf, no cut through a family, any order of input."""

from itertools import pairwise

import numpy as np
import pytest

from nextlmm.linalg.dense import DenseCovariance
from nextlmm.linalg.divergence import measure_divergence
from nextlmm.linalg.hodlr_build import Budget, hodlr_covariance
from nextlmm.linalg.ordering import bisect, cluster_tree
from nextlmm.linalg.tree import balanced_tree


def cohort(seed=0, n_families=20, family=6, populations=3, m=3000):
    """K with labels: every family lies in one population."""
    rng = np.random.default_rng(seed)
    population = np.repeat(np.arange(populations), n_families)
    family_of = np.repeat(np.arange(populations * n_families), family)
    rows = rng.normal(0.0, 0.6, (populations, m))[population[family_of]]
    rows = rows + rng.normal(size=(populations * n_families, m))[family_of]
    rows = rows + rng.normal(size=rows.shape)
    rows -= rows.mean(axis=0)
    k = rows @ rows.T
    k *= len(k) / np.trace(k)
    shuffle = rng.permutation(len(k))
    return k[np.ix_(shuffle, shuffle)], population[family_of][shuffle], family_of[shuffle]


def test_cluster_tree__is_a_permutation_over_ranges_that_cover():
    k, _, _ = cohort()
    tree = cluster_tree(k, leaf_size=32)
    assert sorted(tree.permutation) == list(range(len(k)))
    edges = [(leaf.start, leaf.stop) for leaf in tree.root.leaves()]
    assert edges[0][0] == 0
    assert edges[-1][1] == len(k)
    assert all(a[1] == b[0] for a, b in pairwise(edges))
    assert all(stop - start <= 32 for start, stop in edges)


def test_cluster_tree__populations_are_contiguous():
    k, population, _ = cohort()
    ordered = population[cluster_tree(k, leaf_size=32).permutation]
    assert np.count_nonzero(np.diff(ordered)) == 2


def test_cluster_tree__no_family_is_cut():
    k, _, family = cohort()
    tree = cluster_tree(k, leaf_size=32)
    ordered = family[tree.permutation]
    for leaf in tree.root.leaves():
        inside = set(ordered[leaf.start : leaf.stop])
        outside = set(ordered[: leaf.start]) | set(ordered[leaf.stop :])
        assert not inside & outside


def test_cluster_tree__beats_the_order_of_the_file():
    k, _, _ = cohort()
    tree = cluster_tree(k, leaf_size=32)
    ordered = k[np.ix_(tree.permutation, tree.permutation)]
    kl = [
        measure_divergence(
            hodlr_covariance(matrix, shape, Budget(rank=4), weight=0.5).built,
            DenseCovariance(matrix).factor(0.5),
        ).kl
        for matrix, shape in ((ordered, tree), (k, balanced_tree(len(k), 32)))
    ]
    assert kl[0] < kl[1] / 2.0


def test_cluster_tree__input_order_does_not_matter():
    k = cohort()[0]
    shuffle = np.random.default_rng(9).permutation(len(k))
    kl = []
    for order in (np.arange(len(k)), shuffle):
        matrix = k[np.ix_(order, order)]
        tree = cluster_tree(matrix, leaf_size=32)
        ordered = matrix[np.ix_(tree.permutation, tree.permutation)]
        built = hodlr_covariance(ordered, tree, Budget(rank=4), weight=0.5).built
        kl.append(measure_divergence(built, DenseCovariance(ordered).factor(0.5)).kl)
    assert kl[1] == pytest.approx(kl[0], rel=0.15)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 9])
def test_cluster_tree__tiny(n):
    tree = cluster_tree(np.eye(n), leaf_size=2)
    assert sorted(tree.permutation) == list(range(n))


def test_cluster_tree__a_chain_of_relatives_is_cut_at_leaf_size():
    n = 100
    k = np.eye(n) + 0.5 * (np.eye(n, k=1) + np.eye(n, k=-1))
    tree = cluster_tree(k, leaf_size=10)
    assert max(leaf.size for leaf in tree.root.leaves()) <= 10


def test_bisect__identical_rows_still_split():
    tree = bisect(np.zeros((64, 2)), np.arange(64), leaf_size=8)
    assert max(leaf.size for leaf in tree.root.leaves()) <= 8
