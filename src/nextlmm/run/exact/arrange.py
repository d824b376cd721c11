"""temporary"""

from dataclasses import dataclass

import numpy as np

from nextlmm.linalg.hodlr_build import Budget, hodlr_covariance
from nextlmm.linalg.ordering import cluster_tree, components


@dataclass(frozen=True, eq=False)
class Arrangement:
    problem: object
    operator: object
    components: tuple
    way: str
    k: object
    tree: object

    def factor(self, h2):
        return hodlr_covariance(self.k, self.tree, Budget(rank=16), weight=h2).built


def arrange(problem, operator, model, plan):
    k = operator.to_dense()
    tree = cluster_tree(k, leaf_size=128)
    p = tree.permutation
    k = np.asfortranarray(k[np.ix_(p, p)])
    problem = problem.reordered(p)
    return Arrangement(problem, problem.operator(), components(k, 20), plan.way, k, tree)
