"""Building a hierarchical factor level by level from products, without the matrix.

All nodes of a level search for their eigenvectors in lock-step, so that a step of the search costs
one product with the diagonal blocks of the level, which for a matrix Z Z' is one pass over Z.
Small nodes are cheaper as arrays: one pass makes those of all of them.

The factor is that of :mod:`hierarchy`, hence positive definite whatever was left out, also if the
blocks are those of another matrix, such as the same sum over a part of the terms.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import numpy as np

from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.hierarchy import (
    ROUNDINGS,
    Correction,
    HierarchicalFactor,
    Hierarchy,
    Leaf,
    NodeColumns,
    divergence_of,
    leaf_factor,
    levels_of,
)
from nextlmm.linalg.subspace import KrylovSearch, RitzPairs, krylov_search
from nextlmm.linalg.threads import one_thread
from nextlmm.linalg.tree import ClusterTree, Node

HELD_ROWS = 512
# Nodes are searched in a sum of as many terms as the largest of a level has rows, but not of fewer:
# directions that are noise of the choice of terms would look like structure.
_FEWEST_TERMS, _FEWEST_TERMS_OF_ROOT = 5_000, 20_000


Product = Callable[[FloatArray], FloatArray]


class DiagonalBlocks(Protocol):
    """The diagonal blocks K[node, node] of a matrix in tree order."""

    @property
    def n(self) -> int:
        """Number of rows."""

    def leaves(self, nodes: Sequence[Node]) -> list[FloatArray]:
        """The blocks of disjoint nodes as arrays."""

    def product(self, nodes: Sequence[Node]) -> Product:
        """What takes the rows of each of the disjoint nodes of x (n, k) times its block, else 0."""

    def energies(self, columns: Mapping[Node, FloatArray]) -> dict[Node, FloatArray]:
        """U'KU, (r, r), of the columns U (s, r) of each node; nodes may overlap."""

    def thinned(self, terms: int) -> "DiagonalBlocks":
        """Blocks of a cheaper matrix like K, a sum of so many of its terms; itself if it has none.

        What is returned is another object only if the matrix is another one.
        """


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

    def product(self, nodes: Sequence[Node]) -> Product:
        """The rows of each node times its block."""
        return partial(_times_blocks, nodes, self.leaves(nodes))

    def energies(self, columns: Mapping[Node, FloatArray]) -> dict[Node, FloatArray]:
        """U'KU of the columns of each node."""
        blocks = self.leaves(list(columns))
        return {
            node: u.T @ block @ u for (node, u), block in zip(columns.items(), blocks, strict=True)
        }

    def thinned(self, terms: int) -> "DenseBlocks":
        """The same: a product is cheap enough."""
        return self


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

    root: Effort | None = Effort(32, 4, 128)
    inner: Effort | None = Effort(16, 2, 48)
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


