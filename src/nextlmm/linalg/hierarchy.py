"""A hierarchical factor for every weight from columns that do not depend on the weight.

The factor is that of :mod:`hodlr`, written so that nothing is nested.  Let a node have children
with factors W1 and W2, D = diag(W1, W2), and keep columns U of the node in *sample* space.  In
whitened coordinates they are D'U.  With Z such that (D'U Z)'(D'U Z) = I and
Z' U' Sigma U Z = diag(g), the columns P = D'U Z are orthonormal, the node's projected core is
diag(g), and D^-T P is U Z again.  Writing U for U Z, all of it flattens to sums over nodes::

    W^-1   = L^-1  + sum P (diag(g)^-1/2 - I) U'
    W^-T   = L^-T  + sum U (diag(g)^-1/2 - I) P'
    Sigma^-1 = L^-T L^-1 + sum U (diag(g)^-1 - I) U'

L holds the leaves' Cholesky factors.  U' Sigma U = weight U'KU + (1 - weight) U'U, so that the
small matrices U'KU and the leaves of K are all that a factor at another weight needs.  W W' agrees
with Sigma on every U, and is positive definite at every weight: each g is a ratio of two quadratic
forms that are positive.

Source: docs/method.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from nextlmm.errors import NumericalError
from nextlmm.linalg.covariance import CovarianceFactor, FloatArray
from nextlmm.linalg.dense import cholesky_in_place, weighted_with_identity
from nextlmm.linalg.hodlr import LevelRanks
from nextlmm.linalg.threads import one_thread
from nextlmm.linalg.tree import Node

ROUNDINGS = 10.0
"""A core below so many times the rounding of its computation is not known to be positive."""


@dataclass(frozen=True, eq=False)
class NodeColumns:
    """Columns U (s, r) of a node of s rows in sample space.

    ``energy`` (r, r) is U'KU, and ``rounding`` how far any element of it may be off.
    """

    node: Node
    level: int
    columns: FloatArray
    energy: FloatArray
    rounding: float

    @property
    def rows(self) -> slice:
        """The rows of the node."""
        return slice(self.node.start, self.node.stop)


@dataclass(frozen=True, eq=False)
class Leaf:
    """The Cholesky factor of a leaf and its inverse, both lower triangular, (s, s)."""

    start: int
    lower: FloatArray
    inverse: FloatArray

    @property
    def rows(self) -> slice:
        """The rows of the leaf."""
        return slice(self.start, self.start + len(self.lower))


@dataclass(frozen=True, eq=False)
class Correction:
    """What a node adds to its children.

    columns : U, (s, r).
    basis : P, (s, r), orthonormal columns.
    core : g, (r,), positive.
    """

    node: Node
    level: int
    columns: FloatArray
    basis: FloatArray
    core: FloatArray

    @property
    def rows(self) -> slice:
        """The rows of the node."""
        return slice(self.node.start, self.node.stop)


@dataclass(frozen=True, eq=False)
class HierarchicalFactor(CovarianceFactor):
    """W by its leaves and the corrections of its nodes, deepest level first.

    ``leaves`` are None where they are the identity.
    """

    root: Node
    leaves: tuple[Leaf, ...] | None
    corrections: tuple[Correction, ...]

    def __repr__(self) -> str:
        count = sum(len(found.core) for found in self.corrections)
        return f"<hierarchical factor of {self.n:,} rows with {count:,} columns>"

    @property
    def n(self) -> int:
        """Number of rows of Sigma."""
        return self.root.size

    @property
    def logdet(self) -> float:
        """Natural logarithm of the determinant of Sigma."""
        corrections = sum(float(np.log(found.core).sum()) for found in self.corrections)
        leaves = sum(float(np.log(leaf.lower.diagonal()).sum()) for leaf in self.leaves or ())
        return 2.0 * leaves + corrections

    @property
    def nbytes(self) -> int:
        """Bytes that the factor occupies."""
        leaves = sum(leaf.lower.nbytes + leaf.inverse.nbytes for leaf in self.leaves or ())
        return leaves + sum(
            found.columns.nbytes + found.basis.nbytes + found.core.nbytes
            for found in self.corrections
        )

    def whiten(self, x: FloatArray) -> FloatArray:
        """W^-1 x."""
        block = x.reshape(self.n, -1)
        result = self._of_leaves(block, "inverse")
        for found in self.corrections:
            change = (found.core**-0.5 - 1.0)[:, None]
            result[found.rows] += found.basis @ (change * (found.columns.T @ block[found.rows]))
        return result.reshape(x.shape)

    def whiten_transposed(self, x: FloatArray) -> FloatArray:
        """W^-T x."""
        block = x.reshape(self.n, -1)
        result = self._of_leaves(block, "inverse", transposed=True)
        for found in self.corrections:
            change = (found.core**-0.5 - 1.0)[:, None]
            result[found.rows] += found.columns @ (change * (found.basis.T @ block[found.rows]))
        return result.reshape(x.shape)

    def solve(self, x: FloatArray) -> FloatArray:
        """Sigma^-1 x."""
        block = x.reshape(self.n, -1)
        result = self._of_leaves(self._of_leaves(block, "inverse"), "inverse", transposed=True)
        for found in self.corrections:
            change = (1.0 / found.core - 1.0)[:, None]
            result[found.rows] += found.columns @ (change * (found.columns.T @ block[found.rows]))
        return result.reshape(x.shape)

    def unwhiten(self, x: FloatArray) -> FloatArray:
        """W x."""
        block = np.array(x.reshape(self.n, -1))
        for found in reversed(self.corrections):
            _correct(found, block[found.rows])
        return self._of_leaves(block, "lower").reshape(x.shape)

    def unwhiten_transposed(self, x: FloatArray) -> FloatArray:
        """W' x."""
        block = self._of_leaves(x.reshape(self.n, -1), "lower", transposed=True)
        for found in self.corrections:
            _correct(found, block[found.rows])
        return block.reshape(x.shape)

    def diagonal(self) -> FloatArray:
        """Diagonal of Sigma; O(n) numbers for each level below every column."""
        total = np.ones(self.n)
        for leaf in self.leaves or ():
            total[leaf.rows] = np.einsum("ij,ij->i", leaf.lower, leaf.lower)
        for at, found in enumerate(self.corrections):
            lifted = np.zeros((self.n, len(found.core)))
            lifted[found.rows] = found.basis
            below = replace(self, corrections=self.corrections[:at])
            total += np.square(below.unwhiten(lifted)) @ (found.core - 1.0)
        return total

    def _of_leaves(self, x: FloatArray, name: str, *, transposed: bool = False) -> FloatArray:
        """The leaves' triangles, or their inverses, times x; a new array."""
        if self.leaves is None:
            return np.array(x)
        result = np.empty_like(x)
        for leaf in self.leaves:
            triangle = leaf.lower if name == "lower" else leaf.inverse
            np.matmul(triangle.T if transposed else triangle, x[leaf.rows], out=result[leaf.rows])
        return result

    def levels(self) -> tuple[LevelRanks, ...]:
        """What the nodes of each level hold, the root's first."""
        rank = {found.node: len(found.core) for found in self.corrections}
        found: list[LevelRanks] = []
        nodes = [self.root]
        while nodes:
            inner = [node for node in nodes if node.children is not None]
            ranks = [rank.get(node, 0) for node in inner]
            found.append(
                LevelRanks(
                    level=len(found),
                    nodes=len(nodes),
                    leaves=len(nodes) - len(inner),
                    rank_min=min(ranks, default=None),
                    rank_max=max(ranks, default=None),
                    rows_max=max(node.size for node in nodes),
                )
            )
            nodes = [child for node in inner for child in node.children or ()]
        return tuple(found)


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """All that factors at every weight have in common.

    root : of the tree.
    leaves : its leaves and their blocks of K; None where leaves are the identity.
    nodes : columns of the nodes that have any, deepest level first.
    """

    root: Node
    leaves: tuple[tuple[Node, FloatArray], ...] | None
    nodes: tuple[NodeColumns, ...]

    def __repr__(self) -> str:
        count = sum(found.columns.shape[1] for found in self.nodes)
        return f"<hierarchy of {self.root.size:,} rows with {count:,} columns>"

    def factor(self, weight: float) -> HierarchicalFactor:
        """A square root of about ``weight K + (1 - weight) I``, positive definite.

        Raises
        ------
        NotPositiveDefiniteError
            If a leaf of Sigma is not positive definite.

        Cost: O(n leaf^2), and for each level 4 n r operations for every column above it.
        """
        with one_thread():  # many small operations
            leaves = self._whitened_leaves(weight)
            corrections = tuple(found for _, found, _ in self._sweep(leaves, weight, None))
        return HierarchicalFactor(self.root, leaves, corrections)

    def pruned(self, weight: float, worth: float) -> "Hierarchy":
        """Without columns that are worth less than ``worth``, g - 1 - log g, at a weight."""
        kept = []
        for node, found, z in self._sweep(self._whitened_leaves(weight), weight, worth):
            energy = z.T @ node.energy @ z
            rounding = node.rounding * float(np.linalg.norm(z, ord=2)) ** 2
            kept.append(NodeColumns(node.node, node.level, found.columns, energy, rounding))
        return replace(self, nodes=tuple(kept))

    def replaced(
        self, leaves: Mapping[Node, FloatArray], energies: Mapping[Node, FloatArray]
    ) -> "Hierarchy":
        """The same columns for another matrix, by its leaves and its energies U'KU."""
        own = None
        if self.leaves is not None:
            own = tuple((node, leaves[node]) for node, _ in self.leaves)
        nodes = tuple(replace(found, energy=energies[found.node]) for found in self.nodes)
        return replace(self, leaves=own, nodes=nodes)

    def _whitened_leaves(self, weight: float) -> tuple[Leaf, ...] | None:
        if self.leaves is None:
            return None
        return tuple(leaf_factor(node, block, weight) for node, block in self.leaves)

    def _sweep(
        self, leaves: tuple[Leaf, ...] | None, weight: float, worth: float | None
    ) -> Iterator[tuple[NodeColumns, Correction, FloatArray]]:
        """The corrections from the deepest level up, and the Z of each."""
        at = _columns_of_levels(self.nodes)
        x = np.zeros((self.root.size, max((stop for _, stop in at.values()), default=0)))
        for node in self.nodes:
            start = at[node.level][0]
            x[node.rows, start : start + node.columns.shape[1]] = node.columns
        for leaf in leaves or ():
            x[leaf.rows] = leaf.lower.T @ x[leaf.rows]
        for node in self.nodes:
            start = at[node.level][0]
            whitened = x[node.rows, start : start + node.columns.shape[1]]
            found, z = _correction(node, whitened, weight, worth)
            if len(found.core):
                _correct(found, x[node.rows, :start])  # the columns of all nodes above
                yield node, found, z


