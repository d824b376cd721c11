"""Spectral measures of vectors by the Lanczos process, many start vectors in lock-step.

A symmetric matrix B and a vector v have the measure with mass (e_i'v)^2 at eigenvalue i, so that
v'f(B)v is the integral of f.  After m products with B the process knows a measure with m points
that integrates polynomials up to degree 2 m - 1 as that one does, and a smooth f nearly so.  The
same points serve every f, in particular log(1 - h + h x) and 1 / (1 - h + h x) for every h.

No vector is kept but the last two, unless it is asked for, and none is made orthogonal to more than
those, so that orthogonality is lost in the long run; the measures converge all the same, an
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
    """The process for the columns of ``start``, (n, k), which go on as they are asked to.

    Parameters
    ----------
    operator : x (n, j) -> B x; exactly symmetric only to its own precision.
    start : (n, k); a column of zeros has the measure 0.
    left : (n, l), vectors whose products with every Lanczos vector are recorded.
    dimension : of the space that the columns lie in, where it is known to be less than n: after so
        many steps a column is exhausted, and what is left of it is rounding.
    n_kept : columns, the first ones, whose Lanczos vectors are kept.

    Cost of a step: one product for each column, and O(n l) of memory traffic.
    """

    def __init__(
        self,
        operator: Operator,
        start: FloatArray,
        left: FloatArray | None = None,
        *,
        dimension: int | None = None,
        n_kept: int = 0,
    ) -> None:
        self._operator = operator
        self._most = len(start) if dimension is None else dimension
        self._left = np.empty((len(start), 0)) if left is None else left
        self._norm = np.sqrt(_dots(start, start))
        self._last = start / np.where(self._norm > 0.0, self._norm, 1.0)
        self._before = np.zeros(start.shape)
        self._main: list[list[float]] = [[] for _ in self._norm]
        self._off: list[list[float]] = [[] for _ in self._norm]
        self._recorded: list[list[FloatArray]] = [[] for _ in self._norm]
        self._kept: list[list[FloatArray]] = [[] for _ in range(n_kept)]
        self.n_products = 0

    @property
    def steps(self) -> IntArray:
        """(k,) steps taken by each column."""
        return np.array([len(main) for main in self._main], dtype=np.intp)

    @property
    def exhausted(self) -> NDArray[np.bool_]:
        """(k,) columns whose measure is complete."""
        done = [bool(off) and off[-1] == 0.0 for off in self._off]
        return np.asarray(np.array(done, dtype=bool) | (self._norm == 0.0))

    def extend(self, columns: IntArray, steps: int) -> None:
        """Take ``steps`` more steps with ``columns``; one that is exhausted takes none."""
        for _ in range(steps):
            columns = columns[~self.exhausted[columns]]
            if not columns.size:
                return
            self._step(columns)

    def jacobi(self, column: int | np.intp) -> Jacobi:
        """What is known of a column after its steps; of a column of zeros, a mass of 0 at 1."""
        if self._norm[column] == 0.0:
            return Jacobi(0.0, np.ones(1), np.empty(0), 0.0)
        off = np.array(self._off[column])
        return Jacobi(
            float(self._norm[column]), np.array(self._main[column]), off[:-1], float(off[-1])
        )

    def recorded(self, column: int | np.intp) -> FloatArray:
        """Products of ``left`` with the Lanczos vectors of a column, (l, m)."""
        return np.array(self._recorded[column]).reshape(-1, self._left.shape[1]).T

    def kept(self, column: int) -> FloatArray:
        """The Lanczos vectors of one of the columns whose vectors are kept, (n, m)."""
        return np.stack(self._kept[column], axis=1)

    def _step(self, columns: IntArray) -> None:
        q = self._last[:, columns]
        w = np.array(self._operator(q), dtype=np.float64)
        self.n_products += len(columns)
        coupling = np.array([self._off[j][-1] if self._off[j] else 0.0 for j in columns])
        w -= coupling * self._before[:, columns]
        main = _dots(q, w)
        w -= main * q
        size = np.sqrt(_dots(w, w))
        along = self._left.T @ q
        for i, j in enumerate(columns):
            self._main[j].append(float(main[i]))
            scale = max(map(abs, self._main[j] + self._off[j]))
            is_left = len(self._main[j]) < self._most and size[i] > _EXHAUSTED * scale
            size[i] = size[i] if is_left else 0.0
            self._off[j].append(float(size[i]))
            self._recorded[j].append(along[:, i])
            if j < len(self._kept):
                self._kept[j].append(q[:, i])
        self._before[:, columns] = q
        self._last[:, columns] = w / np.where(size > 0.0, size, 1.0)


def _dots(x: FloatArray, y: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("ij,ij->j", x, y))


def _measure(norm: float, main: FloatArray, off: FloatArray) -> Measure:
    nodes, vectors = linalg.eigh_tridiagonal(main, off, check_finite=False)
    return Measure(np.asarray(nodes), np.asarray((norm * vectors[0]) ** 2))
