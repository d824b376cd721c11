"""The null model by products, and what it needs of a problem that is ready to be solved."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from nextlmm.assoc.projected import ProjectedFactor
from nextlmm.linalg.covariance import CovarianceFactor, FloatArray
from nextlmm.linalg.lanczos import Jacobi, Operator
from nextlmm.lmm.design import Design
from nextlmm.lmm.ground import Ground
from nextlmm.lmm.krylov import ShiftedSolution
from nextlmm.lmm.null import NullModel
from nextlmm.lmm.stochastic import DENSE_BELOW, StochasticFit, estimate_null_stochastic, ground_of
from nextlmm.relatedness.operator import RelationshipOperator
from nextlmm.relatedness.ordering import Components
from nextlmm.run.exact.denominators import Audit
from nextlmm.run.exact.plan import Way
from nextlmm.run.model import Model
from nextlmm.run.problem import Problem
from nextlmm.run.shared import Shared


class Arranged(Protocol):
    """A problem that is ready to be solved, by one kind of factor or another."""

    @property
    def problem(self) -> Problem:
        """The problem, its samples in the order of the factors."""

    @property
    def operator(self) -> RelationshipOperator:
        """Its relationships as products."""

    @property
    def components(self) -> Components:
        """Their dominant components."""

    @property
    def way(self) -> Way:
        """The kind of factor."""

    @property
    def reason(self) -> str | None:
        """Why this kind, as a clause; None if the plan says it all."""

    @property
    def audit(self) -> Audit:
        """How predictions by the factor are audited."""

    @property
    def shared(self) -> Shared:
        """What traits of the same samples have in common, in the order of the factors."""

    @property
    def is_large(self) -> bool:
        """Whether a factor takes so much memory that none is kept beside others."""

    def factor(self, h2: float) -> CovarianceFactor:
        """A factor of about Sigma(h2) with the whole K, to precondition."""

    def predictors(
        self, h2: float, design: Design, left_out: Sequence[int]
    ) -> Iterator[ProjectedFactor]:
        """Factors that predict x'Px without each chromosome in turn, -1 for none."""

    def improved(self, fit: StochasticFit, model: Model) -> StochasticFit:
        """A better null model where the factor allows it."""


def estimate(arrangement: Arranged, model: Model, left_out: int = -1) -> StochasticFit:
    """The null model of K, or of K without a chromosome."""
    if model.per_variant_h2 == "hits":  # whose curve is needed, and not its maximum alone
        return _estimated(arrangement, model, left_out)
    return arrangement.problem.kept.once(
        "null model",
        (arrangement.way, left_out),
        lambda: replace(_estimated(arrangement, model, left_out), likelihood=None),
        *(StochasticFit, NullModel, ShiftedSolution, Jacobi),
    )


def _estimated(arrangement: Arranged, model: Model, left_out: int) -> StochasticFit:
    problem, operator = arrangement.problem, arrangement.operator

    def product(x: FloatArray) -> FloatArray:
        columns = 1 if x.ndim == 1 else x.shape[1]
        return operator.matmul(x, np.full(columns, left_out), dtype=np.float32)

    matrix = operator if left_out < 0 else operator.without(left_out)
    components = arrangement.components
    fit = estimate_null_stochastic(
        problem.y,
        problem.covariates,
        matrix,
        method=model.method,
        components=(components.values, components.vectors),
        seed=model.seed,
        product=product,
        ground=_ground(arrangement, model, product) if left_out < 0 else None,
    )
    return arrangement.improved(fit, model) if left_out < 0 else fit


def _ground(arrangement: Arranged, model: Model, product: Operator) -> Ground | None:
    """What the null models of several traits have in common; None where there is but one."""
    problem, components = arrangement.problem, arrangement.components
    traits = problem.traits
    if traits is None or problem.n < DENSE_BELOW:
        return None
    return arrangement.shared.once(
        ("ground", model.method == "he", model.seed),
        lambda: ground_of(
            traits,
            problem.covariates,
            arrangement.operator,
            method=model.method,
            components=(components.values, components.vectors),
            seed=model.seed,
            product=product,
        ),
    )
