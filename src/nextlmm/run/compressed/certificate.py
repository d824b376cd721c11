"""How far the compressed model is from the exact one, measured with products alone.

No figure needs the matrix: the divergence and the range of x'Px / x'P_H x come from Lanczos
processes (see :mod:`nextlmm.linalg.pencil`), the exact scores from one solve for each left-out
chromosome, and the distance of the h2 from a step of Newton's method on the exact REML, whose
slope at h2 is (tr P - (n - c) |Py|^2 / y'Py) / (2 h2).
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nextlmm.assoc.projected import ProjectedFactor
from nextlmm.errors import ConvergenceError
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.hierarchy import HierarchicalFactor
from nextlmm.linalg.pcg import solve
from nextlmm.linalg.pencil import (
    FAILURE,
    EstimatedDivergence,
    Process,
    bounded_spectrum,
    estimate_divergence,
    lanczos,
)
from nextlmm.lmm.design import Design
from nextlmm.lmm.null import NullModel
from nextlmm.relatedness.operator import RelationshipOperator
from nextlmm.report.summary import ESTIMATED
from nextlmm.run.certificate import largest_distance
from nextlmm.run.columns import ScanColumns
from nextlmm.run.compressed.scan import Lens
from nextlmm.run.exact.scores import Scores
from nextlmm.run.exact.system import uniform_system

PROBES = 8
"""Random vectors for the divergence over the whole genome."""
_TRACE_PROBES, _TRACE_TOLERANCE = 15, 1e-3
_MOST_NEWTON = 3


@dataclass(frozen=True)
class ExactH2:
    """Where the exact likelihood is highest, to a Newton step, and the Monte-Carlo error of it."""

    h2: float
    mc_error: float


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured for the factor of one group of variants.

    kl : in nats, from the vectors of this group.
    ratio : bounds on the eigenvalues of W^-1 Sigma W^-T.
    z_error : largest distance of any variant's score from the exact one in standard deviations,
        denominators apart.
    relative_residual : of the exact solve.
    """

    kl: float
    ratio: tuple[float, float]
    z_error: float
    relative_residual: float


def pencil_processes(
    operator: RelationshipOperator,
    factors: Sequence[HierarchicalFactor],
    left_out: Sequence[int],
    h2: Sequence[float],
    *,
    probes: Sequence[int],
    seed: int,
) -> list[list[Process]]:
    """Processes of W^-1 Sigma W^-T for factors of Sigma without a chromosome, all in lock-step.

    ``h2`` is that of each exact Sigma, which need not be that of the factor.

    Cost: some 12 to 28 products with as many columns as there are ``probes`` of all factors.
    """
    of = np.repeat(np.arange(len(factors)), probes)
    chromosome, weight = np.asarray(left_out)[of], np.asarray(h2)[of]

    def product(x: FloatArray, columns: np.ndarray) -> FloatArray:
        lifted = np.empty_like(x)
        for number, factor in enumerate(factors):
            own = of[columns] == number
            lifted[:, own] = factor.whiten_transposed(x[:, own])
        image = operator.matmul(lifted, chromosome[columns], dtype=np.float32)
        image *= weight[columns]
        image += (1.0 - weight[columns]) * lifted
        for number, factor in enumerate(factors):
            own = of[columns] == number
            image[:, own] = factor.whiten(image[:, own])
        return image

    found = lanczos(product, operator.n, of, seed=seed)
    return [
        [process for process, own in zip(found, of, strict=True) if own == number]
        for number in range(len(factors))
    ]


def exact_h2(
    operator: RelationshipOperator,
    y: FloatArray,
    design: Design,
    null: NullModel,
    factor_at: Callable[[float], ProjectedFactor],
    *,
    seed: int,
) -> ExactH2 | None:
    """Where the exact REML is highest, near that of the compressed matrix.

    Newton's method with the curvature of the compressed likelihood, then that of two slopes, until
    a step is half a standard error at most, which is taken.  No step takes more than half of the
    way to 0 or 1, near which solves are long.  None if there is no standard error, or after three
    steps, or if a solve fails: the two likelihoods have little in common then.

    Cost: for each step a solve with 16 columns.
    """
    if null.method != "reml" or null.h2_se is None or null.h2_boundary is not None:
        return None
    h2, curvature = null.h2, null.h2_se**-2.0
    try:
        slope, noise = _slope(operator, y, design, h2, factor_at(h2), seed)
        for _ in range(_MOST_NEWTON):
            following = float(np.clip(h2 + slope / curvature, h2 / 2.0, (1.0 + h2) / 2.0))
            if abs(following - h2) <= 0.5 * null.h2_se:
                return ExactH2(following, noise / curvature)
            before, h2 = (h2, slope), following
            slope, noise = _slope(operator, y, design, h2, factor_at(h2), seed)
            if (before[1] - slope) / (h2 - before[0]) > 0.0:
                curvature = (before[1] - slope) / (h2 - before[0])
    except ConvergenceError:
        return None
    return None


