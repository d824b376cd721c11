"""The tests of the compressed model."""

from dataclasses import dataclass

import numpy as np

from nextlmm.assoc.projected import ProjectedFactor, projected_factor
from nextlmm.assoc.scan import EXACT_FIT, OK, Sums, Test, residual_df, spread, statistic
from nextlmm.genotype.tables import IndexArray
from nextlmm.linalg.hierarchy import Hierarchy
from nextlmm.lmm.design import Design
from nextlmm.lmm.likelihood import WhitenedTrait, whiten_trait
from nextlmm.progress import Progress
from nextlmm.run.columns import ScanColumns
from nextlmm.run.exact.forms import Forms, forms_to_predict, predicted_forms
from nextlmm.run.problem import Problem


@dataclass(frozen=True, eq=False)
class Lens:
    """Trait and variants seen through one factor of the compressed Sigma.

    forms : scores x'P_H y and x'P_H x of the variants.
    """

    trait: WhitenedTrait
    forms: Forms


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
    work = forms_to_predict(problem, py, variants, progress, threads=threads)
    return Lens(trait, predicted_forms(problem, design, lambda: seen, py, work))


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


def _sums(lens: Lens, good: np.ndarray) -> Sums:
    xpx, xpy = lens.forms.predicted[good], lens.forms.score[good]
    ypy = np.full(xpx.shape, lens.trait.ypy)
    return Sums(xpx, xpy, ypy, np.maximum(ypy - xpy**2 / xpx, EXACT_FIT * ypy))
