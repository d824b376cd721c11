"""The exact likelihood near the compressed one: how far apart, and where it is highest.

Lanczos processes of S = W^-1 Sigma W^-T (see :mod:`nextlmm.linalg.pencil`) in lock-step, one panel
of columns, say all of it at one h2: from random directions u the divergence, and the trace of
Sigma^-1 as that of (W W')^-1, which is known, plus the mean of

    u' W^-1 W^-T (S^-1 - I) u;

from W^-1 y and W^-1 C the vector Py and what the covariates take off the trace.  The slope of the
exact REML at h2 is (tr P - (n - c) |Py|^2 / y'Py) / (2 h2).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nextlmm.genotype.lookup import WIDTH
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.hierarchy import HierarchicalFactor
from nextlmm.linalg.inverse_form import InverseForm, inverse_form
from nextlmm.linalg.pencil import (
    EstimatedDivergence,
    Process,
    Run,
    directions,
    estimate_divergence,
    lanczos,
)
from nextlmm.lmm.design import Design
from nextlmm.lmm.null import NullModel
from nextlmm.relatedness.operator import RelationshipOperator

PANEL = WIDTH["float32"]
"""Columns that cost no more than one."""
MISSED = WIDTH["float64"]
"""Directions that the audit knows of: a panel in double precision."""
_FEWEST_PROBES = 8
_TRAIT_RESIDUAL, _OTHER_RESIDUAL = 3e-4, 1e-2  # the noise of the probes is larger than either's
_MOST_NEWTON = 3


@dataclass(frozen=True, eq=False)
class Probed:
    """The exact model at one h2, seen through a factor.

    divergence : of the factor.
    missed : what the factor misses most.
    slope : of the exact REML in h2, None at 0 or if the steps were too few to know it; ``noise`` is
        its Monte-Carlo standard error.
    """

    divergence: EstimatedDivergence
    missed: "Missed"
    slope: float | None
    noise: float


@dataclass(frozen=True, eq=False)
class Missed:
    """Directions in which a factor is furthest from the matrix it stands for.

    ratio : about x'Px / x'P_H x of an x that lies in one of them alone, (r,).
    vectors : (n, r), as they meet x: (v'x)^2 / x'P_H x is how much of x lies in one.
    """

    ratio: FloatArray
    vectors: FloatArray


@dataclass(frozen=True)
class ExactH2:
    """Where the exact likelihood is highest, to a Newton step, and the Monte-Carlo error of it."""

    h2: float
    mc_error: float


@dataclass(frozen=True, eq=False)
class Likelihood:
    """The trait of a problem, and its relationships exact and compressed.

    factor_at : the compressed Sigma at an h2.
    """

    operator: RelationshipOperator
    y: FloatArray
    design: Design
    factor_at: Callable[[float], HierarchicalFactor]
    seed: int

    def probed(self, h2: float) -> Probed:
        """Divergence and slope at an h2.

        Cost: some ten products of one panel, of two from eight covariates on.
        """
        factor, design = self.factor_at(h2), self.design
        known = 1 + design.n_covariates
        count = _FEWEST_PROBES + -(known + _FEWEST_PROBES) % PANEL
        rng = np.random.default_rng([self.seed, design.n])
        random = directions(design.n, count, rng)
        y = design.project(self.y)
        whitened = factor.whiten(np.column_stack([y, design.basis]))

        def product(x: FloatArray) -> FloatArray:
            lifted = factor.whiten_transposed(x)
            image = self.operator.matmul(lifted, dtype=np.float32)
            image *= h2
            image += (1.0 - h2) * lifted
            return factor.whiten(image)

        def is_enough(processes: Sequence[Process]) -> bool:
            divergence = estimate_divergence(processes[known:])
            return divergence.is_settled and _is_solved(processes)

        run = lanczos(product, np.column_stack([whitened, random]), is_enough)
        divergence = estimate_divergence(run.processes[known:])
        missed = _missed(run, factor, design)
        if h2 == 0.0 or not _is_solved(run.processes):
            return Probed(divergence, missed, None, np.inf)
        return Probed(divergence, missed, *_slope(run, factor, y, design, random, h2))

    def exact_h2(self, null: NullModel, at_null: Probed) -> ExactH2 | None:
        """Where the exact REML is highest, near that of the compressed matrix.

        Newton's method with the curvature of the compressed likelihood, then that of two slopes,
        until a step is half a standard error at most, which is taken.  No step takes more than half
        of the way to 0 or 1, near which solves are long.  None if there is no standard error, or
        after three steps, or if a slope is not known: the two likelihoods have little in common
        then.

        Cost: as `probed`, for each step but the first.
        """
        if null.method != "reml" or null.h2_se is None or null.h2_boundary is not None:
            return None
        h2, curvature, here = null.h2, null.h2_se**-2.0, at_null
        for steps_left in reversed(range(_MOST_NEWTON + 1)):
            if here.slope is None:
                return None
            following = float(np.clip(h2 + here.slope / curvature, h2 / 2.0, (1.0 + h2) / 2.0))
            if abs(following - h2) <= 0.5 * null.h2_se:
                return ExactH2(following, here.noise / curvature)
            if steps_left:
                before, at, h2 = here.slope, h2, following
                here = self.probed(h2)
                if here.slope is not None and (before - here.slope) / (h2 - at) > 0.0:
                    curvature = (before - here.slope) / (h2 - at)
        return None


def _missed(run: Run, factor: HierarchicalFactor, design: Design) -> Missed:
    """The directions, covariates taken out as P_H takes them out."""
    values, vectors = run.extremes(MISSED)
    basis = np.linalg.qr(factor.whiten(design.basis))[0]
    vectors = vectors - basis @ (basis.T @ vectors)
    return Missed(1.0 / values, factor.whiten_transposed(vectors))


def _is_solved(processes: Sequence[Process]) -> bool:
    trait, *others = (process.residual() for process in processes)
    return trait <= _TRAIT_RESIDUAL and max(others) <= _OTHER_RESIDUAL


def _slope(
    run: Run,
    factor: HierarchicalFactor,
    y: FloatArray,
    design: Design,
    random: FloatArray,
    h2: float,
) -> tuple[float, float]:
    """The slope and its Monte-Carlo error, from processes of y, covariates and directions."""
    known = 1 + design.n_covariates
    solved = factor.whiten_transposed(run.solutions())
    of_y, of_covariates, of_random = solved[:, 0], solved[:, 1:known], solved[:, known:]
    gram = design.basis.T @ of_covariates
    gram = 0.5 * (gram + gram.T)
    py = of_y - of_covariates @ np.linalg.solve(gram, design.basis.T @ of_y)
    approximate = factor.whiten_transposed(random)
    sample = np.einsum("ij,ij->j", approximate, of_random - approximate)
    trace = _trace(inverse_form(factor), design.n) + float(sample.mean())
    trace -= float(np.trace(np.linalg.solve(gram, of_covariates.T @ of_covariates)))
    df = design.n - design.n_covariates
    slope = (trace - df * float(py @ py) / float(y @ py)) / (2.0 * h2)
    noise = float(sample.std(ddof=1)) / np.sqrt(len(sample)) / (2.0 * h2)
    return slope, float(noise)


def _trace(form: InverseForm, n: int) -> float:
    """The trace of the matrix of a form: a sum of squares of its vectors."""
    total = form.identity * n
    for part in form.squares:
        total += float(part.weights @ np.einsum("ij,ij->j", part.vectors, part.vectors))
    return total
