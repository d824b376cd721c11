"""The factor built from products of diagonal blocks against dense answers and the direct build."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextlmm.errors import NotPositiveDefiniteError
from nextlmm.linalg import hodlr_levels
from nextlmm.linalg.dense import DenseCovariance
from nextlmm.linalg.divergence import measure_divergence
from nextlmm.linalg.hodlr import DiagonalFactor, MergedFactor
from nextlmm.linalg.hodlr_build import Budget, hodlr_covariance
from nextlmm.linalg.hodlr_levels import (
    COMPONENTS,
    COMPONENTS_AND_BLOCKS,
    LEAVES,
    NOTHING,
    DenseBlocks,
    Effort,
    Ranks,
    build_hierarchy,
)
from nextlmm.linalg.ordering import cluster_tree
from nextlmm.linalg.pcg import solve
from nextlmm.linalg.tree import balanced_tree

from .conftest import structured

LEAF = 16
ALL = Ranks(worth=0.0)


def hodlr_factor(blocks, tree, *, weight, **options):
    """The factor at the weight that its columns are searched at."""
    return build_hierarchy(blocks, tree, weight=weight, **options).factor(weight)


def in_tree_order(k, leaf_size=LEAF):
    tree = cluster_tree(k, leaf_size=leaf_size)
    return np.asfortranarray(k[np.ix_(tree.permutation, tree.permutation)]), tree


def iterations(factor, k, weight):
    b = np.random.default_rng(5).standard_normal((len(k), 3))
    found = solve(
        lambda x, _: weight * (k @ x) + (1.0 - weight) * x,
        lambda x, _: factor.solve(x),
        b,
        tolerance=1e-6 * np.linalg.norm(b, axis=0),
    )
    return int(found.iterations.max())


class Recording(DenseBlocks):
    """Blocks that count their calls."""

    calls: list

    def product(self, nodes):
        multiply = super().product(nodes)

        def counted(x):
            self.calls.append((len(nodes), x.shape[1]))
            return multiply(x)

        return counted


def recording(k):
    blocks = Recording(k)
    object.__setattr__(blocks, "calls", [])
    return blocks


@pytest.mark.parametrize("weight", [0.1, 0.9, 0.999])
@pytest.mark.parametrize(
    "ranks", [Ranks(), ALL, NOTHING, COMPONENTS, LEAVES, COMPONENTS_AND_BLOCKS]
)
def test_factor__is_positive_definite_whatever_is_left_out(k, ranks, weight):
    ordered, tree = in_tree_order(k)
    factor = hodlr_factor(DenseBlocks(ordered), tree, weight=weight, ranks=ranks, held_rows=32)
    assert np.linalg.eigvalsh(factor.to_dense()).min() > 0.0
    assert np.isfinite(factor.logdet)


@pytest.mark.parametrize("held_rows", [0, 32, 1000])
def test_factor__arrays_and_products_give_the_same(held_rows):
    ordered, tree = in_tree_order(structured())
    factor = hodlr_factor(DenseBlocks(ordered), tree, weight=0.5, held_rows=held_rows)
    same = hodlr_factor(DenseBlocks(ordered), tree, weight=0.5)
    # both do the same operations on the same numbers; rounding by 1e-16 grows in the searches
    np.testing.assert_allclose(factor.to_dense(), same.to_dense(), atol=1e-9)


def test_factor__is_no_further_off_than_the_direct_build_with_as_many_columns():
    ordered, tree = in_tree_order(structured())
    exact = DenseCovariance(ordered).factor(0.5)
    ranks = Ranks(root=Effort(16, 7, 8), inner=Effort(16, 7, 8), worth=0.0)
    levels = hodlr_factor(DenseBlocks(ordered), tree, weight=0.5, ranks=ranks)
    direct = hodlr_covariance(ordered, tree, Budget(rank=8), weight=0.5).built
    # a longer search finds at least as good columns, but for what the greedy order leaves open
    assert measure_divergence(levels, exact).kl < 1.02 * measure_divergence(direct, exact).kl


def test_factor__a_full_search_is_exact():
    ordered, tree = in_tree_order(structured())
    full = Ranks(root=Effort(150, 1, 150), inner=Effort(150, 1, 150), worth=0.0)
    factor = hodlr_factor(DenseBlocks(ordered), tree, weight=0.5, ranks=full)
    exact = DenseCovariance(ordered).factor(0.5)
    # products of 150 terms of size 1 in double precision
    np.testing.assert_allclose(factor.to_dense(), exact.to_dense(), atol=1e-11)


def test_factor__columns_not_worth_it_are_not_kept():
    ordered, tree = in_tree_order(structured())
    counts = [
        hodlr_factor(DenseBlocks(ordered), tree, weight=0.5, ranks=Ranks(worth=worth)).nbytes
        for worth in (0.0, 0.1, 1.0)
    ]
    assert counts[0] > counts[1] > counts[2]


def test_factor__more_columns_take_fewer_iterations():
    ordered, tree = in_tree_order(structured())
    taken = [
        iterations(hodlr_factor(DenseBlocks(ordered), tree, weight=0.9, ranks=r), ordered, 0.9)
        for r in (LEAVES, COMPONENTS_AND_BLOCKS, Ranks())
    ]
    assert taken == sorted(taken, reverse=True)
    assert taken[2] < taken[0] / 2


def test_factor__baselines_hold_what_their_names_say():
    ordered, tree = in_tree_order(structured())
    factors = {
        name: hodlr_factor(DenseBlocks(ordered), tree, weight=0.5, ranks=ranks)
        for name, ranks in {
            "nothing": NOTHING,
            "components": COMPONENTS,
            "leaves": LEAVES,
            "both": COMPONENTS_AND_BLOCKS,
        }.items()
    }
    np.testing.assert_array_equal(factors["nothing"].to_dense(), np.eye(150))
    sigma = 0.5 * ordered + 0.5 * np.eye(150)
    dense = factors["leaves"].to_dense()
    for leaf in tree.root.leaves():
        rows = slice(leaf.start, leaf.stop)
        np.testing.assert_allclose(dense[rows, rows], sigma[rows, rows], atol=1e-12)
        dense[rows, rows] = 0.0
    assert not dense.any()
    inner = [level.rank_max for level in factors["both"].levels()[1:]]
    assert all(rank in (0, None) for rank in inner)
    # The dominant eigenvectors of Sigma are eigenvectors of the factor, to the search's accuracy.
    values, vectors = np.linalg.eigh(sigma)
    image = factors["components"].matmul(vectors[:, -2:])
    np.testing.assert_allclose(image, vectors[:, -2:] * values[-2:], atol=1e-4)


def test_factor__one_product_serves_a_level():
    ordered, tree = in_tree_order(structured())
    blocks = recording(ordered)
    ranks = Ranks(root=Effort(4, 3, 16), inner=Effort(4, 3, 16))
    factor = hodlr_factor(blocks, tree, weight=0.5, ranks=ranks, held_rows=0)
    merged = sum(level.rank_max is not None for level in factor.levels())
    assert len(blocks.calls) == 4 * merged
    assert {columns for _, columns in blocks.calls} == {4}
    assert max(nodes for nodes, _ in blocks.calls) > 1


def test_factor__a_broad_spectrum_is_searched_longer():
    broad = structured(130, 60, 3, populations=1, family=2)
    narrow = np.eye(130) + 0.1  # one eigenvalue of 14 apart from the bulk
    steps = []
    for k in (narrow, broad):
        blocks = recording(k)
        ranks = Ranks(root=Effort(8, 3, 64, patient=True), inner=None)
        hodlr_factor(blocks, balanced_tree(len(k), LEAF), weight=0.9, ranks=ranks, held_rows=0)
        steps.append(len(blocks.calls))
    assert steps == [4, 7]


def test_factor__cores_of_a_sketch_are_those_of_the_matrix():
    """What is noise in few columns of Z is worth nothing in all of them."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((200, 20_000))
    k, few = z @ z.T / 20_000, z[:, :300] @ z[:, :300].T / 300
    tree = balanced_tree(200, 32)
    options = {"weight": 0.8, "held_rows": 0}
    noisy = hodlr_factor(DenseBlocks(few), tree, **options)
    measured = hodlr_factor(DenseBlocks(k), tree, sketch=DenseBlocks(few), **options)
    ranks = [max(level.rank_max or 0 for level in f.levels()) for f in (noisy, measured)]
    assert ranks[0] > 10
    assert ranks[1] == 0
    exact = DenseCovariance(k).factor(0.8)
    assert measure_divergence(measured, exact).kl < measure_divergence(noisy, exact).kl


