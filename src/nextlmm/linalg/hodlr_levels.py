"""Building a hierarchical factor level by level from products, without the matrix.

All nodes of a level search for their eigenvectors in lock-step, so that a step of the search costs
one product with the diagonal blocks of the level, which for a matrix Z Z' is one pass over Z.
Small nodes are cheaper as arrays: one pass makes those of all of them.

The factor is that of :mod:`hodlr`, hence positive definite whatever was left out, also if the
blocks are those of another matrix, such as the same sum over a part of the terms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.dense import CholeskyFactor, cholesky_in_place, weighted_with_identity
from nextlmm.linalg.hodlr import (
    DiagonalFactor,
    HodlrFactor,
    MergedFactor,
    whiten_pair,
    whiten_pair_transposed,
)
from nextlmm.linalg.hodlr_build import divergence_of
from nextlmm.linalg.subspace import KrylovSearch, RitzPairs, diagonalized, krylov_search
from nextlmm.linalg.tree import ClusterTree, Node

HELD_ROWS = 512
_ROUNDINGS = 10.0
"""A core below so many times the rounding of its computation is not known to be positive."""


class DiagonalBlocks(Protocol):
    """The diagonal blocks K[node, node] of a matrix in tree order."""

    @property
    def n(self) -> int:
        """Number of rows."""

    def leaves(self, nodes: Sequence[Node]) -> list[FloatArray]:
        """The blocks of disjoint nodes as arrays."""

    def matmul(self, nodes: Sequence[Node], x: FloatArray) -> FloatArray:
        """The rows of each of the disjoint nodes of x (n, k) times its block, 0 elsewhere."""


@dataclass(frozen=True, eq=False)
class DenseBlocks:
    """The diagonal blocks of an array (n, n)."""

    k: FloatArray

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.k)

    def leaves(self, nodes: Sequence[Node]) -> list[FloatArray]:
        """The blocks, as views."""
        return [self.k[node.start : node.stop, node.start : node.stop] for node in nodes]

    def matmul(self, nodes: Sequence[Node], x: FloatArray) -> FloatArray:
        """The rows of each node times its block."""
        return _times_blocks(nodes, self.leaves(nodes), x)


@dataclass(frozen=True)
class Effort:
    """A search: columns of a product, products beyond the first, and the most columns kept.

    ``patient`` searches double their steps where more than half of what they found is worth
    keeping, as in a broad spectrum.
    """

    block: int
    steps: int
    most: int
    patient: bool = False


@dataclass(frozen=True)
class Ranks:
    """How many columns the nodes get.

    Attributes
    ----------
    root, inner : the search at the root and at any other node, None for no columns.
    worth : a column is kept if its eigenvalue g stands for g - 1 - log g of at least so much,
        which is twice the nats that it saves.
    blocks : whether the leaves are blocks of the matrix; if not, they are the identity, which is
        the mean variance of any row.
    """

    root: Effort | None = Effort(16, 7, 128)
    inner: Effort | None = Effort(8, 5, 48)
    worth: float = 0.1
    blocks: bool = True


NOTHING = Ranks(root=None, inner=None, blocks=False)
"""The identity: no preconditioner."""
COMPONENTS = Ranks(inner=None, blocks=False)
"""The dominant components alone."""
LEAVES = Ranks(root=None, inner=None)
"""A block-diagonal matrix."""
COMPONENTS_AND_BLOCKS = Ranks(inner=None)
"""The dominant components of what is left once leaves are whitened."""


def hodlr_factor(
    blocks: DiagonalBlocks,
    tree: ClusterTree | Node,
    *,
    weight: float,
    ranks: Ranks = Ranks(),
    sketch: DiagonalBlocks | None = None,
    held_rows: int = HELD_ROWS,
    seed: int = 0,
) -> HodlrFactor:
    """A hierarchical square root of about ``weight K + (1 - weight) I``, positive definite.

    Parameters
    ----------
    blocks : of K, in tree order.
    tree : over its rows.
    weight : below 1.
    ranks : of the nodes.
    sketch : blocks of a cheaper matrix that is like K; if given, the columns of nodes of more than
        ``held_rows`` rows are searched there, and their cores taken from ``blocks``, so that a
        direction that is noise in the sketch is found to be worth nothing.
    held_rows : nodes of at most so many rows are multiplied as arrays.
    seed : of the searches.

    Raises
    ------
    NotPositiveDefiniteError
        If a leaf of Sigma is not positive definite.

    Cost: one call of ``leaves`` for nodes of together n rows; for every level of larger nodes some
    6 calls of ``matmul`` with 8 columns each, at the root 8 with 16, and one with the
    columns found if there is a sketch.
    """
    root = tree.root if isinstance(tree, ClusterTree) else tree
    with threadpool_limits(1):  # many small operations; the blocks have threads of their own
        builder = _Builder(weight, ranks, root, seed)
        held = builder.plant(blocks, held_rows)
        for level in reversed(_levels(root)):
            inner = [node for node in level if node.children is not None]
            if held is not None:
                builder.merge([node for node in inner if node.size <= held_rows], held, None)
                inner = [node for node in inner if node.size > held_rows]
            builder.merge(inner, blocks, sketch)
        return builder.factors[root]


@dataclass(frozen=True, eq=False)
class _HeldBlocks:
    """Diagonal blocks of all nodes within some disjoint nodes, ascending, whose blocks are held."""

    nodes: Sequence[Node]
    arrays: Sequence[FloatArray]
    n: int

    def leaves(self, nodes: Sequence[Node]) -> list[FloatArray]:
        """The blocks, as views."""
        starts = [held.start for held in self.nodes]
        found = []
        for node in nodes:
            at = int(np.searchsorted(starts, node.start, side="right")) - 1
            rows = slice(node.start - starts[at], node.stop - starts[at])
            found.append(self.arrays[at][rows, rows])
        return found

    def matmul(self, nodes: Sequence[Node], x: FloatArray) -> FloatArray:
        """The rows of each node times its block."""
        return _times_blocks(nodes, self.leaves(nodes), x)


@dataclass(frozen=True, eq=False)
class _Builder:
    """Factors of the nodes done so far."""

    weight: float
    ranks: Ranks
    root: Node
    seed: int
    factors: dict[Node, HodlrFactor] = field(default_factory=dict)

    def plant(self, blocks: DiagonalBlocks, held_rows: int) -> _HeldBlocks | None:
        """Make the leaves, and hold the blocks of small nodes."""
        leaves = list(self.root.leaves())
        if not self.ranks.blocks:
            self.factors.update({leaf: DiagonalFactor(np.ones(leaf.size)) for leaf in leaves})
            return None
        is_flat = self.ranks.inner is None and self.root.size > held_rows
        nodes = leaves if is_flat else _largest_within(self.root, held_rows)
        held = _HeldBlocks(nodes, blocks.leaves(nodes), blocks.n)
        for leaf, block in zip(leaves, held.leaves(leaves), strict=True):
            sigma = weighted_with_identity(block, self.weight)
            self.factors[leaf] = CholeskyFactor(cholesky_in_place(sigma))
        return held

    def merge(
        self, nodes: Sequence[Node], blocks: DiagonalBlocks, sketch: DiagonalBlocks | None
    ) -> None:
        """Make the factors of nodes of a level from those of their children."""
        searches = {}
        for node in nodes:
            effort = self._effort(node)
            if effort is not None:
                searches[node] = self._search(node, effort)
        found = self._search_together(searches, blocks if sketch is None else sketch)
        found = {node: self._worthy(node, pairs) for node, pairs in found.items()}
        if sketch is not None:
            found = self._measured(found, blocks)
        for node in nodes:
            left, right = self._children(node)
            pairs = found.get(node)
            core = np.empty(0) if pairs is None else pairs.values
            basis = np.empty((node.size, 0)) if pairs is None else pairs.vectors
            self.factors[node] = MergedFactor(left, right, np.asfortranarray(basis), core)

    def _children(self, node: Node) -> tuple[HodlrFactor, HodlrFactor]:
        left, right = node.children or (node, node)
        return self.factors[left], self.factors[right]

    def _effort(self, node: Node) -> Effort | None:
        return self.ranks.root if node == self.root else self.ranks.inner

    def _search(self, node: Node, effort: Effort) -> KrylovSearch:
        def is_broad(values: FloatArray) -> bool:
            positive = values[values > 0.0]
            worthy = np.count_nonzero(divergence_of(positive) >= self.ranks.worth)
            return effort.patient and bool(worthy > len(values) / 2)

        rng = np.random.default_rng([self.seed, node.start, node.stop])
        return krylov_search(node.size, effort.block, effort.steps, rng=rng, go_on=is_broad)

    def _worthy(self, node: Node, pairs: RitzPairs) -> RitzPairs:
        """The pairs worth keeping, the best first; a core not known to be positive is not."""
        effort = self._effort(node)
        known = np.flatnonzero(pairs.values > _ROUNDINGS * pairs.rounding)
        worth = divergence_of(pairs.values[known])
        best = np.argsort(-worth, kind="stable")[: effort.most if effort is not None else 0]
        return pairs.chosen(known[best[worth[best] >= self.ranks.worth]])

    def _search_together(
        self, searches: Mapping[Node, KrylovSearch], blocks: DiagonalBlocks
    ) -> dict[Node, RitzPairs]:
        """Run the searches in lock-step."""
        found: dict[Node, RitzPairs] = {}
        asked = {node: next(search) for node, search in searches.items()}
        while asked:
            for node, product in self._whitened_products(asked, blocks).items():
                try:
                    asked[node] = searches[node].send(product)
                except StopIteration as done:
                    found[node] = done.value
                    del asked[node]
        return found

    def _measured(
        self, found: Mapping[Node, RitzPairs], blocks: DiagonalBlocks
    ) -> dict[Node, RitzPairs]:
        """The same spaces with the cores of ``blocks``."""
        bases = {node: pairs.vectors for node, pairs in found.items() if len(pairs.values)}
        measured = {}
        for node, product in self._whitened_products(bases, blocks).items():
            core, rotation, rounding = diagonalized(bases[node], product)
            pairs = RitzPairs(core, bases[node] @ rotation, rounding)
            measured[node] = self._worthy(node, pairs)
        return measured

    def _whitened_products(
        self, asked: Mapping[Node, FloatArray], blocks: DiagonalBlocks
    ) -> dict[Node, FloatArray]:
        """Of each node D^-1 Sigma D^-T times the columns asked for, by one call of ``matmul``."""
        if not asked:
            return {}
        x = np.zeros((blocks.n, max(columns.shape[1] for columns in asked.values())))
        for node, columns in asked.items():
            lifted = whiten_pair_transposed(*self._children(node), columns)
            x[node.start : node.stop, : columns.shape[1]] = lifted
        product = blocks.matmul(list(asked), x)
        product *= self.weight
        product += (1.0 - self.weight) * x
        return {
            node: whiten_pair(
                *self._children(node), product[node.start : node.stop, : columns.shape[1]]
            )
            for node, columns in asked.items()
        }


def _times_blocks(nodes: Sequence[Node], arrays: Sequence[FloatArray], x: FloatArray) -> FloatArray:
    result = np.zeros_like(x)
    for node, block in zip(nodes, arrays, strict=True):
        rows = slice(node.start, node.stop)
        result[rows] = block @ x[rows]
    return result


def _largest_within(root: Node, rows: int) -> list[Node]:
    """The largest nodes of at most so many rows, and leaves that are larger."""
    if root.children is None or root.size <= rows:
        return [root]
    return [node for child in root.children for node in _largest_within(child, rows)]


def _levels(root: Node) -> list[list[Node]]:
    """All nodes by their distance from the root."""
    levels = [[root]]
    while below := [child for node in levels[-1] for child in node.children or ()]:
        levels.append(below)
    return levels
