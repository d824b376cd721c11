"""What is solved for in the exact model: Py of every group of variants, and x'Px of some variants.

All of it is one block of right-hand sides, because products cost by panels of columns, and the few
left-out chromosomes would leave most of a panel empty.
"""

from dataclasses import dataclass

import numpy as np

from nextlmm.assoc.projected import ProjectedFactor
from nextlmm.genotype.tables import IndexArray
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.pcg import solve
from nextlmm.lmm.design import Design
from nextlmm.relatedness.operator import RelationshipOperator
from nextlmm.run.exact.forms import ROUNDING, SINGLE_CONDITION, SINGLE_ROUNDING
from nextlmm.run.exact.scores import MOST_ITERATIONS
from nextlmm.run.exact.system import System
from nextlmm.run.problem import Problem

_SINGLE_ERROR, _SINGLE_LARGEST = 2e-7, 20_000
"""Error of a product in single precision, a share of its norm, measured up to so many samples."""


@dataclass(frozen=True, eq=False)
class Wanted:
    """Right-hand sides: the trait without some chromosomes, and some variants.

    left_out, weight : (g,) chromosome and h2 of each group of variants.
    variants, group : (a,) variants to solve for, and the group of each.
    expected : (a,) about x'Px of each.
    z_tolerance : largest error of a score in its standard deviations.
    rtol : relative error of x'Px to aim for.
    """

    left_out: IndexArray
    weight: FloatArray
    variants: IndexArray
    group: IndexArray
    expected: FloatArray
    z_tolerance: float
    rtol: float


@dataclass(frozen=True, eq=False)
class Solved:
    """Solutions, with bounds of their errors.

    py : Py of each group, (n, g).
    ypy : y'Py, (g,).
    error : of x'Py over sqrt(x'Px), and of y'Py over sqrt(y'Py), (g,).
    information, bound : x'Px of the variants and its largest relative error b, (a,) each: it is
        proven to lie between information / (1 + b) and information (1 + b).
    relative_residual : the largest of all groups.
    iterations : of the column that took most.
    """

    py: FloatArray
    ypy: FloatArray
    error: FloatArray
    information: FloatArray
    bound: FloatArray
    relative_residual: float
    iterations: int


def solve_exactly(
    problem: Problem,
    design: Design,
    operator: RelationshipOperator,
    factor: ProjectedFactor,
    wanted: Wanted,
) -> Solved:
    """Solve for all that is wanted, ``factor`` preconditioning.

    Residuals are in single precision, with their rounding on top of all bounds, where it has been
    measured to be small, and in double elsewhere.

    Raises
    ------
    ConvergenceError
        If a tolerance cannot be reached.

    Cost: some six products with all columns, and a few more with one for each group.
    """
    y = design.project(problem.y)
    groups = len(wanted.weight)
    columns = [np.repeat(y[:, None], groups, axis=1)]
    if len(wanted.variants):
        columns.append(design.project(problem.dosages(wanted.variants)))
    b = np.column_stack(columns)
    weight = np.r_[wanted.weight, wanted.weight[wanted.group]]
    system = System(operator, design, weight, np.r_[wanted.left_out, wanted.left_out[wanted.group]])
    smallest = 1.0 - weight
    sigma = np.sqrt(factor.forms(y[:, None])[0] / (design.n - design.n_covariates - 1))
    condition = float(np.max((weight * design.n + smallest) / smallest))
    is_single = design.n <= _SINGLE_LARGEST and condition < SINGLE_CONDITION
    found = solve(
        system.product(np.float32),
        lambda x, _: factor.apply(x),
        b,
        tolerance=np.sqrt(smallest)
        * np.r_[
            np.full(groups, 0.5 * wanted.z_tolerance * sigma),
            np.sqrt(wanted.rtol * wanted.expected),
        ],
        exact_product=None if is_single else system.product(np.float64),
        max_iterations=MOST_ITERATIONS,
    )
    low, room = found.form, found.residual_norm**2 / smallest
    high = (low + room)[groups:]
    residual = found.residual_norm[:groups]
    if is_single:
        residual = residual + _rounding(found.x, b, low, weight)[:groups]
    return Solved(
        py=found.x[:, :groups],
        ypy=low[:groups],
        error=residual / np.sqrt(smallest[:groups]),
        information=np.sqrt(low[groups:] * high),
        bound=np.sqrt(high / low[groups:]) - 1.0 + (SINGLE_ROUNDING if is_single else ROUNDING),
        relative_residual=float(np.max(residual / np.linalg.norm(y))),
        iterations=int(np.max(found.iterations)),
    )


def _rounding(x: FloatArray, b: FloatArray, form: FloatArray, weight: FloatArray) -> FloatArray:
    """Bound (k,) of the rounding of residuals in single precision.

    What is rounded is h2 K x.  Outside the covariates it is b - r - (1 - h2) x, and along them no
    larger than |h2 K^1/2| |K^1/2 x|, with no eigenvalue of K above n and h2 x'Kx below b'A^-1 b.
    """
    norms = np.linalg.norm(b, axis=0) + (1.0 - weight) * np.linalg.norm(x, axis=0)
    return np.asarray(_SINGLE_ERROR * (2.0 * norms + np.sqrt(weight * len(x) * form)))
