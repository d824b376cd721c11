"""The hierarchical factor on every shared cohort: positive definite, within its budget."""

from itertools import pairwise

import numpy as np
import pytest

from nextlmm.genotype.source import open_genotypes
from nextlmm.genotype.summary import summarise_variants
from nextlmm.linalg.dense import DenseCovariance
from nextlmm.linalg.divergence import measure_divergence
from nextlmm.linalg.hodlr import MergedFactor
from nextlmm.linalg.hodlr_build import Budget, hodlr_covariance
from nextlmm.linalg.ordering import cluster_tree
from nextlmm.relatedness.grm import relationship_matrix, relationship_sum, variant_scaling

from .cohorts import COHORTS


@pytest.fixture(scope="module", params=COHORTS)
def cohort(request):
    """K of a whole cohort in tree order, and its tree."""
    source = open_genotypes(COHORTS[request.param].bfile)
    scaling = variant_scaling(summarise_variants(source), "standardized")
    samples = np.arange(len(source.samples))
    total = relationship_sum(source, np.arange(len(source.variants)), scaling, samples)
    k = relationship_matrix(total, overwrite=True)
    tree = cluster_tree(k, leaf_size=128)
    return np.asfortranarray(k[np.ix_(tree.permutation, tree.permutation)]), tree


@pytest.fixture(scope="module", params=[0.5, 0.95])
def exact(request, cohort):
    return request.param, DenseCovariance(cohort[0]).factor(request.param)


def smallest_core(factor):
    """The smallest eigenvalue that any node of a factor keeps."""
    if not isinstance(factor, MergedFactor):
        return np.inf
    below = min(smallest_core(factor.left), smallest_core(factor.right))
    return min(below, factor.core.min(initial=np.inf))


def test_every_rank_is_positive_definite(cohort, exact):
    (k, tree), (weight, cholesky) = cohort, exact
    kl = []
    for rank in (0, 1, 4, 16, 64):
        factor = hodlr_covariance(k, tree, Budget(rank=rank), weight=weight).built
        measured = measure_divergence(factor, cholesky)
        assert smallest_core(factor) > 0.0
        x = np.ones(len(k))
        np.testing.assert_allclose(factor.matmul(factor.solve(x)), x, atol=1e-6)
        kl.append(measured.kl)
    assert kl == sorted(kl, reverse=True)


def test_divergence_is_below_the_tolerance_and_falls_with_it(cohort, exact):
    (k, tree), (weight, cholesky) = cohort, exact
    tolerances = (100.0, 10.0, 1.0, 0.1, 0.01)
    kl = []
    for tolerance in tolerances:
        factor = hodlr_covariance(k, tree, Budget(kl=tolerance), weight=weight).built
        kl.append(measure_divergence(factor, cholesky))
    assert all(m.kl < t for m, t in zip(kl, tolerances, strict=True))
    assert all(b.kl <= a.kl + a.kl_rounding for a, b in pairwise(kl))
