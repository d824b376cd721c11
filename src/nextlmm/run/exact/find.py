"""The analysis of the exact model by products with the genotypes; nothing is n x n."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import lru_cache, partial
from typing import TypeVar

import numpy as np

from nextlmm.assoc.projected import ProjectedFactor, projected_factor
from nextlmm.errors import ConvergenceError
from nextlmm.genotype.chromosome import chromosome_key
from nextlmm.genotype.partition import chromosome_groups
from nextlmm.linalg.covariance import CovarianceFactor
from nextlmm.linalg.hierarchy import HierarchicalFactor
from nextlmm.linalg.ordering import bisect
from nextlmm.linalg.threads import one_thread
from nextlmm.lmm.design import make_design
from nextlmm.lmm.stochastic import StochasticFit
from nextlmm.progress import Progress
from nextlmm.relatedness.operator import RelationshipOperator
from nextlmm.relatedness.ordering import Components
from nextlmm.run.columns import ScanColumns
from nextlmm.run.exact.arrange import Arrangement, arrange
from nextlmm.run.exact.certificate import describe_products
from nextlmm.run.exact.components import components_of
from nextlmm.run.exact.hits import with_own_h2
from nextlmm.run.exact.null import Arranged, estimate
from nextlmm.run.exact.plan import Plan
from nextlmm.run.exact.route import (
    allowed_bytes,
    describe_plan,
    plan_for_spectrum,
    plan_if_not_converged,
)
from nextlmm.run.exact.scan import Group, Lens, Setting, look, sharpened, tested_columns
from nextlmm.run.exact.square import arrange_square
from nextlmm.run.findings import Findings
from nextlmm.run.model import Model
from nextlmm.run.problem import Problem
from nextlmm.run.structure import Structure, blocks_of_hierarchy, blocks_of_tree
from nextlmm.run.timing import Stopwatch

Result = TypeVar("Result")


def find_by_products(
    problem: Problem, model: Model, plan: Plan, listener: Progress, stopwatch: Stopwatch
) -> Findings:
    """Null model, scores, denominators and tests from passes over the packed genotypes.

    Samples are put into tree order first; no result depends on it.

    Cost: some ten passes with one column per left-out chromosome, some twenty with the probes of
    h2, an audit, and one application of the approximate factor to every variant; memory is the
    packed genotypes, or a part of them, and some thousand numbers per sample.
    """
    return solved_by_products(
        lambda arrangement, used: _find(arrangement, model, used, listener, stopwatch),
        problem,
        model,
        plan,
        listener,
        stopwatch,
    )


def solved_by_products(
    work: Callable[[Arranged, Plan], Result],
    problem: Problem,
    model: Model,
    plan: Plan,
    listener: Progress,
    stopwatch: Stopwatch,
) -> Result:
    """What ``work`` makes of an arranged problem, by another plan if a solve does not converge."""
    operator = operator_of(problem, model, listener, stopwatch)
    plan = _replanned(plan, problem, operator, model, stopwatch)
    try:
        return _by(plan, work, problem, operator, model, listener, stopwatch)
    except ConvergenceError:
        instead = plan_if_not_converged(plan, problem, model)
        if instead is None:
            raise
        listener.finish()
    return _by(instead, work, problem, operator, model, listener, stopwatch)


def estimate_by_products(
    problem: Problem, model: Model, plan: Plan, listener: Progress, stopwatch: Stopwatch
) -> tuple[StochasticFit, Plan]:
    """The null model of `find_by_products`, and no test; with the plan as it was carried out."""
    operator = operator_of(problem, model, listener, stopwatch)
    plan = _replanned(plan, problem, operator, model, stopwatch)
    arrangement = _arrange(problem, operator, model, plan, listener, stopwatch)
    with one_thread() if plan.way != "dense" else nullcontext():
        fit = _null(arrangement, model, listener, stopwatch)
    return fit, _settled(plan, arrangement)


def _replanned(
    plan: Plan,
    problem: Problem,
    operator: RelationshipOperator,
    model: Model,
    stopwatch: Stopwatch,
) -> Plan:
    """The plan with what the dominant components say, unless the user made it."""
    if plan.way == "dense" or plan.requested:
        return plan
    with stopwatch.stage("ordering"), one_thread():
        return plan_for_spectrum(plan, problem, model, components_of(problem, operator, model))


def _settled(plan: Plan, arrangement: Arranged) -> Plan:
    """The plan with the kind of factor that the samples asked for."""
    reason = "; ".join(filter(None, (plan.reason, arrangement.reason)))
    return replace(plan, way=arrangement.way, reason=reason)


def _null(
    arrangement: Arranged, model: Model, listener: Progress, stopwatch: Stopwatch
) -> StochasticFit:
    """The null model over the whole genome."""
    with stopwatch.stage("null model"):
        listener.start("Fitting the null model", 1)
        whole = estimate(arrangement, model)
        listener.finish()
    return whole


def _by(
    plan: Plan,
    work: Callable[[Arranged, Plan], Result],
    problem: Problem,
    operator: RelationshipOperator,
    model: Model,
    listener: Progress,
    stopwatch: Stopwatch,
) -> Result:
    arrangement = _arrange(problem, operator, model, plan, listener, stopwatch)
    # Products have threads of their own; what is left are small operations.
    with one_thread() if plan.way != "dense" else nullcontext():
        return work(arrangement, plan)


def operator_of(
    problem: Problem, model: Model, listener: Progress, stopwatch: Stopwatch
) -> RelationshipOperator:
    """The relationships of a problem as products, with as much in memory as half of it allows."""
    held = int(allowed_bytes(model.memory) / 2.0)
    with stopwatch.stage("genotypes"):
        return problem.shared.once(
            ("operator", model), lambda: problem.operator(held_bytes=held, progress=listener)
        )


def _find(
    arrangement: Arranged, model: Model, plan: Plan, listener: Progress, stopwatch: Stopwatch
) -> Findings:
    whole = _null(arrangement, model, listener, stopwatch)
    parts: list[ScanColumns] = []
    lenses: list[Lens] = []
    fits = [whole]
    h2_by_chromosome: dict[str, float] = {}
    kept = arrangement.problem.kept
    times = 1 if len(_weights(model, whole)) == 1 else 2
    listener.start("Testing variants", times * len(arrangement.problem.variants))
    with stopwatch.stage("association"):
        for setting, fit, chromosome in _settings(arrangement, model, whole):
            with kept.others_aside():
                columns, used = _scan(setting, model, fit, listener)
            if kept.part is not None:
                continue
            if model.per_variant_h2 == "hits":
                columns = with_own_h2(
                    setting, model, columns, partial(estimate, arrangement, model)
                )
            parts.append(columns)
            lenses += used
            if fit is not whole:
                fits.append(fit)
                h2_by_chromosome[chromosome] = fit.null.h2
    listener.finish()
    kept.await_others()
    prepared = setting.factor_at(whole.null.h2).factor  # at hand, but for unusual heritabilities
    certificate = describe_products(fits, lenses, parts, prepared)
    certificate["plan"] = describe_plan(_settled(plan, arrangement))
    structure = _structure(arrangement, prepared, model.leaf_size)
    return Findings(whole.null, parts, certificate, h2_by_chromosome, structure=structure)


def _structure(arrangement: Arranged, factor: CovarianceFactor, leaf_size: int) -> Structure:
    """The order of the samples, as they came unless a hierarchy wanted another."""
    if isinstance(arrangement, Arrangement):
        blocks = blocks_of_tree(arrangement.tree.root)
        if arrangement.way == "hodlr" and isinstance(factor, HierarchicalFactor):
            blocks = blocks_of_hierarchy(factor)
        return Structure(arrangement.tree.permutation, blocks, arrangement.components)
    components = arrangement.components
    coordinates = components.vectors * np.sqrt(components.values)
    tree = bisect(coordinates, np.arange(len(coordinates)), leaf_size=leaf_size)
    order = tree.permutation
    ordered = Components(components.values, components.vectors[order])
    return Structure(order, blocks_of_tree(tree.root), ordered)


def _arrange(
    problem: Problem,
    operator: RelationshipOperator,
    model: Model,
    plan: Plan,
    listener: Progress,
    stopwatch: Stopwatch,
) -> Arranged:
    """What the route needs before anything can be solved."""
    if plan.way == "dense":
        with stopwatch.stage("relationship matrix"):
            listener.start("Relating the samples", operator.n_variants)
            square = problem.shared.once(
                ("square", model), lambda: arrange_square(problem, operator, model, listener)
            )
            listener.finish()
            return square.with_trait_of(problem)
    with stopwatch.stage("ordering"), one_thread():
        listener.start("Ordering the samples", 1)
        ordered = arrangement_of(problem, operator, model, plan)
        listener.finish()
        return ordered


def arrangement_of(
    problem: Problem, operator: RelationshipOperator, model: Model, plan: Plan
) -> Arrangement:
    """The samples in tree order."""
    ordered = problem.shared.once(
        ("arrangement", model, plan.way, plan.requested),
        lambda: arrange(problem, operator, model, plan),
    )
    return ordered.with_trait_of(problem)


def _settings(
    arrangement: Arranged, model: Model, whole: StochasticFit
) -> Iterator[tuple[Setting, StochasticFit, str]]:
    """What is to be scanned together: everything, or one chromosome with an h2 of its own."""
    groups = list(groups_of(arrangement.problem, arrangement.operator, model))
    if model.loco_h2 == "shared":
        yield _setting(arrangement, model, [group for group, _ in groups], whole), whole, ""
        return
    problem = arrangement.problem
    for group, name in groups:
        if not problem.kept.owns(group.variants):
            continue
        fit = estimate(arrangement, model, group.left_out)
        yield _setting(arrangement, model, [group], fit), fit, name


def groups_of(
    problem: Problem, operator: RelationshipOperator, model: Model
) -> Iterator[tuple[Group, str]]:
    """The variants of each chromosome and the name of it; one group without LOCO."""
    if not model.loco:
        yield Group(-1, problem.variants), ""
        return
    known = {chromosome_key(name): at for at, name in enumerate(operator.chromosomes)}
    chromosome = problem.source.variants.chromosome
    related = problem.related.by_chromosome
    for name, variants in chromosome_groups(problem.variants, chromosome).items():
        # A chromosome on which nothing varies is in no matrix, so that none need be left out.
        key = chromosome_key(name)
        left_out = known.get(key, -1)
        _check_disjoint(operator, left_out, len(related.get(key, ())))
        yield Group(left_out, variants), name


def _check_disjoint(operator: RelationshipOperator, left_out: int, n_varying: int) -> None:
    """LOCO: what is left out is all that the matrix has of the chromosome."""
    outside = int(np.count_nonzero(operator.label == left_out)) if left_out >= 0 else 0
    assert outside == n_varying, "a tested variant is in its own matrix"  # noqa: S101


def _setting(
    arrangement: Arranged, model: Model, groups: list[Group], fit: StochasticFit
) -> Setting:
    problem = arrangement.problem
    design = make_design(problem.covariates)

    @lru_cache(maxsize=1)
    def factor_at(h2: float) -> ProjectedFactor:
        return projected_factor(arrangement.factor(h2), design)

    def predictors(h2: float, left_out: Sequence[int]) -> Iterator[ProjectedFactor]:
        if arrangement.is_large and left_out:
            factor_at.cache_clear()  # room for the factors to come
        return arrangement.predictors(h2, design, left_out)

    return Setting(
        problem=replace(problem, kept=problem.kept.under(arrangement.way)),
        design=design,
        operator=arrangement.operator,
        factor_at=factor_at,
        predictors=predictors,
        groups=groups,
        start_at=lambda h2: None if fit.solution is None else fit.solution.at(h2),
        z_tolerance=model.z_tolerance,
        audit=arrangement.audit,
    )


def _weights(model: Model, fit: StochasticFit) -> tuple[float, ...]:
    """The heritabilities of effect and test: one, or two that differ."""
    null = fit.null
    tested = model.h2_of_test(null.h2, null.h2_ml)
    return (null.h2,) if tested == null.h2 else (null.h2, tested)


def _scan(
    setting: Setting, model: Model, fit: StochasticFit, listener: Progress
) -> tuple[ScanColumns, list[Lens]]:
    """Test the variants of a setting; every one that could be a hit with an exact denominator."""
    lenses: list[Lens] = []
    for h2 in _weights(model, fit):
        with setting.problem.kept.others_aside():
            lenses.append(look(setting, h2, listener))
    setting.problem.kept.await_others()
    threshold = -float(np.log10(model.hit_threshold))
    tested = sharpened(lenses[-1], model.test, setting.design, threshold)
    lenses[-1] = tested
    return tested_columns(setting, lenses[0], tested, model.test), lenses
