"""The plan of a run: what is to be solved, on which machine, and what only one route can do."""

from dataclasses import replace
from typing import Any

import numpy as np

from nextlmm.assoc.bound import searched_ends, widened
from nextlmm.cluster.active import active_cluster
from nextlmm.errors import UsageError
from nextlmm.genotype.array import ArraySource
from nextlmm.genotype.held import PackedSource
from nextlmm.genotype.partition import chromosome_groups
from nextlmm.genotype.source import GenotypeSource
from nextlmm.linalg.threads import available_cores
from nextlmm.relatedness.ordering import Components
from nextlmm.run.columns import ScanColumns
from nextlmm.run.exact.plan import Plan, Size, dense_cost, instead_of, make_plan, replanned
from nextlmm.run.findings import Findings
from nextlmm.run.limits import GIB, check_fits, memory_limit
from nextlmm.run.model import Model
from nextlmm.run.problem import Problem

_MEMORY_IF_UNKNOWN = 4.0 * GIB
_INSTEAD = (
    "allow the job more, analyse fewer samples (keep), or make the relationship matrix of fewer "
    "variants (grm-prune)"
)


def plan_for(problem: Problem, model: Model) -> Plan:
    """Choose the route of exact mode for a problem.

    Raises
    ------
    UsageError
        If the user asked for a route that cannot do what else was asked for.
    """
    return plan_of_size(problem_size(problem, model), model, is_given=problem.given is not None)


def plan_of_size(size: Size, model: Model, *, is_given: bool) -> Plan:
    """Choose the route of exact mode for a problem of a size, whose matrix may be given.

    Raises
    ------
    UsageError
        If the user asked for a route that cannot do what else was asked for, or if no route fits
        in the memory that this process may take.
    """
    requested = None if model.route == "auto" else model.route
    only_dense = _only_dense(model, is_given=is_given)
    limit, allowed = memory_limit(), allowed_bytes(model.memory)
    plan = make_plan(size, requested, memory=allowed, only_dense=only_dense)
    if limit is not None and plan.cost.n_bytes > limit.n_bytes < allowed:
        # The user allows more than there is: what fits there may fit nowhere.
        plan = make_plan(size, requested, memory=limit.n_bytes, only_dense=only_dense)
    if active_cluster() is not None and plan.way == "dense":
        reason = "a cluster multiplies the genotypes"
        plan = replace(plan, way="hodlr", reason=reason, cost=plan.other, other=plan.cost)
    check_fits(plan.cost.n_bytes, f"The route {plan.way} with {size.n:,} samples", _INSTEAD)
    return plan


def plan_for_spectrum(plan: Plan, problem: Problem, model: Model, components: Components) -> Plan:
    """The plan once the dominant eigenvalues are known."""
    if active_cluster() is not None:
        return plan
    size = problem_size(problem, model)
    if len(components.values):
        size = replace(size, bulk_edge=float(components.values[-1]))
    return replanned(plan, size, memory=allowed_bytes(model.memory))


def plan_if_not_converged(plan: Plan, problem: Problem, model: Model) -> Plan | None:
    """What to do instead where products did not converge, None if nothing may be."""
    return instead_of(plan, problem_size(problem, model), memory=allowed_bytes(model.memory))


def allowed_bytes(memory: float | None) -> float:
    """Memory for large arrays: the GiB that the user allows, or half of what there may be.

    That is the machine's memory, or less where a control group, the system or Slurm limits it.
    """
    if memory is not None:
        return memory * GIB
    limit = memory_limit()
    return (_MEMORY_IF_UNKNOWN if limit is None else limit.n_bytes) / 2.0


def check_square(path: str, n: int, memory: float | None) -> None:
    """Refuse a given matrix with which dense algebra takes more memory than it may.

    Raises
    ------
    UsageError
        If the run would; the sentence says how much.
    """
    size = Size(n=n, related=0, tested=0, chromosomes=1)
    needed, allowed = dense_cost(size, precision="double").n_bytes, allowed_bytes(memory)
    if needed > allowed:
        raise UsageError(
            f"The relationships of {path} are used as a square array, which takes "
            f"{8.0 * n**2 / GIB:,.3g} GiB for {n:,} analysed samples and the run "
            f"{needed / GIB:,.3g} GiB in all, but large arrays may take {allowed / GIB:,.3g} "
            "GiB; allow more by the option memory, analyse fewer samples (keep), or relate them by "
            "their genotypes, which needs no square array."
        )


def problem_size(problem: Problem, model: Model) -> Size:
    """How large a problem is for a plan."""
    names = chromosome_groups(problem.variants, problem.source.variants.chromosome)
    return Size(
        n=problem.n,
        related=problem.n_related,
        tested=len(problem.variants),
        chromosomes=len(names) if model.loco else 1,
        heritabilities=n_heritabilities(model),
        is_packed=isinstance(problem.related.source, PackedSource),
        source_bytes=sum(map(_bytes_held, {problem.source, problem.related.source})),
    )


def n_heritabilities(model: Model) -> int:
    """How many heritabilities the variants are tested at: two where effect and test differ."""
    return 1 if model.test == "wald" or model.method == "he" else 2


def _bytes_held(source: GenotypeSource) -> float:
    """Bytes that a source of genotypes holds in memory."""
    if isinstance(source, PackedSource):
        packed = source.genotypes.packed
        return float(packed.nbytes) if isinstance(packed, np.ndarray) else 0.0
    is_array = isinstance(source, ArraySource)
    return 4.0 * len(source.samples) * len(source.variants) if is_array else 0.0


def with_plan(findings: Findings, model: Model, plan: Plan) -> Findings:
    """Findings of dense algebra as those of exact mode: with the plan, and ends of every p-value.

    The ends leave room for rounding only.
    """
    certificate = {**findings.certificate, "plan": describe_plan(plan)}
    return replace(
        findings,
        columns=[_with_ends(part, model) for part in findings.columns],
        certificate=certificate,
    )


def describe_plan(plan: Plan) -> dict[str, Any]:
    """The route, why, and what it was expected to cost on the cores of this process."""
    cores = available_cores()
    return {
        "route": plan.way,
        "reason": plan.reason,
        "requested": plan.requested,
        "predicted_seconds": plan.cost.seconds / cores,
        "predicted_bytes": plan.cost.n_bytes,
        "other_seconds": plan.other.seconds / cores,
        "other_bytes": plan.other.n_bytes,
    }


def _with_ends(part: ScanColumns, model: Model) -> ScanColumns:
    log_p = part.neg_log_10_p_value
    low, high = widened(log_p, log_p)
    if model.per_variant_h2 != "never":
        low, high = searched_ends(model.test, part.chi2, log_p)
    return replace(part, log_p_low=low, log_p_high=high)


def _only_dense(model: Model, *, is_given: bool) -> str | None:
    """Why nothing but dense algebra will do, as a clause."""
    if is_given:
        return "the relationship matrix was given as a square array"
    if model.per_variant_h2 == "always":
        return "a heritability for every variant needs the eigenvectors of a square matrix"
    return None
