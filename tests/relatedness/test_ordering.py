"""Components, relatives and trees from genotypes: the answers of the dense rules, without K."""

from itertools import pairwise

import numpy as np
import pytest

from nextlmm.genotype.array import array_source
from nextlmm.genotype.summary import summarise_variants
from nextlmm.linalg.ordering import cluster_tree
from nextlmm.relatedness import ordering
from nextlmm.relatedness.grm import variant_scaling
from nextlmm.relatedness.operator import relationship_operator
from nextlmm.relatedness.ordering import (
    Components,
    find_components,
    find_relatives,
    genotype_tree,
    groups_of_pairs,
    groups_of_pedigree,
    tree_of_groups,
    tree_of_order,
)

FAMILY = 5
N, M = 400, 3000


def cohort(seed=0, populations=3, m=M):
    """Dosages of families of full siblings, two or more families in each population, shuffled."""
    rng = np.random.default_rng(seed)
    family = np.repeat(np.arange(N // FAMILY), FAMILY)
    population = family % populations
    frequency = np.clip(rng.uniform(0.2, 0.8, m) + rng.normal(0, 0.1, (populations, m)), 0.05, 0.95)
    parents = rng.binomial(1, frequency[population[::FAMILY], None, None], (N // FAMILY, 2, 2, m))
    drawn = rng.integers(0, 2, (N, 2, m))
    father, mother = (
        np.take_along_axis(parents[family, side], drawn[:, side, None], axis=1)[:, 0]
        for side in (0, 1)
    )
    shuffle = rng.permutation(N)
    return (father + mother)[shuffle].astype(float), population[shuffle], family[shuffle]


def operator_of(dosages):
    source = array_source(dosages)
    summary = summarise_variants(source)
    everyone, every = np.arange(len(dosages)), np.arange(dosages.shape[1])
    scaling = variant_scaling(summary, "standardized")
    return relationship_operator(source, every, scaling, everyone, summary)


@pytest.fixture(scope="module")
def known():
    dosages, population, family = cohort()
    operator = operator_of(dosages)
    return operator, find_components(operator), population, family


def families_cut(tree, family):
    ordered = family[tree.permutation]
    cut = set()
    for leaf in tree.root.leaves():
        inside = set(ordered[leaf.start : leaf.stop])
        cut |= inside & (set(ordered[: leaf.start]) | set(ordered[leaf.stop :]))
    return cut


def check_tree(tree, n, leaf_size):
    assert sorted(tree.permutation) == list(range(n))
    leaves = list(tree.root.leaves())
    assert leaves[0].start == 0
    assert leaves[-1].stop == n
    assert all(a.stop == b.start for a, b in pairwise(leaves))
    assert max(leaf.size for leaf in leaves) <= leaf_size


def test_components__are_those_of_the_dense_matrix(known):
    operator, found, _, _ = known
    values, vectors = np.linalg.eigh(operator.to_dense())
    # The two that separate three populations stand far above the rest, hence are found exactly, to
    # the rounding of single precision; the others lie close together.
    np.testing.assert_allclose(found.values[:2], values[:-3:-1], rtol=1e-5)
    alignment = np.abs(np.einsum("ij,ij->j", found.vectors[:, :2], vectors[:, :-3:-1]))
    np.testing.assert_allclose(alignment, 1.0, atol=1e-5)
    np.testing.assert_allclose(found.values, values[: -len(found.values) - 1 : -1], rtol=0.1)
    gram = found.vectors.T @ found.vectors
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-6)


def test_components__of_a_part_of_the_variants_end_on_the_whole_matrix(known, monkeypatch):
    operator, whole, _, _ = known
    monkeypatch.setattr(ordering, "_THINNED", 400)
    found = find_components(operator)
    k = operator.to_dense()
    quotients = np.einsum("ij,ij->j", found.vectors, k @ found.vectors)
    np.testing.assert_allclose(found.values, quotients, rtol=1e-5)
    np.testing.assert_allclose(found.values[:2], whole.values[:2], rtol=1e-3)


def test_relatives__are_the_siblings(known):
    operator, components, _, family = known
    first, second, strength = find_relatives(operator, components)
    assert (first < second).all()
    assert (np.diff(strength) <= 0.0).all()
    assert (family[first] == family[second]).mean() > 0.99
    siblings = N // FAMILY * FAMILY * (FAMILY - 1) // 2
    assert np.count_nonzero(family[first] == family[second]) == siblings


def test_genotype_tree__keeps_populations_and_families_together(known):
    operator, components, population, family = known
    tree = genotype_tree(operator, components, leaf_size=16)
    check_tree(tree, N, 16)
    assert np.count_nonzero(np.diff(population[tree.permutation])) == 2
    assert not families_cut(tree, family)


def test_genotype_tree__is_as_good_as_the_dense_one(known):
    operator, components, _, _ = known
    k = operator.to_dense()
    dense = cluster_tree(k, leaf_size=16)
    mine = genotype_tree(operator, components, leaf_size=16)

    def inside(tree):
        ordered = k[np.ix_(tree.permutation, tree.permutation)] ** 2
        return sum(
            float(ordered[leaf.start : leaf.stop, leaf.start : leaf.stop].sum())
            for leaf in tree.root.leaves()
        )

    assert inside(mine) > 0.95 * inside(dense)  # of the squares that leaves hold


def test_tree_of_order__keeps_the_order():
    order = np.random.default_rng(0).permutation(50)
    tree = tree_of_order(order, leaf_size=8)
    check_tree(tree, 50, 8)
    assert (tree.permutation == order).all() or (tree.permutation == order[::-1]).all()


def test_tree_of_groups__cuts_small_groups_never_and_large_ones_within(known):
    _, components, population, family = known
    check_tree(tree := tree_of_groups(family, components, leaf_size=16), N, 16)
    assert not families_cut(tree, family)
    names = np.array(["north", "south", "west"])[population]
    check_tree(tree := tree_of_groups(names, components, leaf_size=16), N, 16)
    assert np.count_nonzero(np.diff(population[tree.permutation])) == 2


def test_tree_of_groups__one_group_of_all(known):
    components = known[1]
    check_tree(tree_of_groups(np.zeros(N, dtype=int), components, leaf_size=16), N, 16)


def test_groups_of_pairs__join_the_closest_first():
    first, second = np.array([0, 1, 2, 3]), np.array([1, 2, 3, 4])
    label = groups_of_pairs(6, first, second, np.array([0.5, 0.3, 0.5, 0.05]), largest=3)
    assert label[0] == label[1] != label[2] == label[3]
    assert len({label[4], label[5], label[0], label[2]}) == 4


def test_groups_of_pedigree__join_siblings_of_parents_without_genotypes():
    sample = ["a", "b", "c", "d", "e", "f"]
    father = ["F", "F", "a", None, None, "X"]
    mother = ["M", "N", None, "M", None, "Y"]
    label = groups_of_pedigree(sample, father, mother, largest=10)
    assert label[0] == label[1] == label[2] == label[3]
    assert len({label[0], label[4], label[5]}) == 3
    assert len(set(groups_of_pedigree(sample, father, mother, largest=1))) == 6


def test_find_components__of_a_tiny_cohort():
    operator = operator_of(cohort(m=40)[0][:9])
    found = find_components(operator)
    assert isinstance(found, Components)
    assert found.vectors.shape == (9, len(found.values))
    check_tree(genotype_tree(operator, found, leaf_size=2), 9, 2)
