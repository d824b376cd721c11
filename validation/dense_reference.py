"""The exact LOCO model by dense algebra at a heritability that is given, for comparison.

A run by products estimates h2 with a Monte-Carlo error, and what its certificate says of scores and
denominators is said of the exact model at the h2 that it printed.  So the reference is made there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nextlmm.assoc.scan import residual_df, scan_model, test_block
from nextlmm.cohort.align import align
from nextlmm.cohort.table import read_sample_table
from nextlmm.genotype.filters import VariantFilter, select_variants
from nextlmm.genotype.source import open_genotypes
from nextlmm.genotype.summary import summarise_variants
from nextlmm.linalg.dense import DenseCovariance
from nextlmm.run.options import GwasOptions
from nextlmm.run.problem import Problem, Relating, make_problem


@dataclass(frozen=True, eq=False)
class Reference:
    """Exact tests at one h2 of the rows ``at`` of a result table, (a,) each.

    information : x'Px.
    ypy : y'Py without the variant's chromosome.
    log_p : -log10 p of Wald's test.
    score : x'Py / sqrt(x'Px y'Py / df), in standard deviations of the null model.
    df : n - c - 1.
    """

    h2: float
    at: np.ndarray
    information: np.ndarray
    ypy: np.ndarray
    log_p: np.ndarray
    score: np.ndarray
    df: int


def problem_of(options: GwasOptions) -> Problem:
    """What ``gwas(options)`` analyses for its only trait; options of lists are not used here."""
    source = open_genotypes(options.bfile)
    covariates = read_sample_table(options.covar) if options.covar else None
    traits = read_sample_table(options.pheno)
    cohort = align(source.samples, traits, options.trait[0], covariates=covariates)
    summary = summarise_variants(source, cohort.analysed)
    filters = VariantFilter(maf=options.maf, max_missing=options.max_missing)
    selection = select_variants(source.variants, summary, len(cohort), filters)
    relating = Relating(options.grm_weighting, loco=True)
    return make_problem(source, cohort, selection, summary, relating)


def references(options: GwasOptions, h2: Sequence[float], at: np.ndarray) -> list[Reference]:
    """References at several h2 for the rows ``at``, ascending, which must be testable.

    Cost : the relationship matrix twice, and a Cholesky factor per chromosome and h2.
    """
    problem = problem_of(options)
    wanted = problem.variants[at]
    columns: list[list[np.ndarray]] = [[] for _ in h2]
    rows = []
    df = 0
    for left_out in problem.leave_one_out(problem.total()):
        own = np.flatnonzero(np.isin(wanted, left_out.variants))
        if not len(own):
            continue
        rows.append(own)
        covariance = DenseCovariance(left_out.k)
        for parts, weight in zip(columns, h2, strict=True):
            model = scan_model(problem.y, problem.covariates, covariance, h2=weight)
            df, ypy = residual_df(model.design), model.tested.trait.ypy
            blocks = [test_block(model, d) for _, d in problem.dosage_blocks(wanted[own])]
            information = np.concatenate([block.information for block in blocks])
            chi2 = np.concatenate([block.chi2 for block in blocks])
            log_p = np.concatenate([block.neg_log_10_p_value for block in blocks])
            sign = np.sign(np.concatenate([block.beta for block in blocks]))
            score = sign * np.sqrt(df * chi2 / (df + chi2))  # F = df s^2 / (df - s^2)
            parts.append(np.stack([information, np.full(len(own), ypy), log_p, score]))
    order = np.argsort(np.concatenate(rows), kind="stable")
    joined = [np.concatenate(parts, axis=1)[:, order] for parts in columns]
    return [Reference(weight, at, *values, df) for weight, values in zip(h2, joined, strict=True)]
