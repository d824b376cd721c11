"""From a problem to its results: null model, scan, certificate, each a value."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from nextlmm.assoc.summary import lambda_gc
from nextlmm.genotype.tables import IndexArray
from nextlmm.lmm.null import NullModel
from nextlmm.output.pandas_frame import pandas_frame
from nextlmm.output.schema import result_table
from nextlmm.progress import Progress, Silent
from nextlmm.report.loci import count_tested, genome_order, top_hits
from nextlmm.report.notebook import trait_card
from nextlmm.run.columns import ScanColumns
from nextlmm.run.compressed.find import find_compressed, is_compressed_by_products
from nextlmm.run.dense import find_densely
from nextlmm.run.exact.find import find_by_products
from nextlmm.run.exact.route import plan_for, with_plan
from nextlmm.run.findings import Findings
from nextlmm.run.model import Model
from nextlmm.run.problem import Problem
from nextlmm.run.structure import Structure
from nextlmm.run.timing import Stopwatch
from nextlmm.work import Work


@dataclass(frozen=True, eq=False)
class Analysis:
    """The results of one trait.

    Attributes
    ----------
    table : one row per variant in the order of the genotypes; see ``nextlmm.output.schema``.
    variants : (m,) positions of its rows in the genotypes.
    null : the null model over the whole genome.
    lambda_gc : genomic inflation factor of the p-values; NaN if nothing was tested.
    certificate : how far the model is from the exact one, as JSON values.
    h2_by_chromosome : heritability with each chromosome left out, where it was estimated.
    work : seconds, operations and genotypes by stage.
    warnings : sentences about the genotypes and the null model.
    structure : the order of the samples and the blocks over them, where the route needed them.
    """

    table: pl.DataFrame
    variants: IndexArray
    null: NullModel
    lambda_gc: float
    certificate: dict[str, Any]
    h2_by_chromosome: dict[str, float] = field(default_factory=dict)
    work: dict[str, Work] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    structure: Structure | None = None

    def __repr__(self) -> str:
        error = "" if self.null.h2_se is None else f" (se {self.null.h2_se:.4f})"
        return (
            f"Analysis({self.table.height} variants, n = {self.null.n}, "
            f"h2 = {self.null.h2:.4f}{error}, lambda = {self.lambda_gc:.3f}, "
            f"kl = {self.certificate['kl']:.3g})"
        )

    def _repr_html_(self) -> str:
        facts = {
            **vars(self.null),
            "lambda_gc": self.lambda_gc if math.isfinite(self.lambda_gc) else None,
            "variants": {"tested": count_tested(self.table)},
            "top_hits": top_hits(self.table),
            "certificate": self.certificate,
            "budget": None,
            "warnings": self.warnings,
        }
        return trait_card("Association", facts)

    def to_pandas(self) -> Any:
        """Return ``table`` as a data frame of pandas; see ``nextlmm.output.pandas_frame``."""
        return pandas_frame(self.table)


def analyse(
    problem: Problem,
    model: Model,
    *,
    progress: Progress | None = None,
    watch: Stopwatch | None = None,
) -> Analysis:
    """Fit the null model of ``problem`` and test all its variants."""
    listener, stopwatch = progress or Silent(), watch or Stopwatch()
    findings = _find(problem, model, listener, stopwatch)
    with stopwatch.stage("result table"):
        variants, table = _table(problem, findings.columns)
        inflation = lambda_gc(table["neg_log_10_p_value"].fill_null(np.nan).to_numpy())
    return Analysis(
        table=table,
        variants=variants,
        null=findings.null,
        lambda_gc=inflation,
        certificate=findings.certificate,
        h2_by_chromosome=findings.h2_by_chromosome,
        work=stopwatch.stages(),
        warnings=(*problem.warnings, *findings.null.warnings, *findings.warnings),
        structure=findings.structure,
    )


def _find(problem: Problem, model: Model, listener: Progress, stopwatch: Stopwatch) -> Findings:
    """Null model and tests by the route that the mode, or the plan of exact mode, asks for."""
    if is_compressed_by_products(problem, model):
        return find_compressed(problem, model, listener, stopwatch)
    if model.mode != "exact":
        return find_densely(problem, model, listener, stopwatch)
    plan = plan_for(problem, model)
    if plan.way != "dense" or plan.precision == "single":
        return find_by_products(problem, model, plan, listener, stopwatch)
    return with_plan(find_densely(problem, model, listener, stopwatch), model, plan)


def in_genome_order(analysis: Analysis) -> Analysis:
    """The same with the rows of its table by chromosome and position; ties stay as they are."""
    table = analysis.table
    order = genome_order(table["chromosome"].to_numpy(), table["base_pair_location"].to_numpy())
    if np.array_equal(order, np.arange(len(order))):
        return analysis
    return replace(analysis, table=table[order], variants=analysis.variants[order])


def _table(problem: Problem, parts: Sequence[ScanColumns]) -> tuple[IndexArray, pl.DataFrame]:
    """All results in the order of the genotypes, and the positions of their variants there."""
    variants = np.concatenate([part.variants for part in parts])
    order = np.argsort(variants, kind="stable")
    variants = variants[order]
    rows = problem.source.variants.take(variants)

    def joined(name: str) -> np.ndarray:
        return np.concatenate([_column(part, name) for part in parts])[order]

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
    if parts[0].log_p_low is not None:
        columns["neg_log_10_p_value_low"] = joined("log_p_low")
        columns["neg_log_10_p_value_high"] = joined("log_p_high")
    return variants, result_table(columns)


def _column(columns: ScanColumns, name: str) -> np.ndarray:
    values = getattr(columns, name)
    assert isinstance(values, np.ndarray)  # noqa: S101  # None only where all scans have None
    return values
