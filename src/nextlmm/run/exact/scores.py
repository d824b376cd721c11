"""One exact vector Py for each left-out chromosome, from which every x'Py follows.

The residual r = Qy - A a of a solve bounds the error of the score of every variant at once::

    |x'Py - x'a| = |x'P r| <= sqrt(x'Px) sqrt(r'Pr) <= sqrt(x'Px) ||r|| / sqrt(1 - h2)

so that in units of its own standard deviation, sigma sqrt(x'Px), no score is off by more than
||r|| / (sigma sqrt(1 - h2)).
"""

from dataclasses import dataclass

import numpy as np

from nextlmm.assoc.projected import ProjectedFactor
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.pcg import solve
from nextlmm.lmm.design import Design
from nextlmm.run.exact.system import System

MOST_ITERATIONS = 500


@dataclass(frozen=True, eq=False)
class Scores:
    """Solves of all left-out chromosomes at one h2.

    py : Py, (n, k).
    ypy : y'Py, (k,).
    error : ||r|| / sqrt(1 - h2), (k,), the bound of the error of x'Py over sqrt(x'Px).
    z_error : largest error of any variant's score in standard deviations.
    relative_residual : ||r|| / ||Qy||, the largest of all columns.
    iterations : of the column that took most.
    """

    py: FloatArray
    ypy: FloatArray
    error: FloatArray
    z_error: float
    relative_residual: float
    iterations: int


def solve_scores(
    y: FloatArray,
    design: Design,
    system: System,
    factor: ProjectedFactor,
    *,
    z_tolerance: float,
    start: FloatArray | None = None,
) -> Scores:
    """Solve A a = Qy for every column of ``system``, to ``z_tolerance`` for every variant.

    Iterations multiply in single precision and are refined against residuals in double precision.
    They begin at ``start`` (n,), the same for all columns, or at 0.

    Raises
    ------
    ConvergenceError
        If the tolerance cannot be reached.
    """
    b = design.project(y)
    norm = float(np.linalg.norm(b))
    df = design.n - design.n_covariates - 1
    columns = len(system.weight)
    # y'Py is at least y'Qy / (the largest eigenvalue), so that sigma is not known before the solve;
    # the predicted one is close, and the bound is computed with the true one afterwards.
    guess = float(np.sqrt(factor.forms(b[:, None])[0] / df))
    smallest = 1.0 - system.weight
    solution = solve(
        system.product(np.float32),
        lambda x, _: factor.apply(x),
        np.repeat(b[:, None], columns, axis=1),
        tolerance=0.5 * z_tolerance * guess * np.sqrt(smallest),
        exact_product=system.product(np.float64),
        start=None if start is None else np.repeat(start[:, None], columns, axis=1),
        max_iterations=MOST_ITERATIONS,
    )
    ypy = np.asarray(b @ solution.x)
    error = solution.residual_norm / np.sqrt(smallest)
    return Scores(
        py=solution.x,
        ypy=ypy,
        error=error,
        z_error=float(np.max(error / np.sqrt(ypy / df))),
        relative_residual=float(np.max(solution.residual_norm)) / norm,
        iterations=int(np.max(solution.iterations)),
    )
