"""What the exact model can say of every test of the compressed one.

A test depends on (x'Py)^2 / x'Px.  Scores come from one exact vector Py for each group of variants.
The denominators x'P_H x of the scan are audited as the exact mode audits its predictions: x'Px of
some variants, spread over x'P_H x / x'x, is solved for, and says how the ratio of the two goes with
that share and how widely it varies around it.  What a factor misses need not be chance: it may be a
direction, such as a small population, that many variants follow.  So the directions in which it is
furthest from the exact matrix are put into the prediction first, and the variants that lie in them
most are audited too.  The variants that stand out most fill the last panel of the solve, and are
known themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nextlmm.assoc.calibration import choose_audit
from nextlmm.assoc.projected import ProjectedFactor
from nextlmm.assoc.scan import Test, residual_df
from nextlmm.genotype.tables import IndexArray
from nextlmm.linalg.covariance import FloatArray
from nextlmm.lmm.design import Design
from nextlmm.relatedness.operator import RelationshipOperator
from nextlmm.run.columns import ScanColumns
from nextlmm.run.compressed.likelihood import PANEL, Missed
from nextlmm.run.compressed.solves import Solved, Wanted, solve_exactly
from nextlmm.run.exact.denominators import Audit, Denominators, predicted_denominators, with_exact
from nextlmm.run.exact.forms import Forms, join_forms
from nextlmm.run.exact.scan import Group, log_p_ends
from nextlmm.run.problem import Problem
from nextlmm.run.variant_tile import in_threads

LEAST_Z_TOLERANCE = 0.03
"""A bound as wide as that of the denominators needs no sharper scores."""
AUDITED, RTOL = 48, 4e-3
_FOLLOWING = 6  # variants audited because they lie in the missed directions
_FEWEST_STRONGEST = 4


@dataclass(frozen=True, eq=False)
class Tested:
    """The variants of a group and their tests.

    forms : at the h2 of the test.
    h2 : that of the exact tests that bound them.
    columns : results without bounds.
    """

    group: Group
    forms: Forms
    h2: float
    columns: ScanColumns


@dataclass(frozen=True, eq=False)
class Bounded:
    """Results with their bounds, group after group, and what was measured for them.

    predicted : x'P_H x of all variants, (m,).
    denominators : x'Px of the exact model, and its bound.
    z_error : largest distance of any variant's score from the exact one in standard deviations.
    n_strongest : variants that were solved for because they stand out.
    """

    columns: list[ScanColumns]
    predicted: FloatArray
    denominators: Denominators
    solved: Solved
    z_error: float
    n_strongest: int


@dataclass(frozen=True, eq=False)
class ExactModel:
    """The exact side of a problem in the order of its factors.

    ``factor`` preconditions; ``missed`` is what the compression misses most.
    """

    problem: Problem
    design: Design
    operator: RelationshipOperator
    factor: ProjectedFactor
    missed: Missed

    def bound(
        self, tested: Sequence[Tested], test: Test, *, z_tolerance: float, seed: int
    ) -> Bounded:
        """Bound the tests of all groups by those of the exact model.

        Raises
        ------
        ConvergenceError
            If a solve does not reach its tolerance.

        Cost: some six products with 80 columns, and a product of every variant with one vector.
        """
        compressed = join_forms([part.forms for part in tested])
        group = np.repeat(np.arange(len(tested)), [len(part.group.variants) for part in tested])
        variants = np.concatenate([part.group.variants for part in tested])
        meeting = np.concatenate(
            [self._products(self.missed.vectors, part.group.variants) for part in tested]
        )
        ratio = _followed(meeting, self.missed, compressed)
        forms = replace(
            compressed, predicted=compressed.predicted * ratio, share=compressed.share * ratio
        )
        rule = Audit(AUDITED, RTOL, seed)
        audit = choose_audit(forms.share, rule.count, np.random.default_rng(rule.seed))
        audit = _with_following(audit, ratio)
        strongest = _strongest(forms, audit, len(tested))
        chosen = np.r_[audit, strongest]
        wanted = Wanted(
            left_out=np.array([part.group.left_out for part in tested]),
            weight=np.array([part.h2 for part in tested]),
            variants=variants[chosen],
            group=group[chosen],
            expected=forms.predicted[chosen],
            z_tolerance=max(z_tolerance, LEAST_Z_TOLERANCE),
            rtol=rule.rtol,
        )
        solved = self.problem.kept.once(
            "exact solves",
            (wanted.left_out, wanted.weight, wanted.variants),
            lambda: solve_exactly(self.problem, self.design, self.operator, self.factor, wanted),
            Solved,
        )
        denominators = _denominators(forms, audit, strongest, solved)
        score = np.concatenate(
            [
                self._products(py[:, None], part.group.variants)[:, 0]
                for py, part in zip(solved.py.T, tested, strict=True)
            ]
        )
        low, high = log_p_ends(
            score, denominators, solved.ypy[group], solved.error[group], test, self.design
        )
        ends = np.cumsum([len(part.group.variants) for part in tested])[:-1]
        parts = zip(tested, np.split(low, ends), np.split(high, ends), strict=True)
        return Bounded(
            columns=[replace(p.columns, log_p_low=low, log_p_high=high) for p, low, high in parts],
            predicted=compressed.predicted,
            denominators=denominators,
            solved=solved,
            z_error=_z_error(forms, score, denominators, solved, group, self.design),
            n_strongest=len(strongest),
        )

    def _products(self, x: FloatArray, variants: IndexArray) -> FloatArray:
        """The products of every variant, (m, k), with vectors (n, k) outside the covariates."""
        parts = in_threads(
            lambda block: self.problem.tile(block).products(x),
            self.problem.blocks(variants),
            self.operator.threads,
        )
        return np.concatenate(parts)


def _followed(meeting: FloatArray, missed: Missed, forms: Forms) -> FloatArray:
    """What the missed directions make of x'Px / x'P_H x, (m,).

    The directions are those of the whole genome, so that their shares may add up to a little more
    than all of a variant that is tested without its chromosome.
    """
    share = meeting**2 / forms.predicted[:, None]
    share /= np.maximum(1.0, share.sum(axis=1))[:, None]
    return np.asarray(1.0 + share @ (missed.ratio - 1.0))


def _with_following(audit: IndexArray, ratio: FloatArray) -> IndexArray:
    """The audit, and variants that lie in the missed directions most, in either sense."""
    known = np.setdiff1d(np.flatnonzero(np.isfinite(ratio)), audit)
    ordered = known[np.argsort(ratio[known], kind="stable")]
    ends = _FOLLOWING // 2
    return np.union1d(audit, np.r_[ordered[:ends], ordered[len(ordered) - ends :]])


def _strongest(forms: Forms, audit: IndexArray, n_groups: int) -> IndexArray:
    """Positions of the largest statistics that are not audited, to fill the last panel."""
    count = _FEWEST_STRONGEST + -(n_groups + len(audit) + _FEWEST_STRONGEST) % PANEL
    statistic = forms.score**2 / forms.predicted
    statistic[audit] = np.nan
    known = np.flatnonzero(np.isfinite(statistic))
    return np.sort(known[np.argsort(-statistic[known], kind="stable")[:count]])


def _denominators(
    forms: Forms, audit: IndexArray, strongest: IndexArray, solved: Solved
) -> Denominators:
    value, bound = np.split(solved.information, [len(audit)]), np.split(solved.bound, [len(audit)])
    found = predicted_denominators(
        forms, audit, value[0], bound[0], rtol=float(bound[0].max(initial=0.0))
    )
    return with_exact(found, strongest, value[1], bound[1])


def _z_error(
    forms: Forms,
    score: FloatArray,
    denominators: Denominators,
    solved: Solved,
    group: IndexArray,
    design: Design,
) -> float:
    """Largest distance of a score of the compressed model from that of the exact one."""
    sigma = np.sqrt(solved.ypy / residual_df(design))
    low = denominators.information / (1.0 + denominators.bound)
    distance = np.abs(score - forms.score) / np.sqrt(low) + solved.error[group]
    distance /= sigma[group]
    return float(distance[np.isfinite(distance)].max(initial=0.0))
