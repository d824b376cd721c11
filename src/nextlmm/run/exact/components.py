"""The dominant components of K, found once for all traits of the same samples."""

from nextlmm.relatedness.operator import RelationshipOperator
from nextlmm.relatedness.ordering import Components, find_components
from nextlmm.run.model import Model
from nextlmm.run.problem import Problem


def components_of(problem: Problem, operator: RelationshipOperator, model: Model) -> Components:
    """The dominant components, the samples in the order of the problem."""
    return problem.shared.once(
        ("components", model),
        lambda: problem.kept.once(
            "components", (), lambda: find_components(operator, seed=model.seed), Components
        ),
    )
