"""Dominant eigenvectors of a symmetric operator by block Krylov iteration."""

from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from nextlmm.linalg.covariance import FloatArray

Operator = Callable[[FloatArray], FloatArray]
Worth = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class RitzPairs:
    """Approximate eigenvalues (d,), ascending, and orthonormal eigenvectors (n, d).

    ``rounding`` is how far the projected operator was from symmetric, which is how far rounding may
    have moved the values.
    """

    values: FloatArray
    vectors: FloatArray
    rounding: float

    def chosen(self, index: NDArray[np.intp]) -> "RitzPairs":
        """Some of the pairs."""
        return RitzPairs(self.values[index], self.vectors[:, index], self.rounding)


KrylovSearch = Generator[FloatArray, FloatArray, RitzPairs]
"""Yields blocks of columns and is sent the operator times each; returns what it found."""

_OVERSAMPLING = 8
_STEPS = 3


def dominant_eigenvectors(
    operator: Operator, n: int, count: int, *, worth: Worth, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Ritz values (count,) and orthonormal Ritz vectors (n, count) of largest ``worth``.

    ``worth`` maps eigenvalues to what it is worth to know them; it must grow away from the bulk of
    the spectrum, on one side or on both, because those are the ends that a Krylov space finds.

    Cost: 4 products with ``count + 8`` columns, plus O(n count^2).
    Source: Musco and Musco 2015, Algorithm 2 (block Krylov iteration), with Rayleigh-Ritz.
    """
    search = krylov_search(n, count + _OVERSAMPLING, _STEPS, rng=rng)
    asked = next(search)
    while True:
        try:
            asked = search.send(operator(asked))
        except StopIteration as done:
            found: RitzPairs = done.value
            best = np.argsort(-worth(found.values), kind="stable")[:count]
            return found.values[best], found.vectors[:, best]


def krylov_search(
    n: int,
    block: int,
    steps: int,
    *,
    rng: np.random.Generator,
    go_on: Callable[[FloatArray], bool] | None = None,
) -> KrylovSearch:
    """All Ritz pairs of a block Krylov space, as a generator that is sent the products it yields.

    Many searches with different operators can so go on in lock-step, one pass over the data serving
    all of them.

    Parameters
    ----------
    n : rows of the operator.
    block : columns of a product, n if that is less.
    steps : products beyond the first, fewer if the space is exhausted before.
    rng : of the start.
    go_on : asked once, with the Ritz values after so many steps, whether to double them.

    Returns
    -------
    At most ``block (steps + 1)`` Ritz pairs, or ``block (2 steps + 1)``.
    """
    block = min(n, block)
    bases = [orthonormal(rng.standard_normal((n, block)))]
    images = [(yield bases[0])]
    for most in (steps, 2 * steps):
        for _ in range(min(most, (n - 1) // block) - len(bases) + 1):
            room = n - block * len(bases)
            bases.append(orthonormal_against(images[-1], bases)[:, :room])
            images.append((yield bases[-1]))
        basis = np.hstack(bases)
        values, rotation, rounding = diagonalized(basis, np.hstack(images))
        if go_on is None or not go_on(values):
            break
    return RitzPairs(values, basis @ rotation, rounding)


def diagonalized(basis: FloatArray, image: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Eigenvalues and eigenvectors of basis' image, which is symmetric but for rounding, and that.

    Parameters
    ----------
    basis : (n, d).
    image : (n, d), a symmetric operator times the basis.
    """
    small = basis.T @ image
    values, rotation = linalg.eigh((small + small.T) / 2.0, check_finite=False)
    return values, rotation, float(np.abs(small - small.T).max())


def orthonormal_against(x: FloatArray, bases: list[FloatArray]) -> FloatArray:
    """Orthonormal columns that span x outside the bases; twice is enough."""
    for _ in range(2):
        for basis in bases:
            x = x - basis @ (basis.T @ x)
        x = orthonormal(x)
    return x


def orthonormal(x: FloatArray) -> FloatArray:
    """Orthonormal columns (n, k) that span those of x (n, k)."""
    return np.asarray(linalg.qr(x, mode="economic", check_finite=False)[0])