def test_factor__noise_of_fewer_terms_is_not_even_found(monkeypatch):
    """What independent terms would show is left out before anything is measured."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((200, 20_000))
    common = np.repeat([1.0, -1.0], 100) * 0.4
    z += common[:, None] * rng.standard_normal(20_000)
    asked = []

    class Sum(DenseBlocks):
        def thinned(self, terms):
            return DenseBlocks(z[:, :300] @ z[:, :300].T / 300)

        def energies(self, columns):
            asked.append(sum(u.shape[1] for u in columns.values()))
            return super().energies(columns)

    monkeypatch.setattr(hodlr_levels, "_FEWEST_TERMS", 300)
    monkeypatch.setattr(hodlr_levels, "_FEWEST_TERMS_OF_ROOT", 300)
    factor = hodlr_factor(Sum(z @ z.T / 20_000), balanced_tree(200, 64), weight=0.8, held_rows=0)
    found = sum(len(correction.core) for correction in factor.corrections)
    assert 1 <= found <= 4  # the one direction that is there, and what the leaves hold of it
    assert asked[0] < 12


def test_factor__a_core_within_rounding_is_left_out(monkeypatch):
    """Products too coarse to show that a core is positive do not cost definiteness."""
    ordered, tree = in_tree_order(structured())

    class Coarse(DenseBlocks):
        def product(self, nodes):
            multiply = super().product(nodes)

            def disturbed(x):
                noise = np.random.default_rng(x.shape[1]).standard_normal(x.shape)
                return multiply(x) + 0.3 * noise

            return disturbed

    factor = hodlr_factor(Coarse(ordered), tree, weight=0.99, ranks=ALL, held_rows=0)
    assert np.linalg.eigvalsh(factor.to_dense()).min() > 0.0
    monkeypatch.setattr(hodlr_levels, "ROUNDINGS", 1e9)
    empty = hodlr_factor(Coarse(ordered), tree, weight=0.99, ranks=ALL, held_rows=0)
    assert all((level.rank_max or 0) == 0 for level in empty.levels())


def test_factor__an_indefinite_leaf_is_refused():
    with pytest.raises(NotPositiveDefiniteError, match="not positive definite"):
        hodlr_factor(DenseBlocks(-5.0 * np.eye(40)), balanced_tree(40, 8), weight=0.9)


def test_factor__same_seed_same_bytes():
    ordered, tree = in_tree_order(structured())
    first, second = (hodlr_factor(DenseBlocks(ordered), tree, weight=0.5, seed=3) for _ in "ab")
    assert (first.to_dense() == second.to_dense()).all()


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 40),
    leaf=st.integers(1, 12),
    block=st.integers(1, 9),
    steps=st.integers(0, 5),
    held=st.integers(0, 40),
    seed=st.integers(0, 99),
)
def test_factor__any_size_leaf_and_effort(n, leaf, block, steps, held, seed):
    z = np.random.default_rng(seed).normal(size=(n, 5))
    k = z @ z.T + 0.1 * np.eye(n)
    k *= n / np.trace(k)
    effort = Effort(block, steps, 100, patient=True)
    factor = hodlr_factor(
        DenseBlocks(k),
        balanced_tree(n, leaf),
        weight=0.7,
        ranks=Ranks(effort, effort, 0.0),
        held_rows=held,
    )
    x = np.ones((n, 2))
    np.testing.assert_allclose(factor.matmul(factor.solve(x)), x, atol=1e-8)


def test_diagonal_factor__agrees_with_its_matrix(rng):
    scale = rng.uniform(0.5, 2.0, 7)
    factor, sigma = DiagonalFactor(scale), np.diag(scale**2)
    x = rng.standard_normal((7, 2))
    np.testing.assert_allclose(factor.to_dense(), sigma)
    np.testing.assert_allclose(factor.solve(x), np.linalg.solve(sigma, x))
    np.testing.assert_allclose(factor.diagonal(), scale**2)
    assert factor.logdet == pytest.approx(np.linalg.slogdet(sigma)[1])
    assert factor.nbytes == 56
    assert not isinstance(factor, MergedFactor)