def build_hierarchy(
    blocks: DiagonalBlocks,
    tree: ClusterTree | Node,
    *,
    weight: float,
    ranks: Ranks = Ranks(),
    sketch: DiagonalBlocks | None = None,
    held_rows: int = HELD_ROWS,
    seed: int = 0,
) -> Hierarchy:
    """Columns for hierarchical factors at every weight, found at one.

    Parameters
    ----------
    blocks : of K, in tree order.
    tree : over its rows.
    weight : below 1, at which the columns are the best that were found.
    ranks : of the nodes.
    sketch : blocks of a cheaper matrix that is like K; if given, columns are searched there, and
        ``blocks`` are asked for leaves and energies only, so that a direction that is noise in the
        sketch is found to be worth nothing.
    held_rows : nodes of at most so many rows are multiplied as arrays in the search.
    seed : of the searches.

    Raises
    ------
    NotPositiveDefiniteError
        If a leaf of Sigma is not positive definite.

    Cost: in the search, one call of ``leaves`` for nodes of together n rows, and for every level of
    larger nodes some 3 products with 16 columns each, at the root 5 with 32; then one call of
    ``leaves`` for the leaves and one of ``energies``.
    """
    root = tree.root if isinstance(tree, ClusterTree) else tree
    with one_thread():  # many small operations; the blocks have threads of their own
        search = _Search(weight, ranks, root, seed)
        searched = blocks if sketch is None else sketch
        few, held_terms = _thinned(searched, _FEWEST_TERMS)
        held = search.plant(few, held_rows)
        for level in reversed(list(levels_of(root))):
            inner = [node for node in level if node.children is not None]
            if held is not None:
                search.merge([node for node in inner if node.size <= held_rows], held, held_terms)
                inner = [node for node in inner if node.size > held_rows]
            if inner:
                fewest = _FEWEST_TERMS_OF_ROOT if root in inner else _FEWEST_TERMS
                count = max(fewest, *(node.size for node in inner))
                search.merge(inner, *_thinned(searched, count))
        leaves = None
        if ranks.blocks:
            nodes = list(root.leaves())
            leaves = tuple(zip(nodes, blocks.leaves(nodes), strict=True))
        return _measured(root, leaves, search.found, blocks).pruned(weight, ranks.worth)


def _thinned(blocks: DiagonalBlocks, count: int) -> tuple[DiagonalBlocks, float]:
    """A sum of so many terms, and their number, infinite if it is the matrix itself."""
    few = blocks.thinned(count)
    return few, np.inf if few is blocks else float(count)


def _measured(
    root: Node,
    leaves: tuple[tuple[Node, FloatArray], ...] | None,
    found: Mapping[Node, FloatArray],
    blocks: DiagonalBlocks,
) -> Hierarchy:
    """The columns that were found with their energies in ``blocks``."""
    energies = blocks.energies(found) if found else {}
    level_of = {node: at for at, level in enumerate(levels_of(root)) for node in level}
    nodes = [
        NodeColumns(node, level_of[node], u, energies[node], _rounding(energies[node]))
        for node, u in found.items()
    ]
    return Hierarchy(root, leaves, tuple(sorted(nodes, key=lambda node: -node.level)))


def _rounding(energy: FloatArray) -> float:
    return float(np.finfo(np.float32).eps) * float(energy.diagonal().max(initial=0.0))


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

    def product(self, nodes: Sequence[Node]) -> Product:
        """The rows of each node times its block."""
        return partial(_times_blocks, nodes, self.leaves(nodes))


