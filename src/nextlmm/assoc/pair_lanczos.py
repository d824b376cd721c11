"""The forms of two vectors with (h B + (1 - h) I)^-1 for every h, many pairs in lock-step.

The block Lanczos process with blocks of two columns, started at orthonormal x and v, knows after m
steps a block tridiagonal T with the same first moments as B.  With blocks A_j on the diagonal of T
and B_j below it, the 2 x 2 matrix of forms F(h) = [x v]'(h B + (1 - h) I)^-1 [x v] is the inverse
of

    S_1,    S_j = h A_j + (1 - h) I - h^2 B_j' S_(j+1)^-1 B_j,    S_m = h A_m + (1 - h) I

which costs a few numbers per step and h.  Cut off after m blocks this is block Gauss quadrature, a
lower bound of F as a matrix; continued by the block that gives T an eigenvalue at or below those of
B (block Gauss-Radau) it is an upper bound.  Inequalities between matrices carry over to diagonal
elements and to Schur complements: what x leaves of v'(...)^-1 v is 1 / (S_1)_22.

Every 2 x 2 matrix is held by three numbers, (11, 12, 22) of a symmetric and of an upper triangular
one.  No vector is kept but the last two of each column, as in ``linalg.lanczos``.

Source: Golub and Meurant 1994, section 4, for blocks.
"""

import numpy as np
from numpy.typing import NDArray

from nextlmm.errors import NotPositiveDefiniteError
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.lanczos import IntArray, Operator

LOWEST = -1e-6  # an eigenvalue of B, over its largest one or 1, may be as far below 0 by rounding
_EXHAUSTED = 1e-12  # share of the largest coefficient that is left when a space is invariant
_MUCH = 1e200  # in place of a form that has no upper bound


class PairLanczos:
    """The process for k pairs.

    Parameters
    ----------
    operator : x (n, j) -> B x, without negative eigenvalues and symmetric to its own precision on
        all vectors: a projection must be applied on both sides, or what rounding leaves outside
        its range grows from step to step.
    first, second : (n, k), orthonormal in pairs; a column of ``second`` may be zero.

    Cost of a step: two products for each pair.
    """

    def __init__(self, operator: Operator, first: FloatArray, second: FloatArray) -> None:
        k = first.shape[1]
        self._operator = operator
        self._last = np.stack((first, second))
        self._before = np.zeros(self._last.shape)
        self._main = np.zeros((0, 3, k))
        self._off = np.zeros((0, 3, k))
        self._node = np.full(k, LOWEST)
        self.steps: IntArray = np.zeros(k, dtype=np.intp)

    def extend(self, pairs: IntArray, steps: int) -> None:
        """Take ``steps`` more steps with ``pairs``, which have all taken the same number."""
        for _ in range(steps if pairs.size else 0):
            self._step(pairs)

    def lower(self, pairs: IntArray, h: FloatArray) -> FloatArray:
        """The inverse of the lower bound of F, (3, k, l), at ``h`` (k, l); h < 1."""
        rows = int(self.steps[pairs].max())
        off = self._off[:rows][..., pairs]
        off[self.steps[pairs] - 1, :, np.arange(len(pairs))] = 0.0
        return _first_schur(self._main[:rows][..., pairs], off[:-1], h)

    def upper(self, pairs: IntArray, h: FloatArray) -> FloatArray:
        """The inverse of the upper bound; ``pairs`` have all taken the same number of steps.

        Raises
        ------
        NotPositiveDefiniteError
            If B has a negative eigenvalue that is more than rounding.
        """
        rows = int(self.steps[pairs[0]])
        main, off = self._main[:rows][..., pairs], self._off[:rows][..., pairs]
        pivot = self._last_pivot(pairs, main, off)
        node = self._node[pairs]
        end = _passed_on(off[-1], pivot)
        end[[0, 2]] += node
        s = _first_schur(np.concatenate((main, end[None])), off, h)
        unbounded = 1.0 - h + h * node[:, None] <= 0.0
        s[:, unbounded] = np.array([[1.0 / _MUCH], [0.0], [1.0 / _MUCH]])
        return s

    def _last_pivot(self, pairs: IntArray, main: FloatArray, off: FloatArray) -> FloatArray:
        """Of T less its node, (3, k); the node is lowered where products are not precise."""
        size = np.maximum(np.abs(main).max(axis=(0, 1)), 1.0)
        while True:
            pivot, positive = _pivot(main, off, self._node[pairs])
            if positive.all():
                return pivot
            self._node[pairs[~positive]] *= 4.0
            if (self._node[pairs] < 4.0 * LOWEST * size).any():
                raise NotPositiveDefiniteError(
                    f"a relationship matrix has an eigenvalue below {LOWEST:.3g} times its "
                    "largest; expected one without negative eigenvalues; check where the matrix "
                    "comes from"
                )

    def _step(self, pairs: IntArray) -> None:
        k, rows = len(pairs), int(self.steps[pairs[0]])
        q, before = self._last[:, :, pairs], self._before[:, :, pairs]
        image = np.asarray(self._operator(np.hstack((q[0], q[1]))), dtype=np.float64)
        w = np.stack((image[:, :k], image[:, k:]))
        if rows:
            b = self._off[rows - 1][:, pairs]
            w[0] -= before[0] * b[0] + before[1] * b[1]
            w[1] -= before[1] * b[2]
        a = _take_out(q, w)
        a += _take_out(q, w)  # what rounding left
        if rows == len(self._main):
            more = np.zeros((1, *self._main.shape[1:]))
            self._main = np.concatenate((self._main, more))
            self._off = np.concatenate((self._off, more))
        self._main[rows][:, pairs] = a
        scale = np.abs(self._main[: rows + 1][..., pairs]).max(axis=(0, 1))
        self._off[rows][:, pairs] = _orthonormalise(w, _EXHAUSTED * scale)
        self._before[:, :, pairs], self._last[:, :, pairs] = q, w
        self.steps[pairs] += 1