def _slope(
    operator: RelationshipOperator,
    y: FloatArray,
    design: Design,
    h2: float,
    factor: ProjectedFactor,
    seed: int,
) -> tuple[float, float]:
    """Of the exact REML at h2, and its Monte-Carlo standard error.

    Tr P is tr P_H plus the mean of v'(P - P_H)v over random signs v.
    """
    rng = np.random.default_rng([seed, 1])
    signs = rng.choice([-1.0, 1.0], (design.n, _TRACE_PROBES))
    b = design.project(np.column_stack([y, signs]))
    found = solve(
        uniform_system(operator, design, h2, np.full(b.shape[1], -1)).product(np.float32),
        lambda x, _: factor.apply(x),
        b,
        tolerance=_TRACE_TOLERANCE * np.linalg.norm(b, axis=0),
    )
    v, py = b[:, 1:], found.x[:, 0]
    difference = np.einsum("ij,ij->j", v, found.x[:, 1:] - factor.apply(v))
    trace = _trace(factor) + float(difference.mean())
    df = design.n - design.n_covariates
    slope = (trace - df * float(py @ py) / float(b[:, 0] @ py)) / (2.0 * h2)
    return slope, float(difference.std(ddof=1)) / np.sqrt(_TRACE_PROBES) / (2.0 * h2)


def measured(
    processes: Sequence[Process], lens: Lens, scores: Scores, column: int, design: Design
) -> Measured:
    """Divergence, ratios and scores of one group."""
    exact_py, ypy = scores.py[:, column], float(scores.ypy[column])
    rho = float(np.linalg.norm(lens.factor.unwhiten_transposed(exact_py - lens.py)))
    sigma = np.sqrt(ypy / (design.n - design.n_covariates - 1))
    return Measured(
        kl=estimate_divergence(processes).kl,
        ratio=bounded_spectrum(processes),
        z_error=(rho + float(scores.error[column])) / float(sigma),
        relative_residual=scores.relative_residual,
    )


def describe_compressed(
    whole: HierarchicalFactor,
    divergence: EstimatedDivergence,
    parts: Sequence[Measured],
    columns: Sequence[ScanColumns],
    null: NullModel,
    exact: ExactH2 | None,
    h2_of_bounds: float | None,
) -> dict[str, Any]:
    """The certificate as JSON values.

    Parameters
    ----------
    whole : the factor over the whole genome, of which ``divergence`` is.
    parts : of the factors that the tests used.
    columns : the results with their bounds.
    null, exact : the null model and what the exact one would have.
    h2_of_bounds : that of the exact tests that the bounds are of; None if each chromosome has its
        own.
    """
    low, high = min(p.ratio[0] for p in parts), max(p.ratio[1] for p in parts)
    described = {
        "kl": divergence.kl,
        "kl_interval": [divergence.low, divergence.high],
        "kl_how": ESTIMATED,
        "kl_scan_max": max(part.kl for part in parts),
        "ranks": [asdict(level) for level in whole.levels()],
        "bytes": whole.nbytes,
        "bytes_dense": 8 * whole.n**2,
        "relative_residual": max(part.relative_residual for part in parts),
        "variance_ratio": [1.0 / high, 1.0 / low if low > 0.0 else None],
        "variance_ratio_failure": FAILURE,
        "z_error_max": max(part.z_error for part in parts),
        "neg_log_10_p_error_max": largest_distance(columns),
        "h2_of_bounds": h2_of_bounds,
    }
    if exact is not None:
        described["h2_exact"] = exact.h2
        described["h2_error"] = null.h2 - exact.h2
        described["h2_monte_carlo_error"] = exact.mc_error
    return described


def _trace(factor: ProjectedFactor) -> float:
    """The trace of P_H: a sum of squares of the vectors of the form."""
    form = factor.form
    total = form.identity * factor.factor.n
    for part in form.squares:
        total += float(part.weights @ np.einsum("ij,ij->j", part.vectors, part.vectors))
    return total
