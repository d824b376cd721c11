"""x' Sigma^-1 x as a weighted sum of squares of products with fixed vectors.

For a factor Sigma = W W' the form is |W^-1 x|^2.  Spelled out, every row of W^-1 of a leaf, and
every column q = D^-T P of a node, adds one square::

    x' Sigma^-1 x = sum over leaves |L^-1 x|^2 + sum over nodes, columns (1 / g - 1) (q' x)^2

so that many forms need nothing but products with x, in any precision and in any order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from nextlmm.linalg.covariance import CovarianceFactor, FloatArray
from nextlmm.linalg.dense import CholeskyFactor
from nextlmm.linalg.hierarchy import HierarchicalFactor
from nextlmm.linalg.hodlr import DiagonalFactor, MergedFactor
from nextlmm.linalg.packed import PackedFactor

_TOGETHER = 32  # rows of a triangle, whose zeros beyond the last of them are left out


@dataclass(frozen=True, eq=False)
class Squares:
    """A part of a form: the sum over the columns v of weight (v' x)^2.

    start : first row of x that the vectors meet.
    vectors : (rows, k), as they meet x[start:start + rows].
    weights : (k,).
    """

    start: int
    vectors: NDArray[Any]
    weights: FloatArray


@dataclass(frozen=True, eq=False)
class InverseForm:
    """x' Sigma^-1 x = identity x'x + all ``squares``."""

    identity: float
    squares: tuple[Squares, ...]

    def of(self, x: FloatArray) -> FloatArray:
        """The forms of the columns of x (n, k), (k,)."""
        total = self.identity * np.einsum("ij,ij->j", x, x)
        for part in self.squares:
            product = part.vectors.T @ x[part.start : part.start + len(part.vectors)]
            total += part.weights @ product**2
        return np.asarray(total)

    def diagonal(self, n: int) -> FloatArray:
        """The form of every column of the identity of n rows, (n,): one look at all vectors."""
        total = np.full(n, self.identity)
        for part in self.squares:
            squares = np.einsum("ij,ij,j->i", part.vectors, part.vectors, part.weights)
            total[part.start : part.start + len(part.vectors)] += squares
        return total

    def less(self, vectors: FloatArray) -> "InverseForm":
        """The form without the squares of v'x for the columns v of ``vectors`` (n, k)."""
        taken = Squares(0, vectors, np.full(vectors.shape[1], -1.0))
        return InverseForm(self.identity, (*self.squares, taken))


def inverse_form(factor: CovarianceFactor) -> InverseForm:
    """The form of a dense, packed or hierarchical factor.

    Raises
    ------
    TypeError
        For a factor of another kind.

    Cost: the inverse of every triangle, and whitening every column of a node; memory is that of the
    factor, and n^2 single precision numbers for a packed one.
    """
    if isinstance(factor, HierarchicalFactor):
        return InverseForm(float(factor.leaves is None), tuple(_flat_squares(factor)))
    diagonals = [leaf for leaf in _leaves(factor) if isinstance(leaf, DiagonalFactor)]
    inverses = np.concatenate([leaf.scale**-2.0 for leaf in diagonals] or [np.zeros(1)])
    identity = float(inverses[0])
    is_identity = bool((inverses == identity).all()) and len(inverses) == factor.n
    if not is_identity:
        identity = 0.0
    return InverseForm(identity, tuple(_squares(factor, 0, is_identity)))


def _flat_squares(factor: HierarchicalFactor) -> Iterator[Squares]:
    for leaf in factor.leaves or ():
        yield from _of_rows(leaf.inverse, leaf.start)
    for found in factor.corrections:
        yield Squares(found.node.start, found.columns, 1.0 / found.core - 1.0)


def _leaves(factor: CovarianceFactor) -> Iterator[CovarianceFactor]:
    if isinstance(factor, MergedFactor):
        yield from _leaves(factor.left)
        yield from _leaves(factor.right)
    else:
        yield factor


def _squares(factor: CovarianceFactor, start: int, is_identity: bool) -> Iterator[Squares]:
    if isinstance(factor, MergedFactor):
        yield from _squares(factor.left, start, is_identity)
        yield from _squares(factor.right, start + factor.left.n, is_identity)
        if len(factor.core):
            vectors = factor.whiten_children_transposed(factor.basis)
            yield Squares(start, vectors, 1.0 / factor.core - 1.0)
    elif isinstance(factor, DiagonalFactor):
        if not is_identity:
            yield from _of_rows(np.diag(1.0 / factor.scale), start)
    elif isinstance(factor, CholeskyFactor):
        yield from _of_rows(lapack.dtrtri(factor.lower, lower=1)[0], start)
    elif isinstance(factor, PackedFactor):
        yield from _of_rows(factor.inverse(), start)
    else:
        raise TypeError(f"the inverse form of {factor!r} is not known")


def _of_rows(inverse: NDArray[Any], start: int) -> Iterator[Squares]:
    """The squares of the rows of a lower triangle."""
    for at in range(0, len(inverse), _TOGETHER):
        stop = min(at + _TOGETHER, len(inverse))
        rows = np.tril(inverse[at:stop, :stop], at)
        yield Squares(start, np.ascontiguousarray(rows.T), np.ones(stop - at))
