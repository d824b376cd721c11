"""The certificate of the compressed model, measured with products alone, as JSON values."""

from dataclasses import asdict
from typing import Any

import numpy as np

from nextlmm.assoc.calibration import MISS
from nextlmm.linalg.hierarchy import HierarchicalFactor
from nextlmm.linalg.pencil import EstimatedDivergence
from nextlmm.lmm.null import NullModel
from nextlmm.report.summary import ESTIMATED
from nextlmm.run.certificate import largest_distance
from nextlmm.run.compressed.bounds import Bounded
from nextlmm.run.compressed.likelihood import ExactH2


def describe_compressed(
    whole: HierarchicalFactor,
    divergence: EstimatedDivergence,
    bounded: Bounded,
    null: NullModel,
    exact: ExactH2 | None,
    h2_of_bounds: float | None,
) -> dict[str, Any]:
    """The certificate as JSON values.

    Parameters
    ----------
    whole : the factor over the whole genome, of which ``divergence`` is.
    bounded : the results with their bounds.
    null, exact : the null model and what the exact one would have.
    h2_of_bounds : that of the exact tests that the bounds are of; None if each chromosome has its
        own.
    """
    described = {
        "kl": divergence.kl,
        "kl_interval": [divergence.low, divergence.high],
        "kl_how": ESTIMATED,
        "ranks": [asdict(level) for level in whole.levels()],
        "bytes": whole.nbytes,
        "bytes_dense": 8 * whole.n**2,
        "relative_residual": bounded.solved.relative_residual,
        "iterations": bounded.solved.iterations,
        **_denominators(bounded),
        "z_error_max": bounded.z_error,
        "neg_log_10_p_error_max": largest_distance(bounded.columns),
        "h2_of_bounds": h2_of_bounds,
    }
    if exact is not None:
        described["h2_exact"] = exact.h2
        described["h2_error"] = null.h2 - exact.h2
        described["h2_monte_carlo_error"] = exact.mc_error
    return described


def _denominators(bounded: Bounded) -> dict[str, Any]:
    """What is known of x'Px, and how far x'P_H x is from it."""
    found, predicted = bounded.denominators, bounded.predicted
    calibration = found.calibration
    known = ~np.isnan(found.bound)
    low = (found.information / (1.0 + found.bound) / predicted)[known]
    high = (found.information * (1.0 + found.bound) / predicted)[known]
    audited = int(found.is_exact.sum()) - bounded.n_strongest
    return {
        "variance_ratio": [float(low.min()), float(high.max())] if len(low) else None,
        "variance_ratio_failure": None if calibration is None else MISS,
        "chi2_error_predicted": (
            None if calibration is None else float(found.bound[known & ~found.is_exact].max())
        ),
        "chi2_error_refined": float(found.bound[found.is_exact].max(initial=0.0)),
        "refined": bounded.n_strongest,
        "audited": audited,
        "audit_spread": None if calibration is None else calibration.spread,
        "audit_largest": None if calibration is None else calibration.largest,
    }
