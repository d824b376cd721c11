"""The tests of the exact model from scores and denominators, each with certified ends."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nextlmm.assoc.bound import log_p_of_share, trait_ends, widened
from nextlmm.assoc.projected import ProjectedFactor
from nextlmm.assoc.scan import EXACT_FIT, OK, Sums, Test, residual_df, spread, statistic
from nextlmm.genotype.tables import IndexArray
from nextlmm.linalg.covariance import FloatArray
from nextlmm.lmm.design import Design
from nextlmm.progress import Progress
from nextlmm.relatedness.operator import RelationshipOperator
from nextlmm.run.columns import ScanColumns
from nextlmm.run.exact.denominators import (
    REFINED_RTOL,
    Audit,
    Denominators,
    ExactForms,
    audited_denominators,
    refined,
)
from nextlmm.run.exact.forms import (
    Forms,
    exact_forms,
    forms_to_predict,
    join_forms,
    predicted_forms,
)
from nextlmm.run.exact.scores import Scores, solve_scores
from nextlmm.run.exact.system import uniform_system
from nextlmm.run.problem import Problem


@dataclass(frozen=True, eq=False)
class Group:
    """Variants that are tested without the same chromosome; ``left_out`` is -1 for none."""

    left_out: int
    variants: IndexArray


@dataclass(frozen=True, eq=False)
class Setting:
    """What all variants share.

    problem : samples in the order of the factors.
    factor_at : a factor of Sigma with the whole K at a heritability, to precondition all solves.
    predictors : the factors that predict x'Px at a heritability without each of some chromosomes.
    groups : every variant to be tested, once.
    start_at : about Py at a heritability, whatever is left out, to begin solves at; None for 0.
    z_tolerance : largest error of a score in its standard deviations.
    audit : how the prediction is audited.
    """

    problem: Problem
    design: Design
    operator: RelationshipOperator
    factor_at: Callable[[float], ProjectedFactor]
    predictors: Callable[[float, Sequence[int]], Iterable[ProjectedFactor]]
    groups: Sequence[Group]
    start_at: Callable[[float], FloatArray | None]
    z_tolerance: float
    audit: Audit

    @property
    def variants(self) -> IndexArray:
        """All variants, group after group."""
        return np.concatenate([group.variants for group in self.groups])

    @property
    def left_out(self) -> IndexArray:
        """The chromosome that each of ``variants`` is tested without."""
        return np.concatenate([np.full(len(g.variants), g.left_out) for g in self.groups])


@dataclass(frozen=True, eq=False)
class Lens:
    """All variants seen at one heritability.

    ypy, score_error : y'Py and the bound of the error of x'Py over sqrt(x'Px), (m,), of the
        chromosome that each variant is tested without.
    exact : solves for x'Px of chosen variants.
    """

    h2: float
    forms: Forms
    ypy: FloatArray
    score_error: FloatArray
    denominators: Denominators
    scores: Scores
    exact: ExactForms


def look(setting: Setting, h2: float, progress: Progress) -> Lens:
    """Solve for the scores, predict the denominators, and audit the prediction."""
    problem, design, operator = setting.problem, setting.design, setting.operator
    chromosomes = np.array([group.left_out for group in setting.groups])
    system = uniform_system(operator, design, h2, chromosomes)
    scores = problem.kept.once(
        "scores",
        (h2, chromosomes),
        lambda: solve_scores(
            problem.y,
            design,
            system,
            setting.factor_at(h2),
            z_tolerance=setting.z_tolerance,
            start=setting.start_at(h2),
        ),
        Scores,
    )
    forms = _forms(setting, h2, scores, progress)
    variants, left_out = setting.variants, setting.left_out

    def exact(positions: IndexArray, rtol: float) -> tuple[FloatArray, FloatArray]:
        return exact_forms(
            problem,
            design,
            operator,
            setting.factor_at(h2),
            variants[positions],
            left_out[positions],
            weight=h2,
            rtol=rtol,
        )

    size = [len(group.variants) for group in setting.groups]
    return Lens(
        h2=h2,
        forms=forms,
        ypy=np.repeat(scores.ypy, size),
        score_error=np.repeat(scores.error, size),
        denominators=audited_denominators(forms, exact, setting.audit),
        scores=scores,
        exact=exact,
    )


def _forms(setting: Setting, h2: float, scores: Scores, progress: Progress) -> Forms:
    """Scores and predicted denominators of all variants, group after group."""
    problem, threads = setting.problem, setting.operator.threads
    work = [
        forms_to_predict(problem, py, group.variants, progress, threads=threads)
        for py, group in zip(scores.py.T, setting.groups, strict=True)
    ]
    pairs = zip(setting.groups, work, strict=True)
    following = iter(
        setting.predictors(
            h2, [group.left_out for group, each in pairs if problem.kept.lacks(each)]
        )
    )
    forms = []
    for py, each in zip(scores.py.T, work, strict=True):
        with problem.kept.others_aside():
            forms.append(
                predicted_forms(problem, setting.design, lambda: next(following), py, each)
            )
    problem.kept.await_others()
    return join_forms(forms)


def log_p_ends(
    score: FloatArray,
    denominators: Denominators,
    ypy: FloatArray,
    error: FloatArray,
    test: Test,
    design: Design,
) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest -log10 p that the exact test of each variant can have, (m,) each.

    ``error`` bounds that of ``score`` over sqrt(x'Px), and that of ``ypy`` over its root: y'Py =
    b'a of a solve is off by b'P r.  All at one heritability; how well that is known is a matter of
    its own.
    """
    room = 1.0 + denominators.bound
    low, high = denominators.information / room, denominators.information * room
    size, (ypy_low, ypy_high) = np.abs(score), trait_ends(ypy, error)
    most = (size + error * np.sqrt(high)) ** 2 / low / ypy_low
    least = np.maximum(size - error * np.sqrt(high), 0.0) ** 2 / high / ypy_high
    df = residual_df(design)
    return widened(
        log_p_of_share(test, least, design.n, df), log_p_of_share(test, most, design.n, df)
    )


def _ends(lens: Lens, test: Test, design: Design) -> tuple[FloatArray, FloatArray]:
    return log_p_ends(lens.forms.score, lens.denominators, lens.ypy, lens.score_error, test, design)


def sharpened(lens: Lens, test: Test, design: Design, threshold: float) -> Lens:
    """The same with exact denominators wherever -log10 p could exceed ``threshold``."""
    _, high = _ends(lens, test, design)
    could = np.flatnonzero((high > threshold) & (lens.denominators.bound > REFINED_RTOL))
    if not len(could):
        return lens
    return replace(lens, denominators=refined(lens.denominators, could, lens.exact))


def tested_columns(setting: Setting, wald: Lens, tested: Lens, test: Test) -> ScanColumns:
    """The results of all variants: effects from one lens, the test from another or the same."""
    design = setting.design
    df = residual_df(design)
    good = tested.forms.status == OK
    sums, effect = _sums(tested, good), _sums(wald, good)
    chi2, log_p = statistic(test, sums, design.n, df)
    low, high = _ends(tested, test, design)
    return ScanColumns(
        variants=setting.variants,
        beta=spread(effect.xpy / effect.xpx, good),
        standard_error=spread(np.sqrt(effect.ypy_with / df / effect.xpx), good),
        chi2=spread(chi2, good),
        neg_log_10_p_value=spread(log_p, good),
        h2=spread(np.full(int(good.sum()), tested.h2), good),
        status=tested.forms.status,
        log_p_low=low,
        log_p_high=high,
    )


def _sums(lens: Lens, good: np.ndarray) -> Sums:
    xpx, xpy = lens.denominators.information[good], lens.forms.score[good]
    ypy = lens.ypy[good]
    return Sums(xpx, xpy, ypy, np.maximum(ypy - xpy**2 / xpx, EXACT_FIT * ypy))
