"""Factors at every weight from one set of columns, against the dense matrix they stand for."""

import numpy as np
import pytest

from nextlmm.errors import NumericalError
from nextlmm.linalg.dense import DenseCovariance
from nextlmm.linalg.divergence import measure_divergence
from nextlmm.linalg.hierarchy import Hierarchy, NodeColumns
from nextlmm.linalg.hodlr_levels import (
    COMPONENTS,
    NOTHING,
    DenseBlocks,
    Effort,
    Ranks,
    build_hierarchy,
)
from nextlmm.linalg.inverse_form import inverse_form
from nextlmm.linalg.ordering import cluster_tree
from nextlmm.linalg.tree import balanced_tree

from .conftest import structured

LEAF = 16
WEIGHTS = [0.0, 0.1, 0.5, 0.9, 0.999]


@pytest.fixture(scope="module")
def ordered():
    k = structured()
    tree = cluster_tree(k, leaf_size=LEAF)
    return np.asfortranarray(k[np.ix_(tree.permutation, tree.permutation)]), tree


STANDARD = Ranks()


def hierarchy(ordered, ranks=STANDARD, weight=0.5):
    k, tree = ordered
    return build_hierarchy(DenseBlocks(k), tree, weight=weight, ranks=ranks)


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("ranks", [STANDARD, COMPONENTS, NOTHING])
def test_factor__does_what_its_dense_matrix_does(ordered, ranks, weight):
    factor = hierarchy(ordered, ranks).factor(weight)
    sigma = factor.to_dense()
    # eigenvalues between 1e-3 and 1e2: a condition number of 1e5 leaves 1e-10
    close = {"rtol": 1e-9, "atol": 1e-9}
    x = np.random.default_rng(1).standard_normal((150, 3))
    np.testing.assert_allclose(sigma, sigma.T, **close)
    assert np.linalg.eigvalsh(sigma).min() > 0.0
    np.testing.assert_allclose(factor.solve(x), np.linalg.solve(sigma, x), **close)
    np.testing.assert_allclose(factor.unwhiten(factor.whiten(x)), x, **close)
    np.testing.assert_allclose(factor.whiten(factor.unwhiten(x)), x, **close)
    np.testing.assert_allclose(factor.whiten_transposed(factor.unwhiten_transposed(x)), x, **close)
    np.testing.assert_allclose(factor.whiten(x[:, 0]), factor.whiten(x)[:, 0], **close)
    root = factor.whiten(np.eye(150))
    np.testing.assert_allclose(factor.whiten_transposed(np.eye(150)), root.T, **close)
    np.testing.assert_allclose(factor.diagonal(), sigma.diagonal(), **close)
    assert factor.logdet == pytest.approx(np.linalg.slogdet(sigma)[1], abs=1e-8)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_factor__agrees_with_sigma_on_leaves_and_on_every_column(ordered, weight):
    found, k = hierarchy(ordered), ordered[0]
    sigma = weight * k + (1.0 - weight) * np.eye(150)
    factor = found.factor(weight)
    for node in found.nodes:
        if node.level == 0:  # nothing above changes it
            u = np.zeros((150, node.columns.shape[1]))
            u[node.rows] = node.columns
            np.testing.assert_allclose(
                u.T @ factor.matmul(u), u.T @ sigma @ u, rtol=1e-6, atol=1e-9
            )
    alone = Hierarchy(found.root, found.leaves, ()).factor(weight).to_dense()
    for leaf in found.root.leaves():
        rows = slice(leaf.start, leaf.stop)
        np.testing.assert_allclose(alone[rows, rows], sigma[rows, rows], atol=1e-12)


@pytest.mark.parametrize("weight", [0.05, 0.3, 0.8, 0.99])
def test_factor__with_all_columns_is_exact_at_every_weight(ordered, weight):
    full = Ranks(root=Effort(150, 1, 150), inner=Effort(150, 1, 150), worth=0.0)
    factor = hierarchy(ordered, full).factor(weight)
    exact = DenseCovariance(ordered[0]).factor(weight)
    np.testing.assert_allclose(factor.to_dense(), exact.to_dense(), atol=1e-10)
    assert factor.logdet == pytest.approx(exact.logdet, abs=1e-8)


