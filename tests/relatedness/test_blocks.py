"""Diagonal blocks from genotypes against those of the dense matrix.

Tolerances: products are in single precision, sums of a few hundred terms of size 1e-2, so that
their error is of the order of 1e-6.
"""

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from nextlmm.genotype.bed import open_bed
from nextlmm.genotype.summary import summarise_variants
from nextlmm.linalg.hodlr_levels import DenseBlocks, Ranks, build_hierarchy
from nextlmm.linalg.pcg import solve
from nextlmm.linalg.tree import balanced_tree
from nextlmm.relatedness import blocks as blocks_module
from nextlmm.relatedness.blocks import (
    GenotypeBlocks,
    blocks_and_sketch,
    genotype_blocks,
    spread_over,
)
from nextlmm.relatedness.grm import variant_scaling
from nextlmm.relatedness.operator import relationship_operator
from nextlmm.relatedness.ordering import find_components, genotype_tree

from .test_operator import SAMPLE_SETS, SOURCES, Problem, make_source

ATOL = 2e-5


@pytest.fixture(params=SOURCES)
def problem(request, tmp_path, rng):
    return Problem(make_source(tmp_path, rng, request.param), request.param, "permuted")


@pytest.fixture
def held(tmp_path, rng):
    return Problem(make_source(tmp_path, rng, "held"), "held", "few")