@dataclass(frozen=True, eq=False)
class _Search:
    """Columns of the nodes done so far, and their corrections in the matrix searched."""

    weight: float
    ranks: Ranks
    root: Node
    seed: int
    leaves: list[Leaf] = field(default_factory=list)
    corrections: list[Correction] = field(default_factory=list)

    @property
    def found(self) -> dict[Node, FloatArray]:
        """The columns U of each node that has any."""
        return {found.node: found.columns for found in self.corrections}

    def plant(self, blocks: DiagonalBlocks, held_rows: int) -> _HeldBlocks | None:
        """Make the leaves, and hold the blocks of small nodes."""
        if not self.ranks.blocks:
            return None
        leaves = list(self.root.leaves())
        is_flat = self.ranks.inner is None and self.root.size > held_rows
        nodes = leaves if is_flat else _largest_within(self.root, held_rows)
        held = _HeldBlocks(nodes, blocks.leaves(nodes), blocks.n)
        pairs = zip(leaves, held.leaves(leaves), strict=True)
        self.leaves.extend(leaf_factor(leaf, block, self.weight) for leaf, block in pairs)
        return held

    def merge(
        self, nodes: Sequence[Node], blocks: DiagonalBlocks | _HeldBlocks, terms: float
    ) -> None:
        """Find the columns of nodes of a level, given those of their children.

        ``terms`` is how many terms the blocks are a sum of, infinite if they are those of K itself.
        """
        searches = {}
        for node in nodes:
            effort = self._effort(node)
            if effort is not None:
                searches[node] = self._search(node, effort)
        if not searches:
            return
        factor = HierarchicalFactor(self.root, tuple(self.leaves) or None, tuple(self.corrections))
        found = self._search_together(searches, factor, blocks)
        kept = {node: self._worthy(node, pairs, terms) for node, pairs in found.items()}
        kept = {node: pairs for node, pairs in kept.items() if len(pairs.values)}
        x = self._gathered({node: pairs.vectors for node, pairs in kept.items()})
        columns = factor.whiten_transposed(x)
        for node, pairs in kept.items():
            rank = len(pairs.values)
            u = np.asfortranarray(columns[node.start : node.stop, :rank])
            self.corrections.append(Correction(node, 0, u, pairs.vectors, pairs.values))

    def _effort(self, node: Node) -> Effort | None:
        return self.ranks.root if node == self.root else self.ranks.inner

    def _search(self, node: Node, effort: Effort) -> KrylovSearch:
        def is_broad(values: FloatArray) -> bool:
            positive = values[values > 0.0]
            worthy = np.count_nonzero(divergence_of(positive) >= self.ranks.worth)
            return effort.patient and bool(worthy > len(values) / 2)

        rng = np.random.default_rng([self.seed, node.start, node.stop])
        return krylov_search(node.size, effort.block, effort.steps, rng=rng, go_on=is_broad)

    def _worthy(self, node: Node, pairs: RitzPairs, terms: float) -> RitzPairs:
        """The pairs worth keeping, the best first; a core not known to be positive is not.

        Nor is one that independent terms would have without any structure, which lie between
        1 + weight ((1 -+ sqrt(rows / terms))^2 - 1) (Marchenko and Pastur 1967): it is worth
        nothing in another sum.
        """
        effort = self._effort(node)
        share = min(1.0, node.size / terms)
        high = 1.0 + self.weight * (2.0 * np.sqrt(share) + share)
        low = 1.0 - self.weight * (2.0 * np.sqrt(share) - share)
        is_noise = (pairs.values > low) & (pairs.values < high) if share else False
        known = np.flatnonzero((pairs.values > ROUNDINGS * pairs.rounding) & ~np.asarray(is_noise))
        worth = divergence_of(pairs.values[known])
        best = np.argsort(-worth, kind="stable")[: effort.most if effort is not None else 0]
        return pairs.chosen(known[best[worth[best] >= self.ranks.worth]])

    def _search_together(
        self,
        searches: Mapping[Node, KrylovSearch],
        factor: HierarchicalFactor,
        blocks: DiagonalBlocks | _HeldBlocks,
    ) -> dict[Node, RitzPairs]:
        """Run the searches in lock-step: D^-1 Sigma D^-T times all columns that they ask for."""
        found: dict[Node, RitzPairs] = {}
        asked = {node: next(search) for node, search in searches.items()}
        product = blocks.product(list(asked))
        while asked:
            lifted = factor.whiten_transposed(self._gathered(asked))
            image = product(lifted)
            image *= self.weight
            image += (1.0 - self.weight) * lifted
            image = factor.whiten(image)
            for node, columns in list(asked.items()):
                try:
                    own = image[node.start : node.stop, : columns.shape[1]]
                    asked[node] = searches[node].send(own)
                except StopIteration as done:
                    found[node] = done.value
                    del asked[node]
        return found

    def _gathered(self, of_nodes: Mapping[Node, FloatArray]) -> FloatArray:
        """Columns of disjoint nodes in one array of all rows; zeros where a node has fewer."""
        widest = max((columns.shape[1] for columns in of_nodes.values()), default=0)
        x = np.zeros((self.root.size, widest))
        for node, columns in of_nodes.items():
            x[node.start : node.stop, : columns.shape[1]] = columns
        return x


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
