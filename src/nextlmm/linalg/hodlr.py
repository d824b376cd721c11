"""A hierarchical square root: leaf Cholesky factors and low-rank corrections up the tree.

Let a node have children with factors W1 and W2, D = diag(W1, W2), and let T = D^-1 Sigma D^-T be
the node's block in whitened coordinates.  With orthonormal columns P and the projected core
P' T P = diag(core), P chosen so that the core is diagonal, the node's factor is ::

    W = D (I + P (diag(core)^1/2 - I) P')

    +----+----+---------+
    | L1 |    |         |     leaves    L     dense lower triangular
    +----+----+   P,g   |     nodes     P, g  s x r and r numbers
    |    | L2 |         |
    +----+----+----+----+
    |         | L3 |    |
    |   P,g   +----+----+
    |         |    | L4 |
    +---------+----+----+

W W' is positive definite whatever was left out of P, because diag(core) is a projection of a
positive definite matrix; its off-diagonal blocks have rank r.  All arrays are in tree order.

Source: scaling before truncation as in Xia and Xin 2017; the projected core and its divergence
identity are derived in docs/method.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from nextlmm.linalg.covariance import CovarianceFactor, FloatArray, scale_rows
from nextlmm.linalg.dense import CholeskyFactor


@dataclass(frozen=True, eq=False)
class MergedFactor(CovarianceFactor):
    """The factor of a node from those of its children.

    ``basis`` (n, r) has orthonormal columns, ``core`` (r,) is positive.
    """

    left: CovarianceFactor
    right: CovarianceFactor
    basis: FloatArray
    core: FloatArray

    @property
    def n(self) -> int:
        """Number of rows of Sigma."""
        return len(self.basis)

    @property
    def logdet(self) -> float:
        """Natural logarithm of the determinant of Sigma."""
        return self.left.logdet + self.right.logdet + float(np.log(self.core).sum())

    @property
    def nbytes(self) -> int:
        """Bytes that the factor occupies."""
        return self.left.nbytes + self.right.nbytes + self.basis.nbytes + self.core.nbytes

    def whiten(self, x: FloatArray) -> FloatArray:
        """W^-1 x."""
        return self._correct(self.whiten_children(x), -0.5)

    def whiten_transposed(self, x: FloatArray) -> FloatArray:
        """W^-T x."""
        return self.whiten_children_transposed(self._correct(x, -0.5))

    def unwhiten(self, x: FloatArray) -> FloatArray:
        """W x."""
        x, at = self._correct(x, 0.5), self.left.n
        return np.concatenate([self.left.unwhiten(x[:at]), self.right.unwhiten(x[at:])])

    def unwhiten_transposed(self, x: FloatArray) -> FloatArray:
        """W' x."""
        at = self.left.n
        below = [self.left.unwhiten_transposed(x[:at]), self.right.unwhiten_transposed(x[at:])]
        return self._correct(np.concatenate(below), 0.5)

    def diagonal(self) -> FloatArray:
        """Diagonal of Sigma."""
        at = self.left.n
        lifted = np.concatenate(
            [self.left.unwhiten(self.basis[:at]), self.right.unwhiten(self.basis[at:])]
        )
        below = np.concatenate([self.left.diagonal(), self.right.diagonal()])
        return np.asarray(below + (lifted**2) @ (self.core - 1.0))

    def whiten_children(self, x: FloatArray) -> FloatArray:
        """D^-1 x: whitening by the children alone."""
        return whiten_pair(self.left, self.right, x)

    def whiten_children_transposed(self, x: FloatArray) -> FloatArray:
        """D^-T x."""
        return whiten_pair_transposed(self.left, self.right, x)

    def _correct(self, x: FloatArray, power: float) -> FloatArray:
        """(I + P (diag(core)^power - I) P') x."""
        change = self.core**power - 1.0
        return x + self.basis @ ((change if x.ndim == 1 else change[:, None]) * (self.basis.T @ x))


def whiten_pair(left: CovarianceFactor, right: CovarianceFactor, x: FloatArray) -> FloatArray:
    """diag(W1, W2)^-1 x."""
    return np.concatenate([left.whiten(x[: left.n]), right.whiten(x[left.n :])])


def whiten_pair_transposed(
    left: CovarianceFactor, right: CovarianceFactor, x: FloatArray
) -> FloatArray:
    """diag(W1, W2)^-T x."""
    return np.concatenate(
        [left.whiten_transposed(x[: left.n]), right.whiten_transposed(x[left.n :])]
    )


@dataclass(frozen=True, eq=False)
class DiagonalFactor(CovarianceFactor):
    """W = diag(scale): a leaf about which nothing is known but its variances.

    ``scale`` (n,) is positive.
    """

    scale: FloatArray

    @property
    def n(self) -> int:
        """Number of rows of Sigma."""
        return len(self.scale)

    @property
    def logdet(self) -> float:
        """Natural logarithm of the determinant of Sigma."""
        return 2.0 * float(np.log(self.scale).sum())

    @property
    def nbytes(self) -> int:
        """Bytes that the factor occupies."""
        return self.scale.nbytes

    def whiten(self, x: FloatArray) -> FloatArray:
        """W^-1 x."""
        return scale_rows(x, 1.0 / self.scale)

    def whiten_transposed(self, x: FloatArray) -> FloatArray:
        """W^-T x, the same."""
        return scale_rows(x, 1.0 / self.scale)

    def unwhiten(self, x: FloatArray) -> FloatArray:
        """W x."""
        return scale_rows(x, self.scale)

    def unwhiten_transposed(self, x: FloatArray) -> FloatArray:
        """W' x, the same."""
        return scale_rows(x, self.scale)

    def diagonal(self) -> FloatArray:
        """Diagonal of Sigma."""
        return self.scale**2


HodlrFactor = CholeskyFactor | DiagonalFactor | MergedFactor
"""A whole hierarchical factor is its root; a matrix that does not compress is one leaf."""


@dataclass(frozen=True)
class LevelRanks:
    """What the nodes of one level of the tree hold; level 0 is the root.

    ``rank_min`` and ``rank_max`` are columns of P, the largest rank of an off-diagonal block, over
    the nodes with children, None if all nodes of the level are leaves; ``rows_max`` is the number
    of rows of the largest node.
    """

    level: int
    nodes: int
    leaves: int
    rank_min: int | None
    rank_max: int | None
    rows_max: int


def ranks_per_level(factor: CovarianceFactor) -> tuple[LevelRanks, ...]:
    """Ranks of a hierarchical factor, the root's level first."""
    nodes = sorted(_nodes(factor, 0), key=lambda item: item[0])
    return tuple(
        _level_ranks(level, [node for _, node in members])
        for level, members in groupby(nodes, key=lambda item: item[0])
    )


def _level_ranks(level: int, nodes: list[CovarianceFactor]) -> LevelRanks:
    ranks = [len(node.core) for node in nodes if isinstance(node, MergedFactor)]
    return LevelRanks(
        level=level,
        nodes=len(nodes),
        leaves=len(nodes) - len(ranks),
        rank_min=min(ranks, default=None),
        rank_max=max(ranks, default=None),
        rows_max=max(node.n for node in nodes),
    )


def _nodes(factor: CovarianceFactor, level: int) -> Iterator[tuple[int, CovarianceFactor]]:
    yield level, factor
    if isinstance(factor, MergedFactor):
        yield from _nodes(factor.left, level + 1)
        yield from _nodes(factor.right, level + 1)
