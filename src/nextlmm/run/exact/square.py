"""The dense route for many samples: half a square matrix in single precision, solves in double.

What single precision cannot do is not asked of it: scores come from solves with the genotypes, to
residuals in double precision, for which the factor is but a preconditioner, and x'Px from the
factor is audited like any other prediction.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from nextlmm.assoc.projected import ProjectedFactor, projected_factor
from nextlmm.linalg.packed import PackedFactor, PackedTriangle
from nextlmm.lmm.corrected import polish_null
from nextlmm.lmm.design import Design
from nextlmm.lmm.stochastic import StochasticFit
from nextlmm.progress import Progress
from nextlmm.relatedness.operator import RelationshipOperator
from nextlmm.relatedness.ordering import Components
from nextlmm.relatedness.packed_sum import packed_relationship, packed_sum, packed_without
from nextlmm.run.exact.components import components_of
from nextlmm.run.exact.denominators import Audit
from nextlmm.run.exact.plan import Way
from nextlmm.run.model import Model
from nextlmm.run.problem import Problem
from nextlmm.run.shared import Shared

_AUDITED, _AUDIT_RTOL = 48, 2e-5


@dataclass(frozen=True, eq=False)
class SquareArrangement:
    """A problem with the sum of its relationships as a packed triangle.

    ``components`` are the dominant eigenvalues and eigenvectors of K.
    """

    problem: Problem
    operator: RelationshipOperator
    components: Components
    total: PackedTriangle
    audit: Audit
    way: Way = "dense"
    reason: str | None = None
    is_large: bool = True

    @property
    def shared(self) -> Shared:
        """What traits of the same samples have in common."""
        return self.problem.shared

    def with_trait_of(self, problem: Problem) -> "SquareArrangement":
        """The same with the trait of a problem of the same samples."""
        return replace(self, problem=problem)

    def factor(self, h2: float) -> PackedFactor:
        """The factor of Sigma(h2) with the whole K, a second triangle."""
        return packed_relationship(self.operator, self.total).factor(h2)

    def predictors(
        self, h2: float, design: Design, left_out: Sequence[int]
    ) -> Iterator[ProjectedFactor]:
        """The factor without each chromosome in turn; one at a time exists."""
        for chromosome in left_out:
            if chromosome < 0:
                yield projected_factor(self.factor(h2), design)
            else:
                k = packed_without(self.operator, self.total, chromosome)
                yield projected_factor(k.into_factor(h2), design)

    def improved(self, fit: StochasticFit, model: Model) -> StochasticFit:
        """The exact null model near a stochastic one."""
        methods: tuple[Literal["reml", "ml"], ...] = ("reml", "ml")
        if model.method == "ml":
            methods = ("ml",)
        elif model.test == "wald":
            methods = ("reml",)
        return polish_null(
            fit, self.problem.y, self.problem.covariates, self.factor, methods=methods
        )


def arrange_square(
    problem: Problem, operator: RelationshipOperator, model: Model, listener: Progress
) -> SquareArrangement:
    """Sum the relationships; n^2 operations for each variant, n (n + 1) / 2 numbers."""
    components = components_of(problem, operator, model)
    total = problem.kept.once(
        "relationship sum", (), lambda: packed_sum(operator, progress=listener), PackedTriangle
    )
    audit = Audit(_AUDITED, _AUDIT_RTOL, model.seed)
    return SquareArrangement(problem, operator, components, total, audit)