def parts(n):
    tree = balanced_tree(n, n // 4)
    left, right = tree.root.children
    return [tree.root], [left.children[0], right]


def test_blocks__are_those_of_the_dense_matrix_in_tree_order(problem):
    operator = problem.operator
    order = np.random.default_rng(0).permutation(operator.n)
    blocks = genotype_blocks(operator, order)
    dense = DenseBlocks(operator.to_dense()[np.ix_(order, order)])
    x = np.random.default_rng(1).standard_normal((operator.n, 3))
    assert blocks.n == operator.n
    assert isinstance(blocks, GenotypeBlocks)
    for nodes in parts(operator.n):
        np.testing.assert_allclose(blocks.product(nodes)(x), dense.product(nodes)(x), atol=ATOL)
        columns = {node: x[node.start : node.stop] for node in nodes}
        mine, theirs = blocks.energies(columns), dense.energies(columns)
        for node in nodes:
            np.testing.assert_allclose(mine[node], theirs[node], rtol=ATOL, atol=ATOL)
        for mine, theirs in zip(blocks.leaves(nodes), dense.leaves(nodes), strict=True):
            np.testing.assert_allclose(mine, theirs, atol=ATOL)


def test_blocks__give_the_factor_of_the_dense_matrix(problem):
    operator = problem.operator
    order, tree = np.arange(operator.n), balanced_tree(operator.n, 8)
    options = {"weight": 0.5, "ranks": Ranks(worth=0.0), "held_rows": 20}
    hierarchy = build_hierarchy(genotype_blocks(operator, order), tree, **options)
    factor = hierarchy.factor(options["weight"])
    sigma = 0.5 * operator.to_dense() + 0.5 * np.eye(operator.n)
    # every space here is searched whole, so that the factor is Sigma itself
    np.testing.assert_allclose(factor.to_dense(), sigma, atol=10 * ATOL)


def test_blocks__a_part_of_the_variants_has_mean_diagonal_one(held):
    blocks = genotype_blocks(held.operator, np.arange(len(SAMPLE_SETS["few"])), count=50)
    (k,) = blocks.leaves([balanced_tree(blocks.n, 100).root])
    assert blocks.columns.n_columns == 50
    assert np.trace(k) / blocks.n == pytest.approx(1.0, abs=ATOL)


def test_blocks__know_which_variants_they_are(held):
    operator = held.operator
    order = np.arange(operator.n)
    blocks = genotype_blocks(operator, order, count=50)
    whole = genotype_blocks(operator, order)
    tree = balanced_tree(operator.n, 100)
    (of_sample,) = blocks.leaves([tree.root])
    (of_index,) = whole.of_variants(blocks.index).leaves([tree.root])
    share = operator.traces_among(blocks.index).whole / operator.traces.whole
    np.testing.assert_allclose(of_sample, of_index / share, atol=10 * ATOL)
    np.testing.assert_array_equal(blocks.of_variants(np.array([3, 7])).index, blocks.index[[3, 7]])


def test_blocks__same_bytes_on_any_number_of_threads(held):
    x = np.random.default_rng(1).standard_normal((held.operator.n, 3))
    (nodes, _) = parts(held.operator.n)
    results = []
    for threads in (1, 2, 3):
        with threadpool_limits(threads):
            blocks = genotype_blocks(held.operator, np.arange(held.operator.n))
            results.append((blocks.product(nodes)(x), blocks.leaves(nodes)[0]))
    for product, array in results[1:]:
        assert (product == results[0][0]).all()
        assert (array == results[0][1]).all()


def test_blocks_and_sketch__one_of_all_variants_where_they_are_few(held):
    blocks, sketch = blocks_and_sketch(held.operator, np.arange(held.operator.n))
    assert blocks.columns.n_columns == held.operator.n_variants
    assert sketch is None


def test_blocks_and_sketch__are_drawn_apart(held, monkeypatch):
    monkeypatch.setattr(blocks_module, "_SEARCHED", 20)
    monkeypatch.setattr(blocks_module, "_FOR_SAMPLE", 0)
    blocks, sketch = blocks_and_sketch(held.operator, np.arange(held.operator.n))
    assert (blocks.columns.n_columns, sketch.columns.n_columns) == (20, 20)
    assert not np.array_equal(
        blocks.columns.block(slice(0, 20), np.float32),
        sketch.columns.block(slice(0, 20), np.float32),
    )


def test_blocks_and_sketch__are_of_two_variants_for_each_sample(held, monkeypatch):
    monkeypatch.setattr(blocks_module, "_SEARCHED", 1)
    few = replace(held.operator, rows=held.operator.rows[:8])
    blocks, sketch = blocks_and_sketch(few, np.arange(8))
    assert (blocks.columns.n_columns, sketch.columns.n_columns) == (16, 16)


def test_blocks_and_sketch__of_all_variants_where_two_such_choices_would_overlap(held, monkeypatch):
    monkeypatch.setattr(blocks_module, "_SEARCHED", held.operator.n_variants // 2 + 1)
    blocks, sketch = blocks_and_sketch(held.operator, np.arange(held.operator.n))
    assert blocks.columns.n_columns == held.operator.n_variants
    assert sketch is None


def test_spread_over__draws_one_of_each_stretch():
    drawn = spread_over(np.arange(100) * 10, 10, seed=0)
    assert ((drawn // 100) == np.arange(10)).all()
    np.testing.assert_array_equal(spread_over(np.arange(5), 9, seed=0), np.arange(5))


# Samples, and iterations at a weight with the eigenvectors of the dense whitened matrix, 8 columns
# for each side and node, in the order of average linkage; the same is reached here within two.
REAL = {
    "rice374_44k": (374, {0.9: 11}),
    "1kg1092": (1092, {0.9: 10}),
    "fastlmm_synth500": (500, {}),
}


@pytest.mark.parametrize("folder", REAL)
def test_blocks__real_cohorts_are_preconditioned_without_a_matrix(shared_data, folder):
    (bed,) = (shared_data / folder).glob("*.bed")
    source = open_bed(bed.with_suffix(""))
    everyone = np.arange(len(source.samples))
    summary = summarise_variants(source)
    common = np.abs(summary.effect_allele_frequency - 0.5) <= 0.49
    variants = np.flatnonzero(common & summary.is_polymorphic)
    scaling = variant_scaling(summary, "standardized")
    operator = relationship_operator(source, variants, scaling, everyone, summary)
    n, iterations = REAL[folder]
    tree = genotype_tree(operator, find_components(operator), leaf_size=128)
    blocks = genotype_blocks(operator, tree.permutation)
    k = operator.to_dense()[np.ix_(tree.permutation, tree.permutation)]
    b = np.random.default_rng(5).standard_normal((n, 2))
    b -= b.mean(axis=0)
    for weight in (0.9, 0.99):
        factor = build_hierarchy(blocks, tree, weight=weight).factor(weight)
        assert np.linalg.eigvalsh(factor.to_dense()).min() > 0.0
        found = solve(
            lambda x, _, w=weight: w * (k @ x) + (1.0 - w) * x,
            lambda x, _, f=factor: f.solve(x),
            b,
            tolerance=1e-6 * np.linalg.norm(b, axis=0),
        )
        assert found.iterations.max() <= iterations.get(weight, 100) + 2
