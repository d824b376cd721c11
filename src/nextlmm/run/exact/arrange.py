"""Samples in tree order, dominant components, and approximate factors: what is ready to solve."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from nextlmm.assoc.projected import ProjectedFactor, projected_factor
from nextlmm.cohort.pedigree import Parents
from nextlmm.cohort.relatives import RelatedPairs, SampleOrder
from nextlmm.linalg.hierarchy import HierarchicalFactor, Hierarchy, NodeColumns
from nextlmm.linalg.hodlr_levels import (
    COMPONENTS,
    COMPONENTS_AND_BLOCKS,
    NOTHING,
    Ranks,
    build_hierarchy,
)
from nextlmm.linalg.ordering import joined
from nextlmm.linalg.tree import ClusterTree, Node
from nextlmm.lmm.design import Design
from nextlmm.lmm.stochastic import StochasticFit
from nextlmm.relatedness.blocks import blocks_and_sketch
from nextlmm.relatedness.hierarchical import HierarchicalMatrix
from nextlmm.relatedness.operator import RelationshipOperator
from nextlmm.relatedness.ordering import (
    Components,
    find_relatives,
    groups_of_pairs,
    groups_of_pedigree,
    tree_of_groups,
    tree_of_order,
)
from nextlmm.run.exact.components import components_of
from nextlmm.run.exact.denominators import Audit
from nextlmm.run.exact.plan import Plan, Way
from nextlmm.run.model import Model
from nextlmm.run.problem import Problem
from nextlmm.run.shared import Shared

RANKS: Mapping[Way, Ranks] = MappingProxyType(
    {"hodlr": Ranks(), "components": COMPONENTS_AND_BLOCKS, "plain": NOTHING}
)
_SEARCHED_AT = (0.1, 0.3, 0.5, 0.7, 0.9, 0.98)
_AUDITED, _AUDIT_RTOL = 48, 1e-3
_KEPT_BYTES = 256 * 2**20  # of all hierarchies without a chromosome
_RELATED_SHARE = 0.01
"""Share of samples with a relative from which families are worth a hierarchy."""
_OUTSTANDING = 2.0
"""A largest eigenvalue so many times the twentieth is structure, less is the edge of a bulk."""


@dataclass(frozen=True, eq=False)
class Arrangement:
    """A problem whose samples stand in tree order, and what was found on the way.

    problem, operator : in tree order.
    components : dominant eigenvalues and eigenvectors of K, in tree order.
    way : the kind of approximate factor; ``reason`` : why, as a clause, None if it was asked for.
    tree : over the samples, its permutation already applied.
    audit : how predictions are audited; its seed is that of the searches for columns too.
    shared : what traits have in common, columns of factors among it, by what they were searched in
        and at which heritability.
    """

    problem: Problem
    operator: RelationshipOperator
    components: Components
    way: Way
    reason: str | None
    tree: ClusterTree
    audit: Audit
    shared: Shared = field(default_factory=Shared)
    is_large: bool = False

    def with_trait_of(self, problem: Problem) -> "Arrangement":
        """The same with the trait of a problem whose samples are in the order before."""
        return replace(self, problem=problem.reordered(self.tree.permutation))

    def factor(self, h2: float) -> HierarchicalFactor:
        """A hierarchical square root of about Sigma(h2)."""
        return self.preconditioner(h2, RANKS[self.way])

    def preconditioner(self, h2: float, ranks: Ranks) -> HierarchicalFactor:
        """The same with these ranks."""
        return self.matrix(h2, ranks).hierarchy.factor(h2)

    def predictors(
        self, h2: float, design: Design, left_out: Sequence[int]
    ) -> Iterator[ProjectedFactor]:
        """The factor without each chromosome.

        A factor that has seen a variant takes its x'Px for too small.  The dominant components are
        in it on every route: without them x'Px of the variants that follow the populations would
        be anybody's guess.
        """
        ranks = COMPONENTS if self.way == "plain" else RANKS[self.way]
        for chromosome in left_out:
            yield projected_factor(self._without(h2, ranks, chromosome).factor(h2), design)

    def _without(self, h2: float, ranks: Ranks, chromosome: int) -> Hierarchy:
        """The hierarchy without a chromosome, kept for other traits if all of them are small."""
        matrix = self.matrix(h2, ranks)
        leaves = sum(leaf.nbytes for _, leaf in matrix.hierarchy.leaves or ())
        if self.problem.traits is None or leaves * len(self.operator.chromosomes) > _KEPT_BYTES:
            return matrix.without(chromosome)
        key = ("without", _searched_at(h2), ranks, chromosome)
        return self.shared.once(key, lambda: matrix.without(chromosome))

    def matrix(self, h2: float, ranks: Ranks) -> HierarchicalMatrix:
        """K as a hierarchy for factors at about this heritability, from a sample of its variants.

        What is searched at one is kept for all near it.
        """
        weight = _searched_at(h2)
        return self.shared.once(("hierarchy", weight, ranks), lambda: self._searched(weight, ranks))

    def _searched(self, weight: float, ranks: Ranks) -> HierarchicalMatrix:
        seed = self.audit.seed
        blocks, sketch = blocks_and_sketch(self.operator, np.arange(self.problem.n), seed=seed)
        hierarchy = self.problem.kept.once(
            "hierarchy",
            (weight, repr(ranks)),
            lambda: build_hierarchy(
                blocks, self.tree, weight=weight, ranks=ranks, sketch=sketch, seed=seed
            ),
            *(Hierarchy, NodeColumns, Node),
        )
        return HierarchicalMatrix(self.operator, blocks, hierarchy)

    def improved(self, fit: StochasticFit, model: Model) -> StochasticFit:
        """The null model as it is: there is no exact factor to improve it with."""
        return fit


def arrange(
    problem: Problem, operator: RelationshipOperator, model: Model, plan: Plan
) -> Arrangement:
    """Order the samples so that populations and families are contiguous.

    Cost: some six passes over a part of the variants, two over all, and n^2 operations for each of
    a few thousand variants in search of relatives.
    """
    components = components_of(problem, operator, model)
    tree, n_related = _tree(problem, operator, components, model)
    order = tree.permutation
    way, reason = plan.way, None
    if plan.way == "hodlr" and not plan.requested:
        way, reason = _way(components, n_related, problem.n)
    return Arrangement(
        problem=problem.reordered(order),
        operator=operator.reordered(order),
        components=Components(components.values, components.vectors[order]),
        way=way,
        reason=reason,
        tree=tree,
        audit=Audit(_AUDITED, _AUDIT_RTOL, model.seed),
    )


def _searched_at(h2: float) -> float:
    """The heritability at which columns are searched: the same for all that are near.

    So traits of the same samples share what is found, and no result depends on what came before.
    It is not above h2, because the search is in a part of the variants, and at a higher one it
    finds more of what is noise of that part.
    """
    return max((at for at in _SEARCHED_AT if at <= h2), default=_SEARCHED_AT[0])


def _tree(
    problem: Problem, operator: RelationshipOperator, components: Components, model: Model
) -> tuple[ClusterTree, int]:
    """The tree over the samples, and how many of them have a relative or were said to have one."""
    n, kin, leaf_size = problem.n, problem.kin, model.leaf_size
    if isinstance(kin, SampleOrder):
        return tree_of_order(kin.order, leaf_size=leaf_size), n
    if isinstance(kin, Parents):
        group = groups_of_pedigree(kin.sample, kin.father, kin.mother, largest=leaf_size)
    elif isinstance(kin, RelatedPairs):
        group = groups_of_pairs(n, kin.first, kin.second, kin.relationship, largest=leaf_size)
    else:
        first, second, _ = problem.kept.once(
            "relatives", (), lambda: find_relatives(operator, components, seed=model.seed)
        )
        group = joined(n, first, second, leaf_size)
    size = np.unique(group, return_counts=True)[1]
    return tree_of_groups(group, components, leaf_size=leaf_size), int(size[size > 1].sum())


def _way(components: Components, n_related: int, n: int) -> tuple[Way, str]:
    """The kind of factor that the spectrum asks for, and why."""
    if n_related > _RELATED_SHARE * n:
        return "hodlr", f"{n_related:,} of the {n:,} samples have relatives among them"
    values = components.values
    if len(values) and values[0] > _OUTSTANDING * values[-1]:
        return "components", "there are populations and next to no relatives"
    return "plain", "there are neither populations nor relatives that stand out"
