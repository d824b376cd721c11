"""The tests of the compressed model, and what the exact model can say of each."""

from dataclasses import dataclass

import numpy as np

from nextlmm.assoc.bound import log_p_of_share, trait_ends, widened
from nextlmm.assoc.projected import ProjectedFactor, projected_factor
from nextlmm.assoc.scan import EXACT_FIT, OK, Sums, Test, residual_df, spread, statistic
from nextlmm.genotype.tables import IndexArray
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.hierarchy import HierarchicalFactor, Hierarchy
from nextlmm.lmm.design import Design
from nextlmm.lmm.likelihood import WhitenedTrait, whiten_trait
from nextlmm.progress import Progress
from nextlmm.run.columns import ScanColumns
from nextlmm.run.exact.forms import Forms, predicted_forms
from nextlmm.run.problem import Problem
from nextlmm.run.variant_tile import in_threads

FORMS_ROUNDING = 1e-5
"""Room for the single precision of x'P_H x."""


@dataclass(frozen=True, eq=False)
class Lens:
    """One factor of the compressed Sigma, and trait and variants seen through it.

    py : P_H y, (n,).
    forms : scores x'P_H y and x'P_H x of the variants.
    """

    factor: HierarchicalFactor
    trait: WhitenedTrait
    py: FloatArray
    forms: Forms


@dataclass(frozen=True, eq=False)
class ExactSide:
    """What is known of the exact model of the same h2.

    score : x'Py of the variants, (m,); ``error`` its bound over sqrt(x'Px).
    ypy : y'Py.
    ratio_low, ratio_high : bounds on the eigenvalues of W^-1 Sigma W^-T.
    """

    score: FloatArray
    error: float
    ypy: float
    ratio_low: float
    ratio_high: float


def look(
    problem: Problem,
    design: Design,
    hierarchy: Hierarchy,
    h2: float,
    variants: IndexArray,
    progress: Progress,
    *,
    threads: int,
) -> Lens:
    """Factor at a heritability, and meet every variant once."""
    factor = hierarchy.factor(h2)
    trait = whiten_trait(factor, problem.y, design, h2=h2)
    py = factor.whiten_transposed(trait.residual)
    seen: ProjectedFactor = projected_factor(factor, design)
    forms = predicted_forms(problem, design, seen, py, variants, progress, threads=threads)
    return Lens(factor, trait, py, forms)


def scores_of(
    problem: Problem, py: FloatArray, variants: IndexArray, *, threads: int
) -> FloatArray:
    """The product of every variant, (m,), with py, a vector outside the covariates."""
    parts = in_threads(
        lambda block: problem.tile(block).products(py[:, None])[:, 0],
        problem.blocks(variants),
        threads,
    )
    return np.concatenate(parts)


def columns_of(
    variants: IndexArray, wald: Lens, tested: Lens, test: Test, design: Design
) -> ScanColumns:
    """Results without their bounds."""
    good = tested.forms.status == OK
    df = residual_df(design)
    effect, sums = _sums(wald, good), _sums(tested, good)
    chi2, log_p = statistic(test, sums, design.n, df)
    return ScanColumns(
        variants=variants,
        beta=spread(effect.xpy / effect.xpx, good),
        standard_error=spread(np.sqrt(effect.ypy_with / df / effect.xpx), good),
        chi2=spread(chi2, good),
        neg_log_10_p_value=spread(log_p, good),
        h2=spread(np.full(int(good.sum()), tested.trait.h2), good),
        status=tested.forms.status,
    )


def log_p_ends(
    tested: Lens, exact: ExactSide, test: Test, design: Design
) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest -log10 p of the exact test of each variant at the same h2, (m,) each."""
    information = tested.forms.predicted
    low = information / exact.ratio_high * (1.0 - FORMS_ROUNDING)
    with np.errstate(divide="ignore"):
        high = information / np.float64(exact.ratio_low) * (1.0 + FORMS_ROUNDING)
    room = np.where(np.isfinite(high), exact.error * np.sqrt(high), np.inf)
    size = np.abs(exact.score)
    ypy_low, ypy_high = trait_ends(np.asarray(exact.ypy), exact.error)
    most = (size + room) ** 2 / low / ypy_low
    least = np.maximum(size - room, 0.0) ** 2 / high / ypy_high
    least[np.isnan(least) & ~np.isnan(information)] = 0.0
    df = residual_df(design)
    return widened(
        log_p_of_share(test, least, design.n, df), log_p_of_share(test, most, design.n, df)
    )


def _sums(lens: Lens, good: np.ndarray) -> Sums:
    xpx, xpy = lens.forms.predicted[good], lens.forms.score[good]
    ypy = np.full(xpx.shape, lens.trait.ypy)
    return Sums(xpx, xpy, ypy, np.maximum(ypy - xpy**2 / xpx, EXACT_FIT * ypy))
