"""The analysis of the compressed model by products with the genotypes; nothing is n x n."""

from functools import partial

from nextlmm.assoc.projected import projected_factor
from nextlmm.linalg.hierarchy import Hierarchy
from nextlmm.linalg.pencil import EstimatedDivergence
from nextlmm.linalg.threads import one_thread
from nextlmm.lmm.design import Design, make_design
from nextlmm.lmm.estimate import estimate_null
from nextlmm.lmm.null import NullModel
from nextlmm.progress import Progress, Silent
from nextlmm.relatedness.hierarchical import HierarchicalMatrix
from nextlmm.relatedness.operator import RelationshipOperator
from nextlmm.run.compressed.bounds import ExactModel, Tested
from nextlmm.run.compressed.certificate import describe_compressed
from nextlmm.run.compressed.likelihood import ExactH2, Likelihood, Missed, Probed
from nextlmm.run.compressed.matrix import HierarchicalCovariance, compress
from nextlmm.run.compressed.scan import columns_of, look
from nextlmm.run.exact.arrange import Arrangement
from nextlmm.run.exact.find import arrangement_of, groups_of, operator_of
from nextlmm.run.exact.plan import Cost, Plan
from nextlmm.run.findings import Findings
from nextlmm.run.model import Model
from nextlmm.run.problem import Problem
from nextlmm.run.structure import Structure, blocks_of_hierarchy
from nextlmm.run.timing import Stopwatch

SMALLEST = 2_000
"""Samples below which dense algebra is cheaper, and measures without random vectors."""

_ORDERED = Plan("hodlr", "asked for", Cost(0.0, 0.0), Cost(0.0, 0.0), requested=True)


def is_compressed_by_products(problem: Problem, model: Model) -> bool:
    """Whether a run of hodlr mode does without the matrix that it approximates.

    Hits at their own heritability are tested on the exact matrix.
    """
    return (
        model.mode == "hodlr"
        and problem.n >= SMALLEST
        and problem.given is None
        and model.per_variant_h2 == "never"
    )


def find_compressed(
    problem: Problem, model: Model, listener: Progress, stopwatch: Stopwatch
) -> Findings:
    """Null model, tests and certificate of the hierarchical approximation of K.

    K is compressed once, from a sample of its variants.  K without a chromosome has the same
    columns, and leaves and energies of its own, so that no variant is tested against itself.

    Cost: two passes over the sample, one application of a factor to every variant, and the
    certificate's products: some ten with one panel of columns, and six with one for each left-out
    chromosome and 58 more.
    """
    operator = operator_of(problem, model, listener, stopwatch)
    with one_thread():
        ordered, matrix, whole = _fitted(problem, operator, model, listener, stopwatch)
        return _find(ordered, matrix, model, whole, listener, stopwatch)


def estimate_compressed(
    problem: Problem, model: Model, listener: Progress, stopwatch: Stopwatch
) -> tuple[NullModel, ExactH2 | None, tuple[str, ...]]:
    """The null model of `find_compressed` and no test; the exact one's h2, and a warning if far."""
    operator = operator_of(problem, model, listener, stopwatch)
    with one_thread():
        ordered, matrix, whole = _fitted(problem, operator, model, listener, stopwatch)
        design = make_design(ordered.problem.covariates)
        with stopwatch.stage("certificate"):
            _, exact = _exact_near(ordered, matrix, design, model, whole)
    return whole, exact, _far_from_exact(whole, exact)


def _fitted(
    problem: Problem,
    operator: RelationshipOperator,
    model: Model,
    listener: Progress,
    stopwatch: Stopwatch,
) -> tuple[Arrangement, HierarchicalMatrix, NullModel]:
    """The samples in tree order, the compressed matrix, and its null model."""
    with stopwatch.stage("ordering"):
        listener.start("Ordering the samples", 1)
        ordered = arrangement_of(problem, operator, model, _ORDERED)
        listener.finish()
    with stopwatch.stage("relationship matrix"):
        budget = model.budget
        assert budget is not None, "the mode compresses"  # noqa: S101
        matrix = problem.shared.once(
            ("compressed matrix", model),
            lambda: compress(
                ordered.operator,
                ordered.tree.root,
                budget,
                seed=model.seed,
                kept=ordered.problem.kept,
            ),
        )
    with stopwatch.stage("null model"):
        listener.start("Fitting the null model", 1)
        whole = _estimate(ordered.problem, matrix.hierarchy, model, -1)
        listener.finish()
    return ordered, matrix, whole


def _estimate(problem: Problem, hierarchy: Hierarchy, model: Model, left_out: int) -> NullModel:
    """The null model on a hierarchy that is without a chromosome, -1 for none."""
    covariance = HierarchicalCovariance(hierarchy)
    return problem.kept.once(
        "null model",
        (left_out,),
        lambda: estimate_null(problem.y, problem.covariates, covariance, method=model.method),
        NullModel,
    )


