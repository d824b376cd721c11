"""What prediction asks of the exact model, by products with the genotypes; nothing is n x n.

Genetic values, and the effects of all variants, are linear in Py, which is one solve.  Its residual
r bounds the error of all of them at once: by the inequality of ``scores``, a genetic value is off
by at most sqrt(h2 K_ii / (1 - h2)) ||r||, the effect of a column of F by sqrt(h2 s / (1 - h2))
||r||, which is ||r|| / (sigma sqrt(1 - h2)) of the standard deviation that the model gives either.

Samples without themselves need P_ii too.  It is the x'Px of a column of the identity: the factor
that preconditions predicts that of every sample, it is solved for in some, drawn at random, and
`nextlmm.lmm.accuracy` says what that leaves open.
"""

from dataclasses import dataclass

import numpy as np

from nextlmm.assoc.projected import ProjectedFactor, projected_factor
from nextlmm.genotype.tables import IndexArray
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.pcg import inverse_forms, solve
from nextlmm.lmm.accuracy import Accuracy, accuracy
from nextlmm.lmm.design import Design, make_design
from nextlmm.lmm.leave_one_out import OWN_COVARIATE, deleted
from nextlmm.run.exact.null import Arranged
from nextlmm.run.exact.scores import MOST_ITERATIONS, solve_scores
from nextlmm.run.exact.system import System, uniform_system

_Z_TOLERANCE = 1e-8
_LEVERAGE_TOLERANCE = 1e-8
_SOLVED = 64
"""Samples whose P_ii is solved for."""
_RTOL = 1e-4  # of these P_ii
_NEARLY_EXPLAINED = 1e-3  # what covariates leave of a sample whose digits need care


@dataclass(frozen=True, eq=False)
class Predicted:
    """What predictions of one trait are made of.

    Attributes
    ----------
    samples : (n,) positions of the analysed samples in the genotypes, in the order of ``py``.
    py : (n,) Py.
    accuracy : of predicting samples without themselves.
    error : largest error of a genetic value, or of an effect, in the standard deviation that the
        model gives it; None where no solve was left unfinished.
    iterations : of the solve for Py; None likewise.
    """

    samples: IndexArray
    py: FloatArray
    accuracy: Accuracy
    error: float | None = None
    iterations: int | None = None


def predict_arranged(arrangement: Arranged, h2: float) -> Predicted:
    """Solve what predictions need at a heritability.

    Raises
    ------
    ConvergenceError
        If a solve does not reach its tolerance.

    Cost: a solve of c + 1 columns to full precision, one of 64 to three digits, and n numbers of
    the inverse of the approximate factor.
    """
    problem, operator = arrangement.problem, arrangement.operator
    design = make_design(problem.covariates)
    factor = projected_factor(arrangement.factor(h2), design)
    alone = np.full(1, -1)
    scores = solve_scores(
        problem.y,
        design,
        uniform_system(operator, design, h2, alone),
        factor,
        z_tolerance=_Z_TOLERANCE,
    )
    py = scores.py[:, 0]
    columns = np.column_stack([py, design.basis])
    product = h2 * operator.matmul(columns) + (1.0 - h2) * columns
    conditional, of_design = product[:, 0], product[:, 1:]
    leverage = _leverage(
        uniform_system(operator, design, h2, np.repeat(alone, design.n_covariates)),
        factor,
        of_design,
        h2,
    )
    diagonal = _predicted_diagonal(factor, design)
    drawn = _drawn(diagonal, arrangement.audit.seed)
    solved = _solved_diagonal(
        uniform_system(operator, design, h2, np.repeat(alone, len(drawn))), factor, drawn, h2
    )
    diagonal *= np.sum(solved) / np.sum(diagonal[drawn])
    found = accuracy(
        deleted(py, conditional, leverage, diagonal),
        deleted(py[drawn], conditional[drawn], leverage[drawn], solved),
        drawn,
    )
    return Predicted(problem.samples, py, found, scores.z_error, scores.iterations)


def _leverage(
    system: System, factor: ProjectedFactor, of_design: FloatArray, h2: float
) -> FloatArray:
    """h_ii = 1 - (Sigma P)_ii of all samples, from Sigma U, U the basis of the covariates.

    I - Sigma P is a projection onto U, and so U U'(I - Sigma P), whose rows are those of
    U (U - P Sigma U)'.
    """
    design = system.design
    solution = solve(
        system.product(np.float32),
        lambda x, _: factor.apply(x),
        design.project(of_design),
        tolerance=_LEVERAGE_TOLERANCE * (1.0 - h2),
        exact_product=system.product(np.float64),
        max_iterations=MOST_ITERATIONS,
    )
    return np.asarray(np.einsum("ij,ij->i", design.basis, design.basis - solution.x))


def _predicted_diagonal(factor: ProjectedFactor, design: Design) -> FloatArray:
    """P_ii by the approximate factor, (n,); NaN for samples with a covariate of their own."""
    n = design.n
    diagonal = factor.form.diagonal(n)
    left = 1.0 - np.einsum("ij,ij->i", design.basis, design.basis)
    near = np.flatnonzero(left < _NEARLY_EXPLAINED)
    if near.size:
        diagonal[near] = factor.forms(design.project(_units(near, n)))
    diagonal[left <= OWN_COVARIATE] = np.nan
    return diagonal


def _drawn(diagonal: FloatArray, seed: int) -> IndexArray:
    """Some of the samples that can be predicted without themselves, ascending."""
    known = np.flatnonzero(np.isfinite(diagonal))
    count = min(_SOLVED, len(known))
    drawn = np.random.default_rng(seed).choice(known, count, replace=False)
    return np.sort(drawn)


def _solved_diagonal(
    system: System, factor: ProjectedFactor, drawn: IndexArray, h2: float
) -> FloatArray:
    """P_ii of some samples, (s,)."""
    low, room = inverse_forms(
        system.product(np.float32),
        lambda x, _: factor.apply(x),
        system.design.project(_units(drawn, system.design.n)),
        smallest_eigenvalue=1.0 - h2,
        rtol=_RTOL,
        exact_product=system.product(np.float64),
    )
    return np.asarray(np.sqrt(low * (low + room)))


def _units(rows: IndexArray, n: int) -> FloatArray:
    """Columns of the identity, (n, k)."""
    units = np.zeros((n, len(rows)))
    units[rows, np.arange(len(rows))] = 1.0
    return units
