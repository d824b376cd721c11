"""A hierarchy measured in a sample of the variants, and without each chromosome of the sample."""

import numpy as np
import pytest

from nextlmm.errors import VariantError
from nextlmm.linalg.hodlr_levels import Ranks, build_hierarchy
from nextlmm.linalg.tree import balanced_tree
from nextlmm.relatedness.blocks import genotype_blocks
from nextlmm.relatedness.hierarchical import HierarchicalMatrix

from .test_operator import Problem, make_source

ATOL = 2e-5


@pytest.fixture
def operator(tmp_path, rng):
    return Problem(make_source(tmp_path, rng, "held"), "held", "few").operator


def measured_in(operator, count):
    tree = balanced_tree(operator.n, 8)
    blocks = genotype_blocks(operator, np.arange(operator.n), count=count)
    hierarchy = build_hierarchy(blocks, tree, weight=0.5, ranks=Ranks(worth=0.0), held_rows=20)
    return HierarchicalMatrix(operator, blocks, hierarchy)


@pytest.mark.parametrize("count", [None, 60])
@pytest.mark.parametrize("chromosome", [-1, 0, 1])
def test_without__is_the_matrix_of_the_other_variants(operator, count, chromosome):
    matrix = measured_in(operator, count)
    index = matrix.blocks.index
    sample = operator._of_columns(index[operator.label[index] != chromosome])
    sigma = 0.5 * sample.to_dense() + 0.5 * np.eye(operator.n)
    # every space here is searched whole, so that the columns span all there is
    found = matrix.without(chromosome).factor(0.5).to_dense()
    np.testing.assert_allclose(found, sigma, atol=20 * ATOL)


def test_without__everything_is_an_error(operator):
    matrix = measured_in(operator, None)
    only = np.flatnonzero(operator.label[matrix.blocks.index] == 0)
    alone = HierarchicalMatrix(operator, matrix.blocks.of_variants(only), matrix.hierarchy)
    with pytest.raises(VariantError, match="no variation"):
        alone.without(0)
