"""The certificate of a run of the exact model by products: what was measured, as JSON values."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from nextlmm.linalg.covariance import CovarianceFactor
from nextlmm.linalg.hierarchy import HierarchicalFactor
from nextlmm.lmm.stochastic import StochasticFit
from nextlmm.report.summary import PRODUCTS
from nextlmm.run.certificate import largest_distance
from nextlmm.run.columns import ScanColumns
from nextlmm.run.exact.denominators import REFINED_RTOL
from nextlmm.run.exact.scan import Lens


def describe_products(
    fits: Sequence[StochasticFit],
    lenses: Sequence[Lens],
    columns: Sequence[ScanColumns],
    factor: CovarianceFactor,
) -> dict[str, Any]:
    """What the solves, the audits and the Monte-Carlo estimate of h2 were measured to be worth.

    Parameters
    ----------
    fits : of h2, the whole genome's first.
    lenses : at the heritabilities of the tests.
    columns : the results, with their certified ends.
    factor : the approximate factor that preconditioned and predicted.
    """
    predicted = [lens.denominators for lens in lenses if lens.denominators.calibration is not None]
    calibrations = [found.calibration for found in predicted if found.calibration is not None]
    left = [found.bound[~found.is_exact & np.isfinite(found.bound)] for found in predicted]
    sharp = [_sharp_bounds(lens) for lens in lenses]
    return {
        "kl": 0.0,
        "kl_interval": [0.0, 0.0],
        "kl_how": PRODUCTS,
        "log_determinant_error": fits[0].log_likelihood_error,
        "ranks": _ranks(factor),
        "bytes": factor.nbytes,
        "bytes_dense": 8 * factor.n**2,
        "relative_residual": max(lens.scores.relative_residual for lens in lenses),
        "iterations": max(lens.scores.iterations for lens in lenses),
        "z_error_max": max(lens.scores.z_error for lens in lenses),
        "chi2_error_predicted": max((float(b.max(initial=0.0)) for b in left), default=None),
        "chi2_error_refined": max((float(b.max(initial=0.0)) for b in sharp), default=None),
        "refined": sum(len(b) for b in sharp),
        "audited": sum(c.n_audited for c in calibrations) or None,
        "audit_spread": max((c.spread for c in calibrations), default=None),
        "audit_largest": max((c.largest for c in calibrations), default=None),
        "neg_log_10_p_error_max": largest_distance(columns),
        "h2_monte_carlo_error": max(fit.mc_error for fit in fits),
        "h2_monte_carlo_share": max(fit.mc_error_in_se for fit in fits),
        "h2_probes": max(fit.n_probes for fit in fits),
    }


def _ranks(factor: CovarianceFactor) -> list[dict[str, Any]]:
    if not isinstance(factor, HierarchicalFactor):
        return []
    return [asdict(level) for level in factor.levels()]


def _sharp_bounds(lens: Lens) -> np.ndarray:
    found = lens.denominators
    return np.asarray(found.bound[found.is_exact & (found.bound <= REFINED_RTOL)])