@pytest.mark.parametrize("weight", [0.3, 0.7])
def test_factor__at_another_weight_is_little_worse_than_one_built_there(ordered, weight):
    """The columns that are best change slowly with the weight."""
    exact = DenseCovariance(ordered[0]).factor(weight)
    ranks = Ranks(root=Effort(8, 7, 8), inner=Effort(8, 7, 8), worth=0.0)
    moved = measure_divergence(hierarchy(ordered, ranks).factor(weight), exact).kl
    built = measure_divergence(hierarchy(ordered, ranks, weight).factor(weight), exact).kl
    leaves = measure_divergence(hierarchy(ordered, Ranks(None, None)).factor(weight), exact).kl
    assert moved - built < 0.1 * (leaves - built)


def test_factor__its_log_determinant_is_smooth(ordered):
    """Third differences fall with the third power of the step, until rounding."""
    found = hierarchy(ordered)
    sizes = []
    for step in (0.02, 0.01):
        values = [found.factor(0.4 + step * at).logdet for at in range(4)]
        sizes.append(abs(np.diff(values, 3)[0]))
    assert sizes[1] < sizes[0] / 5.0


def test_pruned__drops_what_is_worth_nothing_and_changes_little_else(ordered):
    k = ordered[0]
    exact = DenseCovariance(k).factor(0.5)
    whole = hierarchy(ordered, Ranks(worth=0.0))
    pruned = whole.pruned(0.5, 0.1)
    count = [sum(node.columns.shape[1] for node in each.nodes) for each in (whole, pruned)]
    assert 0 < count[1] < count[0]
    kl = [measure_divergence(each.factor(0.5), exact).kl for each in (whole, pruned)]
    assert kl[0] < kl[1] < kl[0] + 0.05 * (count[0] - count[1]) * 1.5


def test_factor__dependent_columns_are_refused():
    tree = balanced_tree(16, 4)
    u = np.ones((16, 2))
    u[:, 1] *= 2.0  # its Gram matrix has an exact square root
    node = NodeColumns(tree.root, 0, u, u.T @ u, 0.0)
    with pytest.raises(NumericalError, match="linearly dependent"):
        Hierarchy(tree.root, None, (node,)).factor(0.5)


def test_levels__count_what_the_nodes_hold(ordered):
    factor = hierarchy(ordered).factor(0.5)
    levels = factor.levels()
    assert levels[0].nodes == 1
    assert levels[0].rows_max == 150
    assert sum(level.leaves for level in levels) == len(list(ordered[1].root.leaves()))
    assert levels[-1].rank_max is None
    kept = max(len(found.core) for found in factor.corrections)
    assert max(level.rank_max or 0 for level in levels) == kept


@pytest.mark.parametrize("ranks", [STANDARD, COMPONENTS, NOTHING])
def test_inverse_form__is_that_of_the_factor(ordered, ranks):
    factor = hierarchy(ordered, ranks).factor(0.7)
    x = np.random.default_rng(2).standard_normal((150, 4))
    expected = np.einsum("ij,ij->j", x, np.linalg.solve(factor.to_dense(), x))
    np.testing.assert_allclose(inverse_form(factor).of(x), expected, rtol=1e-9)


def test_replaced__is_the_hierarchy_of_another_matrix(ordered):
    k, found = ordered[0], hierarchy(ordered)
    other = 0.5 * k + 0.5 * np.diag(np.linspace(0.5, 1.5, 150))
    blocks = DenseBlocks(other)
    nodes = [node for node, _ in found.leaves]
    moved = found.replaced(
        dict(zip(nodes, blocks.leaves(nodes), strict=True)),
        blocks.energies({node.node: node.columns for node in found.nodes}),
    )
    exact = DenseCovariance(other).factor(0.5)
    kl = measure_divergence(moved.factor(0.5), exact).kl
    assert kl < 0.2 * measure_divergence(found.factor(0.5), exact).kl
