"""K in tree order as a hierarchy, and what the same columns are worth without a chromosome."""

from dataclasses import dataclass

import numpy as np

from nextlmm.linalg.hierarchy import Hierarchy
from nextlmm.linalg.tree import Node
from nextlmm.relatedness.blocks import FloatArray, GenotypeBlocks
from nextlmm.relatedness.operator import RelationshipOperator


@dataclass(frozen=True, eq=False)
class HierarchicalMatrix:
    """K in tree order, its hierarchy measured in all of its variants or in a sample of them.

    operator : K.
    blocks : what the hierarchy was measured in, scaled to mean diagonal 1.
    hierarchy : columns with their energies there, and leaves.
    """

    operator: RelationshipOperator
    blocks: GenotypeBlocks
    hierarchy: Hierarchy

    def without(self, chromosome: int) -> Hierarchy:
        """The same columns for K without a chromosome, whose leaves and energies leave it out.

        Raises
        ------
        VariantError
            If nothing varies once the chromosome is left out.

        Cost: one pass over the variants of the chromosome, or over those of all others if it has
        most of them, so that what is left is not the difference of two large numbers.
        """
        if chromosome < 0:
            return self.hierarchy
        traces = self.operator.traces_among(self.blocks.index)
        scale = traces.whole / float(traces.of(np.array([chromosome]))[0])
        is_own = self.operator.label[self.blocks.index] == chromosome
        mostly = 2 * np.count_nonzero(is_own) > len(is_own)
        part = self.blocks.of_variants(np.flatnonzero(~is_own if mostly else is_own))
        nodes = [node for node, _ in self.hierarchy.leaves or ()]
        leaves = dict(zip(nodes, part.leaves(nodes), strict=True))
        energies = part.energies({found.node: found.columns for found in self.hierarchy.nodes})
        if mostly:
            return self.hierarchy.replaced(_times(leaves, scale), _times(energies, scale))
        whole = dict(self.hierarchy.leaves or ())
        kept = {found.node: found.energy for found in self.hierarchy.nodes}
        return self.hierarchy.replaced(
            {node: scale * (whole[node] - taken) for node, taken in leaves.items()},
            {node: scale * (kept[node] - taken) for node, taken in energies.items()},
        )


def _times(of_nodes: dict[Node, FloatArray], scale: float) -> dict[Node, FloatArray]:
    return {node: scale * values for node, values in of_nodes.items()}
