"""The certificate of a run: how far the compressed model is from the exact one, measured."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nextlmm.assoc.bound import ScanBound, scan_bound
from nextlmm.assoc.scan import Lens, ScanModel
from nextlmm.linalg.covariance import CovarianceFactor, FloatArray
from nextlmm.linalg.dense import CholeskyFactor
from nextlmm.linalg.divergence import (
    Divergence,
    eigenvalue_range,
    measure_divergence,
    relative_residual,
)
from nextlmm.linalg.hodlr import ranks_per_level
from nextlmm.lmm.likelihood import whiten_trait
from nextlmm.run.columns import ScanColumns
from nextlmm.run.model import Model
from nextlmm.run.problem import Problem
from nextlmm.run.solver import Fitted

_HOW = "measured with a Cholesky factor of the exact matrix"


@dataclass(frozen=True, eq=False)
class FactorCertificate:
    """What was measured for one matrix that a scan used.

    ``divergence`` is that of the factor from the exact matrix at the same h2, ``bound`` that of
    the tests from the exact ones, which are at the h2 of the exact null model.
    """

    divergence: Divergence
    bound: ScanBound


@dataclass(frozen=True, eq=False)
class Certified:
    """A certificate and the exact tests that it speaks of, for where its bound is not enough.

    ``exact`` holds an (n, n) factor and should not outlive its scan.
    """

    certificate: FactorCertificate
    exact: ScanModel


def certify(problem: Problem, model: Model, fitted: Fitted, scan: ScanModel) -> Certified | None:
    """Measure the factor that a scan uses; None where the matrix is exact."""
    if fitted.exact is None:
        return None
    tested = scan.tested.factor
    h2 = scan.tested.trait.h2
    same = _exact_factor(tested, fitted, h2)
    divergence = measure_divergence(tested, same)
    exact_h2 = model.h2_of_test(fitted.exact_null.h2, fitted.exact_null.h2_ml)
    exact = same if exact_h2 == h2 else fitted.exact.factor(exact_h2)
    lens = Lens(exact, whiten_trait(exact, problem.y, scan.design, h2=exact_h2))
    bound = scan_bound(scan, exact, lens.trait, eigenvalue_range(tested, exact))
    exact_scan = ScanModel(scan.test, scan.design, lens, lens)
    return Certified(FactorCertificate(divergence, bound), exact_scan)


def _exact_factor(tested: CovarianceFactor, fitted: Fitted, h2: float) -> CholeskyFactor:
    if isinstance(tested, CholeskyFactor):
        return tested
    assert fitted.exact is not None  # noqa: S101  # the caller has looked
    return fitted.exact.factor(h2)


def exact_certificate(whole: Fitted) -> dict[str, Any]:
    """The certificate of a run that approximated nothing: only rounding is left to measure."""
    nbytes = 8 * whole.covariance.n**2
    return {
        "kl": 0.0,
        "kl_interval": [0.0, 0.0],
        "kl_how": "exact matrix",
        "log_determinant_error": 0.0,
        "ranks": [],
        "bytes": nbytes,
        "bytes_dense": nbytes,
        "relative_residual": relative_residual(whole.covariance, whole.null.h2),
    }


def describe_certificate(
    whole: Fitted,
    parts: Sequence[FactorCertificate],
    log_p_error: float | None,
    *,
    h2_of_bounds: float | None,
) -> dict[str, Any]:
    """The certificate as JSON values.

    Parameters
    ----------
    whole : the matrix over the whole genome and its null model, at the h2 of that model.
    parts : what was measured for each matrix that a scan used.
    log_p_error : largest distance of a reported -log10 p from an end of its bounds; None if a
        bound is infinite.
    h2_of_bounds : that of the exact tests that the bounds are of; None if each chromosome has its
        own.
    """
    built = whole.covariance.factor(whole.null.h2)
    divergence = measure_divergence(built, _exact_factor(built, whole, whole.null.h2))
    rounding = divergence.kl_rounding
    return {
        "kl": divergence.kl,
        "kl_interval": [divergence.kl - rounding, divergence.kl + rounding],
        "kl_how": _HOW,
        "kl_scan_max": max(part.divergence.kl for part in parts),
        "log_determinant_error": divergence.logdet_error,
        "ranks": [asdict(level) for level in ranks_per_level(built)],
        "bytes": built.nbytes,
        "bytes_dense": 8 * built.n**2,
        "relative_residual": max(part.divergence.relative_residual for part in parts),
        "variance_ratio": [
            min(1.0 / part.bound.ratio_high for part in parts),
            max(1.0 / part.bound.ratio_low for part in parts),
        ],
        "z_error_max": max(part.bound.z_error for part in parts),
        "neg_log_10_p_error_max": log_p_error,
        "h2_of_bounds": h2_of_bounds,
        "h2_exact": whole.exact_null.h2,
        "h2_error": whole.null.h2 - whole.exact_null.h2,
    }


def largest_distance(parts: Sequence[ScanColumns]) -> float | None:
    """The largest distance of any -log10 p from an end of its bounds; None if one is unbounded."""
    errors = [
        widest(part.neg_log_10_p_value, part.log_p_low, part.log_p_high)
        for part in parts
        if part.log_p_low is not None and part.log_p_high is not None
    ]
    finite = [error for error in errors if error is not None]
    return max(finite) if len(finite) == len(errors) else None


def widest(log_p: FloatArray, low: FloatArray, high: FloatArray) -> float | None:
    """The largest distance of a -log10 p from an end of its bounds; None if unbounded."""
    tested = ~np.isnan(log_p)
    distance = np.maximum(high[tested] - log_p[tested], log_p[tested] - low[tested])
    largest = float(distance.max(initial=0.0))
    return largest if np.isfinite(largest) else None
