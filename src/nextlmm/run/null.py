"""The null model alone, by the route that an analysis of the same problem takes."""

from dataclasses import asdict, dataclass
from typing import Any

from nextlmm.linalg.hodlr import ranks_per_level
from nextlmm.lmm.null import NullModel
from nextlmm.progress import Progress
from nextlmm.run.compressed.find import estimate_compressed, is_compressed_by_products
from nextlmm.run.dense import estimate_densely
from nextlmm.run.exact.find import estimate_by_products
from nextlmm.run.exact.plan import Plan
from nextlmm.run.exact.route import plan_for
from nextlmm.run.model import Model
from nextlmm.run.problem import Problem
from nextlmm.run.timing import Stopwatch


@dataclass(frozen=True, eq=False)
class NullFindings:
    """A null model and what is known of its error.

    Attributes
    ----------
    null : the null model over the whole genome.
    accuracy : how far its h2 is from the exact model's, as JSON values: ``plan``, the route and
        why, None where there was no choice; ``h2_monte_carlo_error``, ``h2_monte_carlo_share`` of
        the standard error, and the number of random vectors, ``h2_probes``.  Where the matrix is
        compressed, ``h2_exact``, None where it was not found, ``h2_error``, the distance from it,
        ``h2_exact_monte_carlo_error`` of it, and ``ranks`` of the blocks.
    warnings : sentences about how far it can be trusted.
    """

    null: NullModel
    accuracy: dict[str, Any]
    warnings: tuple[str, ...] = ()


def find_null(
    problem: Problem, model: Model, listener: Progress, stopwatch: Stopwatch
) -> NullFindings:
    """Fit the null model as `nextlmm.run.analysis.analyse` does, to the last digit."""
    if is_compressed_by_products(problem, model):
        null, exact, warnings = estimate_compressed(problem, model, listener, stopwatch)
        known = {} if exact is None else {"h2_exact_monte_carlo_error": exact.mc_error}
        compared = _compared(null.h2, None if exact is None else exact.h2)
        return NullFindings(null, _accuracy(**compared, **known), warnings)
    if model.mode != "exact":
        whole = estimate_densely(problem, model, listener, stopwatch)
        if whole.exact is None:
            return NullFindings(whole.null, _accuracy())
        ranks = [asdict(level) for level in ranks_per_level(whole.covariance.factor(whole.null.h2))]
        compared = _compared(whole.null.h2, whole.exact_null.h2)
        return NullFindings(whole.null, _accuracy(**compared, ranks=ranks))
    plan = plan_for(problem, model)
    if plan.way == "dense" and plan.precision == "double":
        whole = estimate_densely(problem, model, listener, stopwatch)
        return NullFindings(whole.null, _accuracy(plan=_described(plan)))
    fit, plan = estimate_by_products(problem, model, plan, listener, stopwatch)
    random = {
        "h2_monte_carlo_error": fit.mc_error,
        "h2_monte_carlo_share": fit.mc_error_in_se,
        "h2_probes": fit.n_probes,
    }
    return NullFindings(fit.null, _accuracy(plan=_described(plan), **random))


def _accuracy(**known: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {"plan": None, "h2_monte_carlo_error": 0.0, "h2_probes": 0}
    return nothing | known


def _compared(h2: float, exact: float | None) -> dict[str, Any]:
    return {"h2_exact": exact, "h2_error": None if exact is None else h2 - exact}


def _described(plan: Plan) -> dict[str, Any]:
    return {"route": plan.way, "reason": plan.reason, "requested": plan.requested}
