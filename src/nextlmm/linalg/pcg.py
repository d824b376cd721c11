"""Linear systems by preconditioned conjugate gradients, many right-hand sides in lock-step.

Every column has its own coefficients and leaves the products as soon as it has converged, so that
one pass over the data serves every column still at work.  What is promised is the true residual
b - A x, computed anew at the end: the iterations may use products of lower precision, and a column
whose true residual is still too large starts again from it (iterative refinement).

Source: Hestenes and Stiefel 1952; the error of the quadratic form after Golub and Meurant 1994.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextlmm.errors import ConvergenceError
from nextlmm.linalg.covariance import FloatArray

IntArray = NDArray[np.intp]

Product = Callable[[FloatArray, IntArray], FloatArray]
"""``product(x, columns)``: (n, k) and the (k,) numbers of its columns -> (n, k), column by column
the product of x with the matrix of that column."""

MOST_ITERATIONS = 1000
REDUCTION = 1e-5  # of the residual before it is computed anew, if products are of low precision
LEAST_PROGRESS = 0.5  # a restart that leaves more than this share of the residual is stagnation
_SAFETY = 0.9  # share of the tolerance that the recurrence must meet

_Limit = Callable[[IntArray, FloatArray], FloatArray]
"""``limit(columns, forms)``: the largest residual norms allowed, given the forms b'x so far."""


@dataclass(frozen=True, eq=False)
class Solution:
    """Solutions of A x = b, one matrix and one right-hand side for each column.

    x : (n, k).
    residual_norm : (k,) Euclidean norms of the true residuals r = b - A x.
    form : (k,) x'(b + r), which is below b'A^-1 b by r'A^-1 r.
    iterations : (k,) products with A that each column took, without those for true residuals.
    restarts : how often true residuals were computed anew and found too large.
    """

    x: FloatArray
    residual_norm: FloatArray
    form: FloatArray
    iterations: IntArray
    restarts: int

    def __repr__(self) -> str:
        return (
            f"<{self.x.shape[1]} solutions of {len(self.x):,} rows after at most "
            f"{self.iterations.max(initial=0)} iterations>"
        )


@dataclass(frozen=True, eq=False)
class _System:
    """A, an approximate inverse, A as it is meant, and what may be spent on a column."""

    product: Product
    precondition: Product | None
    exact: Product
    reduction: float
    max_iterations: int


@dataclass(frozen=True, eq=False)
class _Found:
    """Solutions x, (n, k), and of each column |r|, x'(b + r), iterations; and restarts of all."""

    x: FloatArray
    norm: FloatArray
    form: FloatArray
    iterations: IntArray
    restarts: int


def solve(
    product: Product,
    precondition: Product | None,
    b: FloatArray,
    *,
    tolerance: float | FloatArray,
    exact_product: Product | None = None,
    start: FloatArray | None = None,
    max_iterations: int = MOST_ITERATIONS,
) -> Solution:
    """Solve A x = b for A symmetric positive definite on the space that b lies in.

    Parameters
    ----------
    product : A x, in any precision.
    precondition : an approximation of A^-1 x, symmetric positive definite on the same space; None
        for the identity.
    b : (n, k).
    tolerance : largest Euclidean norm of a true residual, absolute, for all or (k,) for each.
    exact_product : A x as it is meant, if ``product`` is of lower precision; used once in the end,
        and at every restart.
    start : (n, k), where to begin; 0 if not given.  ``product`` gives its residual.
    max_iterations : of a column, all restarts together.

    Raises
    ------
    ConvergenceError
        If a column does not reach its tolerance, whatever the reason.

    Cost: for each iteration one product and one preconditioner on the columns still at work.
    """
    system = _system(product, precondition, exact_product, max_iterations)
    allowed = np.broadcast_to(np.asarray(tolerance, dtype=np.float64), b.shape[1:])
    found = _refine(system, b, start, lambda columns, _: allowed[columns])
    return Solution(found.x, found.norm, found.form, found.iterations, found.restarts)


def inverse_forms(
    product: Product,
    precondition: Product | None,
    x: FloatArray,
    *,
    smallest_eigenvalue: float | FloatArray,
    rtol: float,
    exact_product: Product | None = None,
    max_iterations: int = MOST_ITERATIONS,
) -> tuple[FloatArray, FloatArray]:
    """Quadratic forms x'A^-1 x of the columns of x, and how much larger they may be at most.

    With any u and its residual r = x - A u,

        x'A^-1 x = u'(x + r) + r'A^-1 r,   0 <= r'A^-1 r <= |r|^2 / (smallest eigenvalue),

    so that the value is a lower bound and value + error an upper bound whatever the iterations did,
    apart from the rounding of the last residual.

    Parameters
    ----------
    product, precondition, exact_product, max_iterations : as for ``solve``.
    x : (n, k).
    smallest_eigenvalue : a lower bound, positive, for all or (k,) for each; 1 - h2 for Sigma(h2).
    rtol : a column stops when its error is at most this share of its value.

    Returns
    -------
    value, error : (k,) each; value <= x'A^-1 x <= value + error.

    Raises
    ------
    ConvergenceError
        If a column does not reach ``rtol``.

    Cost: as ``solve``, one product more than iterations.
    """
    system = _system(product, precondition, exact_product, max_iterations)
    lowest = np.broadcast_to(np.asarray(smallest_eigenvalue, dtype=np.float64), x.shape[1:])

    def limit(columns: IntArray, forms: FloatArray) -> FloatArray:
        return np.sqrt(rtol * lowest[columns] * np.maximum(forms, 0.0))

    found = _refine(system, x, None, limit)
    return found.form, found.norm**2 / lowest


