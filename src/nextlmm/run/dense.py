"""The analysis with a square matrix: dense algebra, or a compressed form measured against it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from nextlmm.assoc.bound import ScanBound
from nextlmm.genotype.partition import chromosome_groups
from nextlmm.genotype.tables import IndexArray
from nextlmm.linalg.divergence import Divergence
from nextlmm.linalg.hodlr_build import HodlrCovariance
from nextlmm.linalg.ordering import cluster_tree
from nextlmm.linalg.tree import ClusterTree
from nextlmm.progress import Progress
from nextlmm.relatedness.grm import RelationshipSum, relationship_matrix
from nextlmm.run.certificate import (
    FactorCertificate,
    describe_certificate,
    exact_certificate,
    largest_distance,
)
from nextlmm.run.columns import ScanColumns
from nextlmm.run.exact.plan import HELD_SHARE
from nextlmm.run.exact.route import allowed_bytes
from nextlmm.run.findings import Findings
from nextlmm.run.model import Model
from nextlmm.run.problem import Problem
from nextlmm.run.scan import Scan, scan_variants
from nextlmm.run.solver import CompressedSolver, ExactSolver, Fitted, Solver
from nextlmm.run.structure import Structure, blocks_of_factor, blocks_of_tree
from nextlmm.run.timing import Stopwatch


def find_densely(
    problem: Problem, model: Model, listener: Progress, stopwatch: Stopwatch
) -> Findings:
    """Null model and tests with K as a square array.

    With a compressed matrix the samples are put into tree order first; no result depends on it.
    Cost: about four arrays of n^2 numbers and some n^3 operations per left-out chromosome.
    """
    problem, total, solver, tree, whole = _fitted(problem, model, listener, stopwatch)
    scans: list[Scan] = []
    h2_by_chromosome: dict[str, float] = {}
    listener.start("Testing variants", len(problem.variants))
    with stopwatch.stage("association"):
        for chromosome, tested in _tested(problem, total, model, solver, whole, listener):
            scans.append(tested.scan)
            if model.loco_h2 == "per-chromosome":
                h2_by_chromosome[chromosome] = tested.h2
    listener.finish()
    problem.kept.await_others()
    with stopwatch.stage("certificate"):
        certificate = _certificate(model, whole, scans)
    return Findings(
        null=whole.null,
        columns=[scan.columns for scan in scans],
        certificate=certificate,
        h2_by_chromosome=h2_by_chromosome,
        structure=None if tree is None else _structure(whole, tree),
    )


def estimate_densely(
    problem: Problem, model: Model, listener: Progress, stopwatch: Stopwatch
) -> Fitted:
    """The null model of `find_densely`, and no test."""
    return _fitted(problem, model, listener, stopwatch)[-1]


def total_of(
    problem: Problem, model: Model, listener: Progress, held_bytes: float
) -> RelationshipSum:
    """The sum of the relationships, made once for all traits of the same samples.

    The sums of the chromosomes are kept with it if they need no more than ``held_bytes``.
    """
    return problem.shared.once(
        ("relationship sum", model),
        lambda: problem.kept.once(
            "relationship sum",
            (),
            lambda: problem.total(listener, held_bytes=held_bytes),
            RelationshipSum,
        ),
    )


def _fitted(
    problem: Problem, model: Model, listener: Progress, stopwatch: Stopwatch
) -> tuple[Problem, RelationshipSum, Solver, ClusterTree | None, Fitted]:
    """The problem and its sum in the order that the solver wants, solver, tree and null model."""
    with stopwatch.stage("relationship matrix"):
        total = total_of(problem, model, listener, _held_bytes(model))
    with stopwatch.stage("null model"):
        listener.start("Fitting the null model", 1)
        k = relationship_matrix(total)
        problem, total, k, solver, tree = _prepare(problem, total, k, model)
        whole = solver.fit(k)
        listener.finish()
    return problem, total, solver, tree, whole


def _structure(whole: Fitted, tree: ClusterTree) -> Structure:
    """The order of a compressed matrix and the blocks that it ended with."""
    covariance = whole.covariance
    assert isinstance(covariance, HodlrCovariance), "the mode compresses"  # noqa: S101
    blocks = blocks_of_factor(covariance.built) or blocks_of_tree(tree.root)
    return Structure(tree.permutation, blocks)


def _held_bytes(model: Model) -> float:
    """What the sums of the chromosomes may take; none are needed without LOCO."""
    return HELD_SHARE * allowed_bytes(model.memory) if model.loco else 0.0


def _prepare(
    problem: Problem, total: RelationshipSum, k: np.ndarray, model: Model
) -> tuple[Problem, RelationshipSum, np.ndarray, Solver, ClusterTree | None]:
    """The problem and its matrix in the order that the solver wants, the solver, and its tree."""
    budget = model.budget
    if budget is None:
        exact = ExactSolver(problem.y, problem.covariates, model, problem.kept)
        return problem, total, k, exact, None
    tree = cluster_tree(k, leaf_size=model.leaf_size, seed=model.seed)
    k = np.asfortranarray(k[np.ix_(tree.permutation, tree.permutation)])
    problem, total = problem.reordered(tree.permutation), total.reordered(tree.permutation)
    solver = CompressedSolver(problem.y, problem.covariates, model, budget, tree)
    return problem, total, k, solver, tree


@dataclass(frozen=True, eq=False)
class _Tested:
    """The results of a set of variants, and the heritability of the null model of their matrix."""

    scan: Scan
    h2: float


def _tested(
    problem: Problem,
    total: RelationshipSum,
    model: Model,
    solver: Solver,
    whole: Fitted,
    listener: Progress,
) -> Iterator[tuple[str, _Tested]]:
    """Each set of variants with its results, in genome order; what came back needs no matrix."""
    kinds = (_Tested, Scan, ScanColumns, FactorCertificate, Divergence, ScanBound)
    groups = {"": problem.variants}
    if model.loco:
        groups = chromosome_groups(problem.variants, problem.source.variants.chromosome)
    known = {name: problem.kept.known("tests", (name,), *kinds) for name in groups}
    awaited = {
        name: variants
        for name, variants in groups.items()
        if known[name] is None and problem.kept.owns(variants)
    }
    fits = _fits(problem, total, model, solver, whole, awaited)
    for name, variants in groups.items():
        if known[name] is not None:
            listener.advance(len(variants))
            yield name, known[name]
        elif name in awaited:
            fitted = next(fits)
            found: _Tested | None = None
            with problem.kept.others_aside():
                found = problem.kept.once(
                    "tests",
                    (name,),
                    partial(_tested_with, fitted, problem, model, variants, listener),
                    *kinds,
                )
            if found is not None:
                yield name, found


def _tested_with(
    fitted: Fitted, problem: Problem, model: Model, variants: IndexArray, listener: Progress
) -> _Tested:
    return _Tested(scan_variants(problem, model, fitted, variants, listener), fitted.null.h2)


def _fits(
    problem: Problem,
    total: RelationshipSum,
    model: Model,
    solver: Solver,
    whole: Fitted,
    tested: Mapping[str, IndexArray],
) -> Iterator[Fitted]:
    """The fit that each set of variants is tested with, one at a time."""
    if not model.loco:
        yield whole
        return
    for left_out in problem.leave_one_out(total, tested):
        if model.loco_h2 == "per-chromosome":
            yield solver.fit(left_out.k)
        else:
            yield solver.at(left_out.k, whole)


def _certificate(model: Model, whole: Fitted, scans: list[Scan]) -> dict[str, Any]:
    parts = [scan.certificate for scan in scans if scan.certificate is not None]
    if whole.exact is None or not parts:
        return exact_certificate(whole)
    exact = whole.exact_null
    shared = model.h2_of_test(exact.h2, exact.h2_ml) if model.loco_h2 == "shared" else None
    distance = largest_distance([scan.columns for scan in scans])
    return describe_certificate(whole, parts, distance, h2_of_bounds=shared)
