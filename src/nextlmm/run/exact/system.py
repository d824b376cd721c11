"""Sigma of every left-out chromosome as products, on the space outside the covariates.

A column j has its own weight h2_j and its own left-out chromosome c_j::

    A_j = Q (h2_j K_-c + (1 - h2_j) I) Q,    Q = I - C C^+

and one pass over the genotypes multiplies all columns.  A_j is at least (1 - h2_j) I in the range
of Q, which is what every error bound here rests on.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from nextlmm.genotype.tables import IndexArray
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.pcg import Product
from nextlmm.lmm.design import Design
from nextlmm.relatedness.operator import RelationshipOperator


@dataclass(frozen=True, eq=False)
class System:
    """Columns of a block solve: ``weight`` (k,) and ``left_out`` (k,), -1 for no chromosome."""

    operator: RelationshipOperator
    design: Design
    weight: FloatArray
    left_out: IndexArray

    def product(self, dtype: DTypeLike) -> Product:
        """The map (x, columns) -> A x with the genotypes multiplied in ``dtype``."""

        def multiply(x: FloatArray, columns: IndexArray) -> FloatArray:
            weight = self.weight[columns]
            result = self.operator.matmul(x, self.left_out[columns], dtype=dtype)
            result *= weight
            result += (1.0 - weight) * x
            return self.design.project(result)

        return multiply


def uniform_system(
    operator: RelationshipOperator, design: Design, weight: float, left_out: IndexArray
) -> System:
    """Columns that all have the same weight."""
    return System(operator, design, np.full(len(left_out), weight), left_out)
