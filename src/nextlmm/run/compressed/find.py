"""The analysis of the compressed model by products with the genotypes; nothing is n x n."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from nextlmm.assoc.projected import ProjectedFactor, projected_factor
from nextlmm.linalg.hierarchy import HierarchicalFactor, Hierarchy
from nextlmm.linalg.pencil import EstimatedDivergence, Process, estimate_divergence
from nextlmm.linalg.threads import one_thread
from nextlmm.lmm.design import Design, make_design
from nextlmm.lmm.estimate import estimate_null
from nextlmm.lmm.null import NullModel
from nextlmm.progress import Progress, Silent
from nextlmm.relatedness.hierarchical import HierarchicalMatrix
from nextlmm.relatedness.operator import RelationshipOperator
from nextlmm.run.columns import ScanColumns
from nextlmm.run.compressed.certificate import (
    PROBES,
    ExactH2,
    Measured,
    describe_compressed,
    exact_h2,
    measured,
    pencil_processes,
)
from nextlmm.run.compressed.matrix import HierarchicalCovariance, compress
from nextlmm.run.compressed.scan import (
    ExactSide,
    Lens,
    columns_of,
    log_p_ends,
    look,
    scores_of,
)
from nextlmm.run.exact.arrange import Arrangement
from nextlmm.run.exact.find import arrangement_of, groups_of, operator_of
from nextlmm.run.exact.plan import Cost, Plan
from nextlmm.run.exact.scan import Group
from nextlmm.run.exact.scores import Scores, solve_scores
from nextlmm.run.exact.system import System
from nextlmm.run.findings import Findings
from nextlmm.run.model import Model
from nextlmm.run.problem import Problem
from nextlmm.run.structure import Structure, blocks_of_hierarchy
from nextlmm.run.timing import Stopwatch

SMALLEST = 2_000
"""Samples below which dense algebra is cheaper, and measures without random vectors."""

_LEAST_Z_TOLERANCE = 0.03  # a bound as wide as that of the denominators needs no sharper scores
_TOGETHER_BYTES = 2**30  # of factors whose processes go on in lock-step
_ORDERED = Plan("hodlr", "asked for", Cost(0.0, 0.0), Cost(0.0, 0.0), requested=True)


@dataclass(frozen=True, eq=False)
class _Seen:
    """The variants tested without a chromosome, through the factors that they are tested with."""

    group: Group
    wald: Lens
    tested: Lens
    columns: ScanColumns


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

    K is compressed once, from all variants.  K without a chromosome has the same columns and leaves
    and energies of its own, so that no variant is tested against itself.

    Cost: four passes over the variants, some ten over as many of them as there are samples, one
    application of a factor to every variant, and the certificate's products: some 20 for each
    left-out chromosome, a solve for each, and some 200 columns more.
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
        factor = projected_factor(matrix.hierarchy.factor(whole.h2), design)
        with stopwatch.stage("certificate"):
            exact = _Certifier(ordered, design, model, whole, factor).exact_h2(matrix)
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
    problem, operator = ordered.problem, ordered.operator
    design = make_design(problem.covariates)
    factor = matrix.hierarchy.factor(_tested_h2(model, whole))
    certifier = _Certifier(ordered, design, model, whole, projected_factor(factor, design))
    with stopwatch.stage("certificate"):
        exact = None
        if problem.kept.part is None:
            exact = certifier.exact_h2(matrix)
    h2_by_chromosome: dict[str, float] = {}
    certified: list[_Certified] = []
    batch: list[_Seen] = []
    groups = list(groups_of(problem, operator, model))
    listener.start("Testing variants", len(problem.variants))
    for number, (group, name) in enumerate(groups, start=1):
        if not problem.kept.owns(group.variants):
            continue
        with stopwatch.stage("association"):
            hierarchy = matrix.without(group.left_out)
            null = whole
            if model.loco_h2 == "per-chromosome":
                null = _estimate(problem, hierarchy, model, group.left_out)
                h2_by_chromosome[name] = null.h2
            with problem.kept.others_aside():
                batch.append(_seen(ordered, design, hierarchy, null, group, model, listener))
        if batch and (number == len(groups) or len(batch) * factor.nbytes > _TOGETHER_BYTES):
            with stopwatch.stage("certificate"):
                certified.append(certifier.certified(batch, exact, with_whole=not certified))
            batch = []
    listener.finish()
    problem.kept.await_others()
    first = certified[0]
    divergence = estimate_divergence(first.whole)
    columns = [part for each in certified for part in each.columns]
    parts = [part for each in certified for part in each.parts]
    bounded = certifier.h2_of_bounds(exact) if model.loco_h2 == "shared" else None
    certificate = describe_compressed(factor, divergence, parts, columns, whole, exact, bounded)
    return Findings(
        whole,
        columns,
        certificate,
        h2_by_chromosome,
        (*_over_tolerance(model, divergence), *_far_from_exact(whole, exact)),
        Structure(
            ordered.tree.permutation, blocks_of_hierarchy(matrix.hierarchy), ordered.components
        ),
    )


def _tested_h2(model: Model, null: NullModel) -> float:
    return model.h2_of_test(null.h2, null.h2_ml)


def _seen(
    ordered: Arrangement,
    design: Design,
    hierarchy: Hierarchy,
    null: NullModel,
    group: Group,
    model: Model,
    listener: Progress,
) -> _Seen:
    """Test the variants of a group."""
    threads = ordered.operator.threads

    def at(h2: float, progress: Progress) -> Lens:
        return look(
            ordered.problem, design, hierarchy, h2, group.variants, progress, threads=threads
        )

    kept = ordered.problem.kept
    with kept.others_aside():
        wald = tested = at(null.h2, listener)
    if _tested_h2(model, null) != null.h2:
        with kept.others_aside():
            tested = at(_tested_h2(model, null), Silent())
    kept.await_others()
    columns = columns_of(group.variants, wald, tested, model.test, design)
    return _Seen(group, wald, tested, columns)


@dataclass(frozen=True, eq=False)
class _Certified:
    """The results of some groups with their bounds, and what was measured for each.

    ``whole`` are the processes of the whole genome, where that was measured too.
    """

    columns: list[ScanColumns]
    parts: list[Measured]
    whole: list[Process]


@dataclass(frozen=True, eq=False)
class _Certifier:
    """What bounds the tests of any group by the exact model.

    ``null`` and ``factor`` are of the whole genome; the factor preconditions.
    """

    ordered: Arrangement
    design: Design
    model: Model
    null: NullModel
    factor: ProjectedFactor

    def exact_h2(self, matrix: HierarchicalMatrix) -> ExactH2 | None:
        """Where the exact REML is highest, near that of the compressed matrix."""
        problem = self.ordered.problem

        def found() -> tuple[ExactH2 | None]:
            at = exact_h2(
                self.ordered.operator,
                problem.y,
                self.design,
                self.null,
                lambda h2: projected_factor(matrix.hierarchy.factor(h2), self.design),
                seed=self.model.seed,
            )
            return (at,)

        return problem.kept.once("exact heritability", (), found, ExactH2)[0]

    def h2_of_bounds(self, exact: ExactH2 | None) -> float:
        """That of the exact model where it is known, and else that of the tests."""
        tested = _tested_h2(self.model, self.null)
        return tested if exact is None or tested != self.null.h2 else exact.h2

    def certified(
        self, batch: Sequence[_Seen], exact: ExactH2 | None, *, with_whole: bool
    ) -> _Certified:
        """Measure the groups, and with them the whole genome if it is wanted.

        The exact side is at the h2 of the exact model where that is known, so that the bounds hold
        the error of h2 too, and at the same h2 elsewhere.
        """
        return self.ordered.problem.kept.once(
            "certificate",
            (tuple(int(seen.group.variants[0]) for seen in batch), with_whole),
            lambda: self._certified(batch, exact, with_whole=with_whole),
            *(_Certified, ScanColumns, Measured, Process),
        )

    def _certified(
        self, batch: Sequence[_Seen], exact: ExactH2 | None, *, with_whole: bool
    ) -> _Certified:
        operator, design, seed = self.ordered.operator, self.design, self.model.seed
        left_out = [seen.group.left_out for seen in batch]
        weights = [seen.tested.trait.h2 for seen in batch]
        if self.model.loco_h2 == "shared":
            weights = [self.h2_of_bounds(exact)] * len(batch)
        scores = solve_scores(
            self.ordered.problem.y,
            design,
            System(operator, design, np.array(weights), np.array(left_out)),
            self.factor,
            z_tolerance=max(self.model.z_tolerance, _LEAST_Z_TOLERANCE),
        )
        factors = [seen.tested.factor for seen in batch]
        probes = [PROBES if number < 0 else 1 for number in left_out]
        if with_whole:
            factors.append(cast("HierarchicalFactor", self.factor.factor))
            left_out.append(-1)
            weights.append(_tested_h2(self.model, self.null))
            probes.append(PROBES)
        processes = pencil_processes(operator, factors, left_out, weights, probes=probes, seed=seed)
        parts = [
            measured(own, seen.tested, scores, number, design)
            for number, (seen, own) in enumerate(zip(batch, processes, strict=False))
        ]
        columns = [
            self._bounded(seen, part, scores, number)
            for number, (seen, part) in enumerate(zip(batch, parts, strict=True))
        ]
        return _Certified(columns, parts, processes[-1] if with_whole else [])

    def _bounded(self, seen: _Seen, part: Measured, scores: Scores, number: int) -> ScanColumns:
        problem, threads = self.ordered.problem, self.ordered.operator.threads
        exact = ExactSide(
            score=scores_of(problem, scores.py[:, number], seen.group.variants, threads=threads),
            error=float(scores.error[number]),
            ypy=float(scores.ypy[number]),
            ratio_low=part.ratio[0],
            ratio_high=part.ratio[1],
        )
        low, high = log_p_ends(seen.tested, exact, self.model.test, self.design)
        return replace(seen.columns, log_p_low=low, log_p_high=high)


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