def divergence_of(eigenvalues: FloatArray) -> FloatArray:
    """Twice the nats that an eigenvalue g of the whitened matrix stands for, g - 1 - log g.

    >>> divergence_of(np.array([1.0, 2.0])).round(4).tolist()
    [0.0, 0.3069]
    """
    return np.asarray(eigenvalues - 1.0 - np.log(eigenvalues))


def _correct(found: Correction, rows: FloatArray) -> None:
    """Multiply the rows of a node, in place, by I + P (diag(g)^1/2 - I) P'."""
    if rows.shape[1]:
        change = (np.sqrt(found.core) - 1.0)[:, None]
        rows += found.basis @ (change * (found.basis.T @ rows))


def leaf_factor(node: Node, block: FloatArray, weight: float) -> Leaf:
    """The factor of a leaf of Sigma from its block of K."""
    lower = cholesky_in_place(weighted_with_identity(block, weight))
    inverse, info = linalg.lapack.dtrtri(lower, lower=1)
    assert info == 0, "a Cholesky factor has a positive diagonal"  # noqa: S101
    return Leaf(node.start, lower, np.asarray(inverse))


def _columns_of_levels(nodes: Sequence[NodeColumns]) -> dict[int, tuple[int, int]]:
    """First and last column of each level in an array that holds the root's first."""
    widest: dict[int, int] = {}
    for node in nodes:
        widest[node.level] = max(widest.get(node.level, 0), node.columns.shape[1])
    places, start = {}, 0
    for level in sorted(widest):
        places[level] = (start, start + widest[level])
        start += widest[level]
    return places


def _correction(
    node: NodeColumns, whitened: FloatArray, weight: float, worth: float | None
) -> tuple[Correction, FloatArray]:
    """The correction of a node from D'U, and Z."""
    gram = node.columns.T @ node.columns
    sigma = weight * node.energy + (1.0 - weight) * gram
    try:
        core, z = linalg.eigh(sigma, whitened.T @ whitened, check_finite=False)
    except linalg.LinAlgError as error:
        raise NumericalError(
            f"the columns of a node of {node.node.size} rows are linearly dependent at a weight of "
            f"{weight:.6g}; expected a weight nearer to that of the build; build it anew"
        ) from error
    unsure = ROUNDINGS * weight * node.rounding * np.einsum("ij,ij->j", z, z)
    kept = core > unsure
    if worth is not None:
        kept[kept] = divergence_of(core[kept]) >= worth
    z = z[:, kept]
    return Correction(node.node, node.level, node.columns @ z, whitened @ z, core[kept]), z


def levels_of(root: Node) -> Iterator[list[Node]]:
    """All nodes by their distance from the root, the root's level first."""
    nodes = [root]
    while nodes:
        yield nodes
        nodes = [child for node in nodes for child in node.children or ()]
