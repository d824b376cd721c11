"""Leading eigenpairs of a symmetric operator to a stated accuracy, each with its residual.

A block Krylov space is extended until the residual of every wanted pair is small enough. When it
has eight blocks it starts anew from its best Ritz vectors, and what these leave of their images is
its next block (thick restart).

Source: Wu and Simon 2000 for the restart; Parlett 1998, chapters 4 and 11, for what a residual r
says: the interval [value - |r|, value + |r|] holds an eigenvalue, and the sine of the angle between
the vector and an eigenvector is at most |r| divided by the distance to the other eigenvalues.
That no larger eigenvalue was missed is not in it; a random start misses one with probability 0.
"""

from dataclasses import dataclass

import numpy as np

from nextlmm.errors import ConvergenceError
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.subspace import Operator, diagonalized, orthonormal, orthonormal_against

_OVERSAMPLING = 8
_BLOCKS = 8
_MOST_PASSES = 400
_SAFETY = 0.9  # of the tolerance is used up, rounding may use the rest
_NOTHING = 1e-10  # share of the largest eigenvalue that is taken for zero


@dataclass(frozen=True, eq=False)
class Eigenpairs:
    """The leading eigenpairs of a positive semidefinite operator A.

    Attributes
    ----------
    values : (d,) Rayleigh quotients, descending.
    vectors : (n, d), orthonormal.
    residuals : (d,) |A v - value v| / value, measured on the vectors as they are.
    next_value : estimate of the eigenvalue after the last, from below; 0 if there is none.
    n_passes : products with a block of columns that it took.
    """

    values: FloatArray
    vectors: FloatArray
    residuals: FloatArray
    next_value: float
    n_passes: int

    @property
    def gaps(self) -> FloatArray:
        """(d,) distance of each value to the nearest other, relative to the value."""
        steps = -np.diff(np.append(self.values, self.next_value))
        nearest = np.minimum(steps, np.append(np.inf, steps[:-1]))
        return np.asarray(nearest / self.values)


def leading_eigenpairs(
    operator: Operator,
    n: int,
    count: int,
    *,
    tolerance: float,
    rng: np.random.Generator,
) -> Eigenpairs:
    """The ``count`` largest eigenvalues above zero of an operator, fewer if it has no more.

    Parameters
    ----------
    operator : x (n, k) -> A x, A symmetric and positive semidefinite.
    n : rows of A.
    count : pairs wanted, at most n.
    tolerance : largest residual of any, relative to its value.
    rng : of the start.

    Raises
    ------
    ConvergenceError
        If a residual is still larger after 400 products with ``count + 8`` columns.

    Cost: so many products with ``count + 8`` columns as it takes, and 16 (n, count + 8) arrays.
    """
    space = _Space(operator, n, min(n, count + _OVERSAMPLING), rng)
    while True:
        values, vectors, images = space.extended()
        lengths = np.linalg.norm(images - vectors * values, axis=0)[:count]
        floor = _NOTHING * max(float(values[0]), 0.0)
        is_done = lengths <= np.maximum(_SAFETY * tolerance * values[:count], floor)
        if is_done.all() or space.is_complete:
            break
        if space.n_passes >= _MOST_PASSES:
            raise ConvergenceError(_not_converged(lengths, values, tolerance, space.n_passes))
    kept = np.flatnonzero(values[:count] > floor)
    found = vectors[:, kept]
    # A product of their own, since those of the search have gone through many rotations.
    fresh = operator(found)
    exact = np.einsum("ij,ij->j", found, fresh)
    residuals = np.linalg.norm(fresh - found * exact, axis=0) / exact
    if (residuals > tolerance).any():
        raise ConvergenceError(_not_converged(residuals * exact, exact, tolerance, space.n_passes))
    following = float(values[count]) if len(values) > count else 0.0
    return Eigenpairs(exact, found, residuals, max(following, 0.0), space.n_passes + 1)


class _Space:
    """A block Krylov space that is restarted from its best Ritz vectors when it is full."""

    _best: tuple[FloatArray, FloatArray, FloatArray]

    def __init__(
        self,
        operator: Operator,
        n: int,
        block: int,
        rng: np.random.Generator,
    ) -> None:
        self._operator, self._n, self._block = operator, n, block
        self._bases = [orthonormal(rng.standard_normal((n, block)))]
        self._images: list[FloatArray] = []
        self.n_passes = 0
        self.is_complete = False  # whether the last Ritz pairs were those of the whole space
        self._multiply()

    def extended(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The best Ritz values, descending, vectors and images, after one more product."""
        if len(self._bases) == _BLOCKS:
            self._bases, self._images = [self._best[1]], [self._best[2]]
        if room := self._room():
            fresh = orthonormal_against(self._images[-1], self._bases)[:, :room]
            self._bases.append(fresh)
            self._multiply()
        self.is_complete = not self._room()
        basis, image = np.hstack(self._bases), np.hstack(self._images)
        values, rotation, _ = diagonalized(basis, image)
        best = np.argsort(-values, kind="stable")[: self._block]
        self._best = values[best], basis @ rotation[:, best], image @ rotation[:, best]
        return self._best

    def _room(self) -> int:
        return self._n - sum(int(basis.shape[1]) for basis in self._bases)

    def _multiply(self) -> None:
        self._images.append(self._operator(self._bases[-1]))
        self.n_passes += 1


def _not_converged(lengths: FloatArray, values: FloatArray, tolerance: float, n_passes: int) -> str:
    relative = lengths / np.maximum(values[: len(lengths)], np.finfo(float).tiny)
    worst = int(np.argmax(relative))
    return (
        f"component {worst + 1} of {len(lengths)} has a residual of {relative[worst]:.2g} after "
        f"{n_passes} products with the matrix; expected at most {tolerance:g}: ask for fewer "
        "components (--count), or for less accuracy (--tolerance)"
    )