def _system(
    product: Product, precondition: Product | None, exact: Product | None, max_iterations: int
) -> _System:
    if exact is None:
        return _System(product, precondition, product, 0.0, max_iterations)
    return _System(product, precondition, exact, REDUCTION, max_iterations)


def _refine(system: _System, b: FloatArray, start: FloatArray | None, limit: _Limit) -> _Found:
    """Conjugate gradients, restarted from the true residual until that is within ``limit``."""
    columns = np.arange(b.shape[1])
    x = np.zeros(b.shape) if start is None else np.array(start, dtype=np.float64)
    residual = np.array(b, dtype=np.float64)
    if start is not None:
        _begin(system, residual, x, limit)
    norm, form = _norms(residual), _dots(x, b + residual)
    iterations, restarts = np.zeros(len(columns), dtype=np.intp), -1
    left = np.flatnonzero(~(norm <= limit(columns, form)))
    if start is not None:
        norm[left] = np.inf  # perhaps of rounding: no measure of what is gained
    while left.size:
        spent = iterations[left] >= system.max_iterations
        _check_progress(left, spent, norm, iterations, "no more iterations are allowed")
        found, steps = _descend(
            system,
            residual[:, left],
            left,
            lambda at, gained, base=form: limit(at, base[at] + gained),  # type: ignore[misc]
            system.max_iterations - int(iterations[left].max()),
        )
        x[:, left] += found
        iterations[left] += steps
        residual[:, left] = b[:, left] - system.exact(x[:, left], left)
        form[left] = _dots(x[:, left], b[:, left] + residual[:, left])
        before, norm[left] = norm[left], _norms(residual[:, left])
        restarts += 1
        short = ~(norm[left] <= limit(left, form[left]))
        stuck = short & ~(norm[left] <= LEAST_PROGRESS * before)
        _check_progress(left, stuck, norm, iterations, "it no longer falls")
        left = left[short]
    return _Found(x, norm, form, iterations, max(restarts, 0))


def _begin(system: _System, residual: FloatArray, x: FloatArray, limit: _Limit) -> None:
    """Take A x off the right-hand sides in ``residual``, in place; 0 for an x that is worse than 0.

    The products are of low precision, but those of columns that seem to be solved.
    """
    b, columns = residual.copy(), np.arange(x.shape[1])
    residual -= system.product(x, columns)
    worse = np.flatnonzero(~(_norms(residual) <= _norms(b)))
    x[:, worse], residual[:, worse] = 0.0, b[:, worse]
    if system.exact is not system.product:
        form = _dots(x, b + residual)
        solved = np.flatnonzero(_norms(residual) <= limit(columns, form))
        if solved.size:
            residual[:, solved] = b[:, solved] - system.exact(x[:, solved], solved)


def _descend(
    system: _System, b: FloatArray, columns: IntArray, limit: _Limit, most: int
) -> tuple[FloatArray, IntArray]:
    """Conjugate gradients from 0 for at most ``most`` steps: x and the steps of each column.

    A column ends when the residual of the recurrence is within its limit, or has fallen by so much
    that products of low precision may be wrong by as much.
    """

    def preconditioned(r: FloatArray) -> tuple[FloatArray, FloatArray]:
        z = r if system.precondition is None else system.precondition(r, columns[left])
        return z, _positive(_dots(r, z), columns[left], "its preconditioner")

    x, gained = np.zeros(b.shape), np.zeros(len(columns))
    steps, left = np.zeros(len(columns), dtype=np.intp), np.arange(len(columns))
    enough = system.reduction * _norms(b)
    r = b.copy()
    z, rz = preconditioned(r)
    p = z.copy()
    for _ in range(most):
        ap = system.product(p, columns[left])
        size = rz / _positive(_dots(p, ap), columns[left], "its matrix")
        x[:, left] += size * p
        r -= size * ap
        gained[left] += size * rz
        steps[left] += 1
        wanted = np.maximum(_SAFETY * limit(columns[left], gained[left]), enough[left])
        work = ~(_norms(r) <= wanted)
        if not work.all():
            left, r, p, rz = left[work], r[:, work], p[:, work], rz[work]
            if not left.size:
                break
        z, new = preconditioned(r)
        p *= new / rz
        p += z
        rz = new
    return x, steps


def _dots(x: FloatArray, y: FloatArray) -> FloatArray:
    """Inner products of corresponding columns, (k,)."""
    return np.asarray(np.einsum("ij,ij->j", x, y))


def _norms(x: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(_dots(x, x)))


def _positive(form: FloatArray, columns: IntArray, whose: str) -> FloatArray:
    """The values of quadratic forms of a positive definite matrix, or an error that says it."""
    bad = np.flatnonzero(~((form > 0.0) & np.isfinite(form)))
    if bad.size:
        raise ConvergenceError(
            f"a linear system, right-hand side {columns[bad[0]] + 1}, cannot be solved by "
            f"conjugate gradients: a quadratic form of {whose} is {form[bad[0]]:.3g}; expected a "
            "positive definite matrix; check the relationship matrix and the trait for values out "
            "of range"
        )
    return form


def _check_progress(
    left: IntArray, bad: NDArray[np.bool_], norm: FloatArray, iterations: IntArray, why: str
) -> None:
    if not bad.any():
        return
    column = int(left[bad][0])
    raise ConvergenceError(
        f"a linear system, right-hand side {column + 1}, was not solved: after "
        f"{iterations[column]} iterations its residual is {norm[column]:.3g}, too large, and {why};"
        " expected a matrix further from singular, or a larger tolerance; use a heritability "
        "further from 1"
    )
