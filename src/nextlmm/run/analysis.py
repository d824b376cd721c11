"""From a problem to its results: null model, scan, certificate, each a value."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from nextlmm.assoc.summary import lambda_gc
from nextlmm.linalg.ordering import cluster_tree
from nextlmm.lmm.null import NullModel
from nextlmm.output.schema import result_table
from nextlmm.progress import Progress, Silent
from nextlmm.run.certificate import describe_certificate, exact_certificate, widest
from nextlmm.run.model import Model
from nextlmm.run.problem import Problem
from nextlmm.run.scan import Scan, ScanColumns, scan_variants
from nextlmm.run.solver import CompressedSolver, ExactSolver, Fitted, Solver
from nextlmm.run.timing import Stopwatch


@dataclass(frozen=True, eq=False)
class Analysis:
    """The results of one trait.

    Attributes
    ----------
    table : one row per variant in the order of the genotypes; see ``nextlmm.output.schema``.
    null : the null model over the whole genome.
    lambda_gc : genomic inflation factor of the p-values; NaN if nothing was tested.
    certificate : how far the model is from the exact one, as JSON values.
    h2_by_chromosome : heritability with each chromosome left out, where it was estimated.
    seconds : wall-clock time by stage.
    warnings : sentences about the genotypes and the null model.
    """

    table: pl.DataFrame
    null: NullModel
    lambda_gc: float
    certificate: dict[str, Any]
    h2_by_chromosome: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        error = "" if self.null.h2_se is None else f" (se {self.null.h2_se:.4f})"
        return (
            f"Analysis({self.table.height} variants, n = {self.null.n}, "
            f"h2 = {self.null.h2:.4f}{error}, lambda = {self.lambda_gc:.3f}, "
            f"kl = {self.certificate['kl']:.3g})"
        )


def analyse(
    problem: Problem,
    model: Model,
    *,
    progress: Progress | None = None,
    watch: Stopwatch | None = None,
) -> Analysis:
    """Fit the null model of ``problem`` and test all its variants.

    With a compressed matrix the samples are put into tree order first; no result depends on it.
    """
    listener, stopwatch = progress or Silent(), watch or Stopwatch()
    with stopwatch.stage("null model"):
        listener.start("Fitting the null model", 1)
        k = problem.whole()
        problem, k, solver = _prepare(problem, k, model)
        whole = solver.fit(k)
        listener.finish()
    scans: list[Scan] = []
    h2_by_chromosome: dict[str, float] = {}
    listener.start("Testing variants", len(problem.variants))
    with stopwatch.stage("association"):
        for chromosome, fitted, variants in _fits(problem, model, solver, whole):
            scans.append(scan_variants(problem, model, fitted, variants, listener))
            if fitted is not whole and model.loco_h2 == "per-chromosome":
                h2_by_chromosome[chromosome] = fitted.null.h2
    listener.finish()
    with stopwatch.stage("certificate"):
        certificate = _certificate(whole, scans)
    table = _table(problem, scans)
    inflation = lambda_gc(table["neg_log_10_p_value"].fill_null(np.nan).to_numpy())
    return Analysis(
        table=table,
        null=whole.null,
        lambda_gc=inflation,
        certificate=certificate,
        h2_by_chromosome=h2_by_chromosome,
        seconds=stopwatch.seconds(),
        warnings=(*problem.warnings, *whole.null.warnings),
    )


def _prepare(problem: Problem, k: np.ndarray, model: Model) -> tuple[Problem, np.ndarray, Solver]:
    """The problem in the order that the solver wants, and the solver."""
    budget = model.budget
    if budget is None:
        return problem, k, ExactSolver(problem.y, problem.covariates, model)
    tree = cluster_tree(k, leaf_size=model.leaf_size, seed=model.seed)
    k = np.asfortranarray(k[np.ix_(tree.permutation, tree.permutation)])
    problem = problem.reordered(tree.permutation)
    return problem, k, CompressedSolver(problem.y, problem.covariates, model, budget, tree)


def _fits(
    problem: Problem, model: Model, solver: Solver, whole: Fitted
) -> Iterator[tuple[str, Fitted, np.ndarray]]:
    """Each set of variants with the fit it is tested with, in genome order."""
    if not model.loco:
        yield "", whole, problem.variants
        return
    for left_out in problem.leave_one_out():
        if model.loco_h2 == "per-chromosome":
            fitted = solver.fit(left_out.k)
        else:
            fitted = solver.at(left_out.k, whole)
        yield left_out.chromosome, fitted, left_out.variants


def _certificate(whole: Fitted, scans: list[Scan]) -> dict[str, Any]:
    parts = [scan.certificate for scan in scans if scan.certificate is not None]
    if whole.exact is None or not parts:
        return exact_certificate(whole)
    errors = [
        widest(scan.columns.neg_log_10_p_value, scan.columns.log_p_low, scan.columns.log_p_high)
        for scan in scans
        if scan.columns.log_p_low is not None and scan.columns.log_p_high is not None
    ]
    finite = [error for error in errors if error is not None]
    return describe_certificate(whole, parts, max(finite) if len(finite) == len(errors) else None)


def _table(problem: Problem, scans: list[Scan]) -> pl.DataFrame:
    """All results in the order of the genotypes."""
    variants = np.concatenate([scan.columns.variants for scan in scans])
    order = np.argsort(variants, kind="stable")
    variants = variants[order]
    rows = problem.source.variants.take(variants)

    def joined(name: str) -> np.ndarray:
        return np.concatenate([_column(scan.columns, name) for scan in scans])[order]

    columns: dict[str, Any] = {
        "chromosome": rows.chromosome,
        "base_pair_location": rows.position_bp,
        "effect_allele": rows.effect_allele,
        "other_allele": rows.other_allele,
        "effect_allele_frequency": problem.summary.effect_allele_frequency[variants],
        "variant_id": rows.variant_id,
        "n": problem.summary.n_called[variants],
    }
    for name in ("beta", "standard_error", "neg_log_10_p_value", "status", "h2"):
        columns[name] = joined(name)
    columns["statistic"] = joined("chi2")
    if scans[0].columns.log_p_low is not None:
        columns["neg_log_10_p_value_low"] = joined("log_p_low")
        columns["neg_log_10_p_value_high"] = joined("log_p_high")
    return result_table(columns)


def _column(columns: ScanColumns, name: str) -> np.ndarray:
    values = getattr(columns, name)
    assert isinstance(values, np.ndarray)  # noqa: S101  # None only where all scans have None
    return values