def _find(
    ordered: Arrangement,
    matrix: HierarchicalMatrix,
    model: Model,
    whole: NullModel,
    listener: Progress,
    stopwatch: Stopwatch,
) -> Findings:
    design = make_design(ordered.problem.covariates)
    with stopwatch.stage("certificate"):
        probed, exact = _exact_near(ordered, matrix, design, model, whole)
    h2_of_bounds = _h2_of_bounds(model, whole, exact) if model.loco_h2 == "shared" else None
    with stopwatch.stage("association"):
        tested, h2_by_chromosome = _tested(
            ordered, matrix, design, model, whole, h2_of_bounds, listener
        )
    factor = matrix.hierarchy.factor(_tested_h2(model, whole))
    with stopwatch.stage("certificate"):
        preconditioner = factor if h2_of_bounds is None else matrix.hierarchy.factor(h2_of_bounds)
        side = ExactModel(
            ordered.problem,
            design,
            ordered.operator,
            projected_factor(preconditioner, design),
            probed.missed,
        )
        bounded = side.bound(tested, model.test, z_tolerance=model.z_tolerance, seed=model.seed)
        certificate = describe_compressed(
            factor, probed.divergence, bounded, whole, exact, h2_of_bounds
        )
    return Findings(
        whole,
        bounded.columns,
        certificate,
        h2_by_chromosome,
        (*_over_tolerance(model, probed.divergence), *_far_from_exact(whole, exact)),
        Structure(
            ordered.tree.permutation, blocks_of_hierarchy(matrix.hierarchy), ordered.components
        ),
    )


def _exact_near(
    ordered: Arrangement,
    matrix: HierarchicalMatrix,
    design: Design,
    model: Model,
    null: NullModel,
) -> tuple[Probed, ExactH2 | None]:
    """How far the exact model is at the h2 of the compressed one, and where its own h2 is."""
    likelihood = Likelihood(
        ordered.operator, ordered.problem.y, design, matrix.hierarchy.factor, model.seed
    )

    def found() -> tuple[Probed, ExactH2 | None]:
        probed = likelihood.probed(null.h2)
        return probed, likelihood.exact_h2(null, probed)

    kinds = (Probed, EstimatedDivergence, Missed, ExactH2)
    return ordered.problem.kept.once("exact heritability", (null.h2,), found, *kinds)


def _tested_h2(model: Model, null: NullModel) -> float:
    return model.h2_of_test(null.h2, null.h2_ml)


def _h2_of_bounds(model: Model, null: NullModel, exact: ExactH2 | None) -> float:
    """That of the exact model where it is known, and else that of the tests.

    So the bounds hold the error of h2 too.
    """
    tested = _tested_h2(model, null)
    return tested if exact is None or tested != null.h2 else exact.h2


def _tested(
    ordered: Arrangement,
    matrix: HierarchicalMatrix,
    design: Design,
    model: Model,
    whole: NullModel,
    h2_of_bounds: float | None,
    listener: Progress,
) -> tuple[list[Tested], dict[str, float]]:
    """Test the variants of every group, and the h2 of each that has its own."""
    problem, threads = ordered.problem, ordered.operator.threads
    tested: list[Tested] = []
    h2_by_chromosome: dict[str, float] = {}
    listener.start("Testing variants", len(problem.variants))
    for group, name in groups_of(problem, ordered.operator, model):
        if not problem.kept.owns(group.variants):
            continue
        hierarchy, null = matrix.without(group.left_out), whole
        if model.loco_h2 == "per-chromosome":
            null = _estimate(problem, hierarchy, model, group.left_out)
            h2_by_chromosome[name] = null.h2
        see = partial(look, problem, design, hierarchy, variants=group.variants, threads=threads)
        with problem.kept.others_aside():
            wald = other = see(h2=null.h2, progress=listener)
        if _tested_h2(model, null) != null.h2:
            with problem.kept.others_aside():
                other = see(h2=_tested_h2(model, null), progress=Silent())
        if problem.kept.part is not None:
            continue
        columns = columns_of(group.variants, wald, other, model.test, design)
        h2 = other.trait.h2 if h2_of_bounds is None else h2_of_bounds
        tested.append(Tested(group, other.forms, h2, columns))
    listener.finish()
    problem.kept.await_others()
    return tested, h2_by_chromosome


def _over_tolerance(model: Model, divergence: EstimatedDivergence) -> tuple[str, ...]:
    """A sentence if a tolerance that was asked for was not met."""
    asked = model.kl_tolerance
    if asked is None or divergence.high <= asked:
        return ()
    return (
        f"the compression costs a KL divergence of {divergence.kl:.3g} (95 % interval "
        f"{divergence.low:.3g} to {divergence.high:.3g}), more than the tolerance of {asked:g}: "
        "what is left of K has full rank and would not compress further; use --mode exact for "
        "exact answers",
    )


def _far_from_exact(null: NullModel, exact: ExactH2 | None) -> tuple[str, ...]:
    """A sentence if the heritability is not that of the exact model to its standard error."""
    if null.method != "reml" or null.h2_se is None or null.h2_boundary is not None:
        return ()
    if exact is not None and abs(null.h2 - exact.h2) <= null.h2_se:
        return ()
    where = "was not found near it" if exact is None else f"is {exact.h2:.3f}"
    return (
        f"the heritability of the compressed matrix, {null.h2:.3f} (standard error "
        f"{null.h2_se:.3f}), is not that of the exact model, which {where}: the compression is too "
        "coarse for this trait; raise --rank, or use --mode exact",
    )
