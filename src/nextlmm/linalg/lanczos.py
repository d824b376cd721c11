"""Spectral measures of vectors by the Lanczos process, many start vectors in lock-step.

A symmetric matrix B and a vector v have the measure with mass (e_i'v)^2 at eigenvalue i, so that
v'f(B)v is the integral of f.  After m products with B the process knows a measure with m points
that integrates polynomials up to degree 2 m - 1 as that one does, and a smooth f nearly so.  The
same points serve every f, in particular log(1 - h + h x) and 1 / (1 - h + h x) for every h.

No vector is kept but the last two, unless that is asked for, and none is made orthogonal to more
than those, so that orthogonality is lost in the long run; the measures converge all the same, an
eigenvalue being found several times with its mass divided among them.

Source: Golub and Meurant 1994; Golub and Strakos 1994 for what rounding does.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from nextlmm.errors import NotPositiveDefiniteError
from nextlmm.linalg.covariance import FloatArray

IntArray = NDArray[np.intp]
Operator = Callable[[FloatArray], FloatArray]

_EXHAUSTED = 1e-12  # share of the largest coefficient that is left when a space is invariant


@dataclass(frozen=True, eq=False)
class Measure:
    """Points on the real line, ``nodes`` (m,), and their masses, ``weights`` (m,)."""

    nodes: FloatArray
    weights: FloatArray


@dataclass(frozen=True, eq=False)
class Jacobi:
    """The tridiagonal matrix of one start vector after m steps.

    norm : Euclidean norm of the start vector.
    main, off : (m,) and (m - 1,), its diagonals.
    coupling : what joins it to the rest of the spectrum, 0 if there is no rest.
    """

    norm: float
    main: FloatArray
    off: FloatArray
    coupling: float

    def gauss(self) -> Measure:
        """The measure of m points that is exact to degree 2 m - 1."""
        return _measure(self.norm, self.main, self.off)

    def gauss_radau(self, node: float) -> Measure:
        """The measure of m + 1 points, one of them at ``node``, below the spectrum.

        Exact to degree 2 m.  The two measures bracket the integral of any f whose even derivatives
        have one sign and whose odd derivatives have the other, as log and 1 / x.

        Raises
        ------
        NotPositiveDefiniteError
            If the spectrum reaches below ``node``.
        """
        if self.coupling == 0.0:
            return self.gauss()
        pivot = float(self.main[0]) - node
        for main, off in zip(self.main[1:], self.off, strict=True):
            if not pivot > 0.0:
                break
            pivot = float(main) - node - float(off) ** 2 / pivot
        if not pivot > 0.0:
            raise NotPositiveDefiniteError(
                f"a relationship matrix has an eigenvalue below {node:.3g}; expected one without "
                "negative eigenvalues; check where the matrix comes from"
            )
        return self._extended(node + self.coupling**2 / pivot)

    def moments(self) -> Measure:
        """A measure of m + 1 points for polynomials only, exact to degree 2 m."""
        return self.gauss() if self.coupling == 0.0 else self._extended(float(self.main[-1]))

    def _extended(self, last: float) -> Measure:
        return _measure(self.norm, np.append(self.main, last), np.append(self.off, self.coupling))


class Lanczos:
    """The process for columns that go on as they are asked to, and may be joined by more.

    Parameters
    ----------
    operator : x (n, j) -> B x; exactly symmetric only to its own precision, and such that no column
        depends on the others.
    start : (n, k); a column of zeros has the measure 0.
    dimension : of the space that the columns lie in, where it is known to be less than n: after so
        many steps a column is exhausted, and what is left of it is rounding.

    Cost of a step: one product for each column.
    """

    def __init__(
        self, operator: Operator, start: FloatArray, *, dimension: int | None = None
    ) -> None:
        self._operator = operator
        self._most = len(start) if dimension is None else dimension
        self._norm = np.empty(0)
        self._last = np.empty((len(start), 0))
        self._before = np.empty((len(start), 0))
        self._main: list[list[float]] = []
        self._off: list[list[float]] = []
        self._kept: dict[int, list[FloatArray]] = {}
        self.n_products = 0
        self.append(start)

    def append(self, start: FloatArray, *, keep: bool = False) -> IntArray:
        """Add columns that begin now, and return their numbers; their vectors may be kept."""
        norm = np.sqrt(_dots(start, start))
        columns = len(self._norm) + np.arange(len(norm))
        self._norm = np.append(self._norm, norm)
        self._last = np.hstack((self._last, start / np.where(norm > 0.0, norm, 1.0)))
        self._before = np.hstack((self._before, np.zeros(start.shape)))
        self._main += [[] for _ in norm]
        self._off += [[] for _ in norm]
        self._kept |= {int(column): [] for column in columns if keep}
        return np.asarray(columns)

    @property
    def steps(self) -> IntArray:
        """(k,) steps taken by each column."""
        return np.array([len(main) for main in self._main], dtype=np.intp)

    def is_exhausted(self, column: int | np.intp, steps: int | np.intp) -> bool:
        """Whether the measure of a column is complete after so many steps, which it has taken."""
        return bool(self._norm[column] == 0.0 or (steps and self._off[column][steps - 1] == 0.0))

    @property
    def exhausted(self) -> NDArray[np.bool_]:
        """(k,) columns whose measure is complete."""
        return np.array([self.is_exhausted(j, m) for j, m in enumerate(self.steps)], dtype=bool)

    def extend(self, columns: IntArray, steps: int) -> None:
        """Take ``steps`` more steps with ``columns``; one that is exhausted takes none."""
        for _ in range(steps):
            columns = columns[~self.exhausted[columns]]
            if not columns.size:
                return
            self._step(columns)

    def jacobi(self, column: int | np.intp, steps: int | np.intp | None = None) -> Jacobi:
        """What is known of a column after its steps, or after fewer of them.

        Of a column of zeros, a mass of 0 at 1.
        """
        if self._norm[column] == 0.0:
            return Jacobi(0.0, np.ones(1), np.empty(0), 0.0)
        main, off = np.array(self._main[column][:steps]), np.array(self._off[column][:steps])
        return Jacobi(float(self._norm[column]), main, off[:-1], float(off[-1]))

    def vectors(self, column: int | np.intp, steps: int | np.intp | None = None) -> FloatArray:
        """The Lanczos vectors of a column whose vectors are kept, (n, m)."""
        return np.array(self._kept[int(column)][:steps]).reshape(-1, len(self._last)).T

    def forget(self, column: int | np.intp) -> None:
        """Keep no vectors of a column, which takes no more steps."""
        self._kept[int(column)] = []

    def _step(self, columns: IntArray) -> None:
        q = self._last[:, columns]
        w = np.array(self._operator(q), dtype=np.float64)
        self.n_products += len(columns)
        coupling = np.array([self._off[j][-1] if self._off[j] else 0.0 for j in columns])
        w -= coupling * self._before[:, columns]
        main = _dots(q, w)
        w -= main * q
        size = np.sqrt(_dots(w, w))
        for i, j in enumerate(columns):
            self._main[j].append(float(main[i]))
            scale = max(map(abs, self._main[j] + self._off[j]))
            is_left = len(self._main[j]) < self._most and size[i] > _EXHAUSTED * scale
            size[i] = size[i] if is_left else 0.0
            self._off[j].append(float(size[i]))
            if int(j) in self._kept:
                self._kept[int(j)].append(q[:, i].copy())
        self._before[:, columns] = q
        self._last[:, columns] = w / np.where(size > 0.0, size, 1.0)


class Replay:
    """Some columns of a process as if they had taken no more steps than they are asked to here.

    Others may have asked for more, or will: what is known here does not depend on it.

    Parameters
    ----------
    process, columns : numbers in the process, (k,).
    n_known : columns, the first ones, whose start vectors are multiplied with each other's Lanczos
        vectors, which the process keeps.
    ahead : columns -> columns, those that the process takes along when these take a step, because a
        product costs the same for a few more.
    """

    def __init__(
        self,
        process: Lanczos,
        columns: IntArray,
        *,
        n_known: int = 0,
        ahead: Callable[[IntArray], IntArray] = lambda columns: columns,
    ) -> None:
        self._process, self._columns, self._ahead = process, columns, ahead
        self._n_known = n_known
        self.steps: IntArray = np.zeros(len(columns), dtype=np.intp)

    @property
    def n_products(self) -> int:
        """Columns multiplied, as if nobody else had asked."""
        return int(self.steps.sum())

    def extend(self, columns: IntArray, steps: int) -> None:
        """Take ``steps`` more steps with ``columns``, numbers here; one that is exhausted none."""
        for _ in range(steps):
            ended = [self._process.is_exhausted(self._columns[j], self.steps[j]) for j in columns]
            columns = columns[~np.array(ended, dtype=bool)]
            if not columns.size:
                return
            own = self._columns[columns]
            behind = own[self._process.steps[own] <= self.steps[columns]]
            if behind.size:
                self._process.extend(self._ahead(behind), 1)
            self.steps[columns] += 1

    def jacobi(self, column: int | np.intp, steps: int | None = None) -> Jacobi:
        """What is known of a column after its steps, or after fewer of them."""
        most = int(self.steps[column])
        return self._process.jacobi(self._columns[column], min(most, steps or most))

    def vectors(self, column: int | np.intp) -> FloatArray:
        """The Lanczos vectors of a column whose vectors the process keeps, (n, m)."""
        return self._process.vectors(self._columns[column], self.steps[column])

    def recorded(self, column: int | np.intp) -> FloatArray:
        """Products of the first start vectors with the Lanczos vectors of one of them, (l, m)."""
        vectors = self.vectors(column)
        rows = [self._start(j) @ vectors for j in range(self._n_known)]
        return np.array(rows).reshape(self._n_known, vectors.shape[1])

    def _start(self, column: int) -> FloatArray:
        norm = self.jacobi(column).norm
        return np.asarray(norm * self._process.vectors(self._columns[column], 1)[:, 0])


def _dots(x: FloatArray, y: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("ij,ij->j", x, y))


def _measure(norm: float, main: FloatArray, off: FloatArray) -> Measure:
    nodes, vectors = linalg.eigh_tridiagonal(main, off, check_finite=False)
    return Measure(np.asarray(nodes), np.asarray((norm * vectors[0]) ** 2))