def _take_out(q: FloatArray, w: FloatArray) -> FloatArray:
    """Make the pairs ``w`` orthogonal to the pairs ``q``, both (2, n, k); what they had in common.

    The two mixed products differ by rounding; each is taken out as it is.
    """
    across, back = _dots(q[0], w[1]), _dots(q[1], w[0])
    a = np.stack((_dots(q[0], w[0]), 0.5 * (across + back), _dots(q[1], w[1])))
    w[0] -= q[0] * a[0] + q[1] * back
    w[1] -= q[0] * across + q[1] * a[2]
    return a


def _orthonormalise(w: FloatArray, small: FloatArray) -> FloatArray:
    """Factor the pairs ``w`` (2, n, k) in place; the triangles, (3, k).  ``small`` becomes 0."""
    r = np.zeros((3, w.shape[2]))
    r[0] = _normalise(w[0], small)
    for _ in range(2):  # the second round takes out the rounding of the first
        along = _dots(w[0], w[1])
        w[1] -= along * w[0]
        r[1] += along
    r[2] = _normalise(w[1], small)
    return r


def _normalise(x: FloatArray, small: FloatArray) -> FloatArray:
    size = np.sqrt(_dots(x, x))
    size = np.where(size > small, size, 0.0)
    x *= np.where(size > 0.0, 1.0 / np.where(size > 0.0, size, 1.0), 0.0)
    return np.asarray(size)


def _pivot(
    main: FloatArray, off: FloatArray, node: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """The last block of the factors of T less ``node`` (k,), (3, k), and where all are positive."""
    pivot = main[0].copy()
    positive = np.ones(len(node), dtype=bool)
    for i, a in enumerate(main):
        if i:
            pivot = a - _passed_on(off[i - 1], pivot)
        pivot[[0, 2]] -= node
        positive &= (pivot[0] > 0.0) & (pivot[0] * pivot[2] > pivot[1] ** 2)
        pivot[:, ~positive] = np.array([[1.0], [0.0], [1.0]])  # of no use, but finite
    return pivot, positive


def _first_schur(main: FloatArray, off: FloatArray, h: FloatArray) -> FloatArray:
    """S_1 (3, k, l) from the blocks A (m, 3, k) and B (m - 1, 3, k) at ``h`` (k, l)."""
    s = _shifted(main[-1], h)
    for a, b in zip(main[-2::-1], off[::-1], strict=True):
        s = _shifted(a, h) - _passed_back(b[..., None] * h, s)
    return s


def _shifted(a: FloatArray, h: FloatArray) -> FloatArray:
    s = np.asarray(a[..., None] * h)
    s[[0, 2]] += 1.0 - h
    return s


def _passed_back(b: FloatArray, s: FloatArray) -> FloatArray:
    """B'S^-1 B of upper triangular B and symmetric S, (3, ...) each."""
    i11, i12, i22 = _inverse(s)
    along = b[1] * i11 + b[2] * i12
    last = b[1] * along + b[2] * (b[1] * i12 + b[2] * i22)
    return np.stack((b[0] ** 2 * i11, b[0] * along, last))


def _passed_on(b: FloatArray, s: FloatArray) -> FloatArray:
    """B S^-1 B' of upper triangular B and symmetric S, (3, ...) each."""
    i11, i12, i22 = _inverse(s)
    along = b[0] * i12 + b[1] * i22
    first = b[0] * (b[0] * i11 + b[1] * i12) + b[1] * along
    return np.stack((first, b[2] * along, b[2] ** 2 * i22))


def _inverse(s: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    determinant = s[0] * s[2] - s[1] ** 2
    return s[2] / determinant, -s[1] / determinant, s[0] / determinant


def _dots(x: FloatArray, y: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("ij,ij->j", x, y))
