"""x'Px in rising precision: predicted, corrected by an audit, exact where it could matter."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nextlmm.assoc.calibration import Calibration, calibrate, choose_audit
from nextlmm.genotype.tables import IndexArray
from nextlmm.linalg.covariance import FloatArray
from nextlmm.run.exact.forms import Forms

REFINED_RTOL = 1e-4
"""Largest relative error of x'Px of a variant whose p-value matters."""

ExactForms = Callable[[IndexArray, float], tuple[FloatArray, FloatArray]]
"""``exact(positions, rtol)``: x'Px of variants by their positions, and its relative error."""


@dataclass(frozen=True)
class Audit:
    """How a prediction is audited: ``count`` variants, solved to ``rtol``, drawn with ``seed``."""

    count: int
    rtol: float
    seed: int


@dataclass(frozen=True, eq=False)
class Denominators:
    """x'Px of m variants and the bound b of its relative error, (m,) each; NaN if not testable.

    The exact x'Px lies between information / (1 + b) and information * (1 + b).

    ``is_exact`` (m,) marks those that were solved for; ``calibration`` is what the audit found,
    None if there was nothing to predict.
    """

    information: FloatArray
    bound: FloatArray
    is_exact: np.ndarray
    calibration: Calibration | None


def audited_denominators(forms: Forms, exact: ExactForms, rule: Audit) -> Denominators:
    """Predict x'Px of all variants after an audit of some; all are audited if they are few."""
    audit = choose_audit(forms.share, rule.count, np.random.default_rng(rule.seed))
    value, error = exact(audit, rule.rtol)
    return predicted_denominators(forms, audit, value, error, rtol=rule.rtol)


def predicted_denominators(
    forms: Forms, audit: IndexArray, value: FloatArray, error: FloatArray, *, rtol: float
) -> Denominators:
    """Predict x'Px of all variants from that of some, and its relative error, at most ``rtol``."""
    testable = np.flatnonzero(np.isfinite(forms.predicted))
    information, bound = forms.predicted.copy(), np.full(forms.predicted.shape, np.nan)
    calibration = None
    if len(audit) < len(testable):
        calibration = calibrate(forms.share[audit], forms.predicted[audit], value)
        information[testable], bound[testable] = calibration.corrected(
            forms.predicted[testable], forms.share[testable]
        )
        bound[testable] += rtol  # the exact values of the audit have an error of their own
    found = Denominators(information, bound, np.zeros(len(bound), dtype=bool), calibration)
    return with_exact(found, audit, value, error)


def refined(denominators: Denominators, positions: IndexArray, exact: ExactForms) -> Denominators:
    """The same with x'Px of some variants solved for."""
    value, error = exact(positions, REFINED_RTOL)
    return with_exact(denominators, positions, value, error)


def with_exact(
    denominators: Denominators, positions: IndexArray, value: FloatArray, error: FloatArray
) -> Denominators:
    """Put solved x'Px in place of predicted ones."""
    information, bound = denominators.information.copy(), denominators.bound.copy()
    is_exact = denominators.is_exact.copy()
    information[positions], bound[positions], is_exact[positions] = value, error, True
    return Denominators(information, bound, is_exact, denominators.calibration)
